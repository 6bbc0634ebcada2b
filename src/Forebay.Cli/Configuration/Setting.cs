using System.Diagnostics.CodeAnalysis;

namespace Forebay.Cli.Configuration;

/// <summary>One value that somebody gave to one option.</summary>
/// <param name="Place">Where.</param>
/// <param name="Name">The option with its group, for messages: <c>cache[0].quota</c>.</param>
/// <param name="Value">From the file as it stands there; from the environment or a flag as a scalar.</param>
/// <param name="Directory">What relative paths are relative to.</param>
internal readonly record struct Setting(Place Place, string Name, YamlNode Value, string Directory)
{
    /// <summary>The single value as text, or a fault.</summary>
    public bool TryText(Faults faults, [NotNullWhen(true)] out string? text)
    {
        text = (Value as YamlScalar)?.Text;
        if (string.IsNullOrWhiteSpace(text))
        {
            faults.Add(Place, Value is YamlScalar ? $"{Name} is empty; give it a value or remove it." : $"{Name} must be a single value, not {Value.Kind}.");
            text = null;
            return false;
        }

        return true;
    }

    /// <summary>The values of a list (or one value; separated by commas outside of a file), or a fault.</summary>
    public bool TryTexts(Faults faults, [NotNullWhen(true)] out IReadOnlyList<string>? texts)
    {
        texts = null;
        if (Value is not YamlList list)
        {
            if (!TryText(faults, out string? text))
            {
                return false;
            }

            texts = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return true;
        }

        List<string> values = [];
        foreach (YamlNode item in list.Items)
        {
            if (item is not YamlScalar { Text: { Length: > 0 } value })
            {
                faults.Add(Place with { Line = item.Line }, $"{Name} must be a list of single values.");
                return false;
            }

            values.Add(value);
        }

        texts = values;
        return true;
    }

    /// <summary>An absolute path from a path that may be relative to where it was written.</summary>
    public string FullPath(string path) => Path.GetFullPath(path, Directory);
}
