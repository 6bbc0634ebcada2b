using System.Globalization;
using System.Net;

namespace Forebay.LoadGen;

/// <summary>Options of a command: <c>--name value</c>, or <c>--name</c> alone for a switch; a name may be repeated.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, List<string>> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public Arguments(ReadOnlySpan<string> args)
    {
        for (int i = 0; i < args.Length; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal))
            {
                throw new UsageException($"'{args[i]}' is not an option; options begin with --.");
            }

            string name = args[i][2..];
            bool hasValue = i + 1 < args.Length && !args[i + 1].StartsWith("--", StringComparison.Ordinal);
            if (!_values.TryGetValue(name, out List<string>? values))
            {
                _values[name] = values = [];
            }

            values.Add(hasValue ? args[++i] : "true");
        }
    }

    public IReadOnlyList<string> All(string name)
    {
        _used.Add(name);
        return _values.TryGetValue(name, out List<string>? values) ? values : [];
    }

    public string? Optional(string name) => All(name) is [.., string last] ? last : null;

    public string Text(string name, string fallback) => Optional(name) ?? fallback;

    public string Required(string name) => Optional(name) ?? throw new UsageException($"--{name} is missing.");

    public bool Switch(string name) => Optional(name) is not null;

    public long Number(string name, long fallback)
    {
        string? text = Optional(name);
        if (text is null)
        {
            return fallback;
        }

        return long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw new UsageException($"--{name} takes a whole number, not '{text}'.");
    }

    public double Decimal(string name, double fallback)
    {
        string? text = Optional(name);
        if (text is null)
        {
            return fallback;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? value
            : throw new UsageException($"--{name} takes a number, not '{text}'.");
    }

    public IPEndPoint EndPoint(string name, string? fallback = null)
    {
        string text = fallback is null ? Required(name) : Text(name, fallback);
        return IPEndPoint.TryParse(text, out IPEndPoint? endPoint) ? endPoint : throw new UsageException($"--{name} takes ADDRESS:PORT, not '{text}'.");
    }

    /// <summary>Refuses options nobody asked for: a misspelt one must not be measured as its default.</summary>
    public void RefuseUnused()
    {
        string? unknown = _values.Keys.FirstOrDefault(name => !_used.Contains(name));
        if (unknown is not null)
        {
            throw new UsageException($"--{unknown} is not an option of this command.");
        }
    }
}

/// <summary>The command line is wrong.</summary>
internal sealed class UsageException(string message) : Exception(message);
