using System.Globalization;

namespace Forebay.Cli.Configuration;

/// <summary>The options of one group. Each method adds a row; defaults are read from the record itself, so that they are written once.</summary>
/// <typeparam name="T">The record that holds the group.</typeparam>
/// <param name="name">Name of the group as in the documentation, for instance <c>cache[]</c>; empty for the top of the file.</param>
/// <param name="defaults">A record as it is when nothing is given.</param>
internal sealed class OptionTable<T>(string name, T defaults)
{
    private readonly List<KnownOption<T>> _rows = [];

    /// <summary>Name of the group as in the documentation.</summary>
    public string Name => name;

    /// <summary>All options.</summary>
    public IReadOnlyList<KnownOption<T>> Rows => _rows;

    /// <summary>The option of a name; null when there is none.</summary>
    public KnownOption<T>? Find(string key) => _rows.Find(row => string.Equals(row.Key, key, StringComparison.Ordinal));

    public OptionTable<T> Text(string key, string meaning, Func<T, string?> get, Func<T, string, T> set, string bound = "text", string? none = "–")
        => Add(key, bound, get(defaults) is { Length: > 0 } text ? Code(text) : none!, meaning, record => get(record) is { Length: > 0 } value ? value : null, (record, setting, faults) =>
            setting.TryText(faults, out string? value) ? set(record, value) : record);

    /// <summary>A file or directory, made absolute.</summary>
    public OptionTable<T> Path(string key, string meaning, Func<T, string?> get, Func<T, string, T> set, string none = "–")
        => Add(key, "path", none, meaning, get, (record, setting, faults) =>
            setting.TryText(faults, out string? value) ? set(record, setting.FullPath(value)) : record);

    public OptionTable<T> Texts(string key, string meaning, string bound, string none, Func<T, IReadOnlyList<string>> get, Func<T, IReadOnlyList<string>, T> set, Func<string, string?> check)
        => Add(key, bound, none, meaning, record => get(record) is { Count: > 0 } values ? string.Join(',', values) : null, (record, setting, faults) =>
        {
            if (!setting.TryTexts(faults, out IReadOnlyList<string>? values))
            {
                return record;
            }

            foreach (string value in values)
            {
                if (check(value) is { } fault)
                {
                    faults.Add(setting.Place, $"{setting.Name}: {fault}");
                    return record;
                }
            }

            return set(record, values);
        });

    public OptionTable<T> Flag(string key, string meaning, Func<T, bool?> get, Func<T, bool, T> set, string none = "–")
        => Add(key, "`true`, `false`", get(defaults) is { } flag ? Code(Word(flag)) : none, meaning, record => get(record) is { } value ? Word(value) : null, (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            switch (text.ToLowerInvariant())
            {
                case "true" or "yes" or "on" or "1":
                    return set(record, true);
                case "false" or "no" or "off" or "0":
                    return set(record, false);
                default:
                    faults.Add(setting.Place, $"{setting.Name} must be true or false.");
                    return record;
            }
        });

    public OptionTable<T> Size(string key, string meaning, Func<T, long?> get, Func<T, long, T> set, long min, long max = long.MaxValue, string none = "no bound")
        => Add(
            key,
            max == long.MaxValue ? $"size ≥ {ByteSize.Format(min)}" : $"size, {ByteSize.Format(min)} to {ByteSize.Format(max)}",
            get(defaults) is { } bytes ? Code(ByteSize.Format(bytes)) : none,
            meaning,
            record => get(record) is { } value ? ByteSize.Format(value) : null,
            (record, setting, faults) =>
            {
                if (!setting.TryText(faults, out string? text))
                {
                    return record;
                }

                if (!ByteSize.TryParse(text, out long value))
                {
                    faults.Add(setting.Place, $"{setting.Name} must be {ByteSize.Form}, not \"{text}\".");
                    return record;
                }

                return Within(value, min, max, ByteSize.Format, setting, faults) ? set(record, value) : record;
            });

    public OptionTable<T> Count(string key, string meaning, Func<T, int?> get, Func<T, int, T> set, int min, int max = int.MaxValue, string none = "no bound")
        => Add(
            key,
            max == int.MaxValue ? $"number ≥ {Number(min)}" : $"number, {Number(min)} to {Number(max)}",
            get(defaults) is { } count ? Code(Number(count)) : none,
            meaning,
            record => get(record) is { } value ? Number(value) : null,
            (record, setting, faults) =>
            {
                if (!setting.TryText(faults, out string? text))
                {
                    return record;
                }

                if (!int.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.None, CultureInfo.InvariantCulture, out int value))
                {
                    faults.Add(setting.Place, $"{setting.Name} must be a whole number, not \"{text}\".");
                    return record;
                }

                return Within(value, min, max, Number, setting, faults) ? set(record, value) : record;
            });

    public OptionTable<T> Time(string key, string meaning, Func<T, TimeSpan?> get, Func<T, TimeSpan, T> set, TimeSpan min, TimeSpan max, string none = "never")
        => Add(
            key,
            $"duration, {Duration.Format(min)} to {Duration.Format(max)}",
            get(defaults) is { } time ? Code(Duration.Format(time)) : none,
            meaning,
            record => get(record) is { } value ? Duration.Format(value) : null,
            (record, setting, faults) =>
            {
                if (!setting.TryText(faults, out string? text))
                {
                    return record;
                }

                if (!Duration.TryParse(text, out TimeSpan value))
                {
                    faults.Add(setting.Place, $"{setting.Name} must be {Duration.Form}, not \"{text}\".");
                    return record;
                }

                return Within(value, min, max, Duration.Format, setting, faults) ? set(record, value) : record;
            });

    /// <summary>A ratio strictly above 0 and at most 1; <c>90%</c> is read as 0.9.</summary>
    public OptionTable<T> Ratio(string key, string meaning, Func<T, double> get, Func<T, double, T> set)
        => Add(key, "ratio, > 0 to 1", Code(Ratio(get(defaults))), meaning, record => Ratio(get(record)), (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            bool percent = text.EndsWith('%');
            if (!double.TryParse(percent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                || (percent ? value /= 100 : value) is not (> 0 and <= 1))
            {
                faults.Add(setting.Place, $"{setting.Name} must be a ratio above 0 and at most 1, such as 0.95, not \"{text}\".");
                return record;
            }

            return set(record, value);
        });

    public OptionTable<T> Choice<TValue>(string key, string meaning, Func<T, TValue> get, Func<T, TValue, T> set, params (string Word, TValue Value)[] words)
        where TValue : struct, Enum
    {
        string known = string.Join(", ", words.Select(word => word.Word));
        string bound = string.Join(", ", words.Select(word => Code(word.Word)));
        return Add(key, bound, Code(WordOf(defaults)), meaning, WordOf, (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            foreach ((string word, TValue value) in words)
            {
                if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
                {
                    return set(record, value);
                }
            }

            faults.Add(setting.Place, $"{setting.Name} must be one of {known}, not \"{text}\".");
            return record;
        });

        string WordOf(T record) => words.First(word => EqualityComparer<TValue>.Default.Equals(word.Value, get(record))).Word;
    }

    /// <summary>One of some names, which stays a name.</summary>
    public OptionTable<T> Word(string key, string meaning, Func<T, string?> get, Func<T, string, T> set, IReadOnlyList<string> words, string none = "none")
        => Add(key, string.Join(", ", words.Select(Code)), none, meaning, get, (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            if (words.FirstOrDefault(word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) is { } known)
            {
                return set(record, known);
            }

            faults.Add(setting.Place, $"{setting.Name} must be one of {string.Join(", ", words)}, not \"{text}\".");
            return record;
        });

    public OptionTable<T> Address(string key, string meaning, Func<T, ListenAddress> get, Func<T, ListenAddress, T> set)
        => Add(key, "address", Code(get(defaults).ToString()), meaning, record => get(record).ToString(), (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            if (!ListenAddress.TryParse(text, out ListenAddress? address))
            {
                faults.Add(setting.Place, $"{setting.Name} must be {ListenAddress.Form}, not \"{text}\".");
                return record;
            }

            return set(record, address);
        });

    /// <summary>A secret, and beside it <c>KEY-file</c> with the path of a file that holds it. Values are never quoted in a fault.</summary>
    public OptionTable<T> Secret(string key, string meaning, Func<T, Secret?> get, Func<T, Secret, T> set, int minLength = 1)
    {
        Add(key, "secret", "–", meaning, record => get(record) is null ? null : "(set)", (record, setting, faults) =>
        {
            if (!setting.TryText(faults, out string? text))
            {
                return record;
            }

            return SetOnce(record, new Secret(text), setting, faults);
        });
        Add($"{key}-file", "path", "–", $"File that holds `{key}`; white space around it is cut off.", _ => null, (record, setting, faults) =>
            setting.TryText(faults, out string? path) && ReadSecret(setting.FullPath(path), setting, faults) is { } secret
                ? SetOnce(record, secret, setting, faults)
                : record);
        _rows[^1] = _rows[^1] with { IsFileOfSecret = true };
        return this;

        T SetOnce(T record, Secret secret, Setting setting, Faults faults)
        {
            // Only inside a file: the environment overrides what a file says.
            if (get(record) is not null && setting.Place.Line > 0)
            {
                faults.Add(setting.Place, $"{setting.Name}: give either {key} or {key}-file, not both.");
            }

            if (secret.Reveal().Length < minLength)
            {
                faults.Add(setting.Place, $"{setting.Name} is shorter than {Number(minLength)} characters; take a longer one, for instance from 'openssl rand -hex {Number(minLength)}'.");
            }

            return set(record, secret);
        }
    }

    private static Secret? ReadSecret(string path, Setting setting, Faults faults)
    {
        const int longest = 64 << 10;
        try
        {
            FileInfo file = new(path);
            if (file.Length > longest)
            {
                faults.Add(setting.Place, $"{setting.Name}: {path} is too long for a secret.");
                return null;
            }

            string text = File.ReadAllText(path).Trim();
            if (text.Length > 0)
            {
                return new Secret(text);
            }

            faults.Add(setting.Place, $"{setting.Name}: {path} is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            faults.Add(setting.Place, $"{setting.Name}: {path} cannot be read; check that it exists and that this user may read it.");
        }

        return null;
    }

    private static bool Within<TValue>(TValue value, TValue min, TValue max, Func<TValue, string> format, Setting setting, Faults faults)
        where TValue : IComparable<TValue>
    {
        if (value.CompareTo(min) < 0)
        {
            faults.Add(setting.Place, $"{setting.Name} must be at least {format(min)}, not {format(value)}.");
            return false;
        }

        if (value.CompareTo(max) > 0)
        {
            faults.Add(setting.Place, $"{setting.Name} must be at most {format(max)}, not {format(value)}.");
            return false;
        }

        return true;
    }

    private OptionTable<T> Add(string key, string bound, string preset, string meaning, Func<T, string?> show, Func<T, Setting, Faults, T> apply)
    {
        _rows.Add(new KnownOption<T>(key, bound, preset, meaning, show, apply));
        return this;
    }

    private static string Word(bool value) => value ? "true" : "false";

    private static string Ratio(double value) => value.ToString("0.0#", CultureInfo.InvariantCulture);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Code(string text) => $"`{text}`";
}
