using System.Globalization;
using System.Text;

namespace Forebay.Cli.Top;

/// <summary>One line of <c>/metrics</c>.</summary>
/// <param name="Labels">Values by name.</param>
/// <param name="Value">The value.</param>
internal sealed record MetricLine(IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>What <c>/metrics</c> said, by name. A line that cannot be read is passed over: a worker of another version may say more than this one knows.</summary>
internal sealed class MetricText
{
    private readonly Dictionary<string, List<MetricLine>> _lines = new(StringComparer.Ordinal);

    private MetricText()
    {
    }

    /// <summary>Reads the Prometheus text format 0.0.4.</summary>
    public static MetricText Parse(string text)
    {
        MetricText metrics = new();
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (!line.IsEmpty && line[0] != '#')
            {
                metrics.Add(line);
            }
        }

        return metrics;
    }

    /// <summary>All lines of a metric; empty when there is none.</summary>
    public IReadOnlyList<MetricLine> Of(string name) => _lines.TryGetValue(name, out List<MetricLine>? lines) ? lines : [];

    /// <summary>Sum of the lines of a metric.</summary>
    public double Sum(string name) => Of(name).Sum(line => line.Value);

    /// <summary>Sum of those lines whose label has this value.</summary>
    public double Sum(string name, string label, string value)
        => Of(name).Where(line => line.Labels.TryGetValue(label, out string? has) && string.Equals(has, value, StringComparison.Ordinal)).Sum(line => line.Value);

    private void Add(ReadOnlySpan<char> line)
    {
        int nameEnd = line.IndexOfAny('{', ' ');
        if (nameEnd <= 0)
        {
            return;
        }

        Dictionary<string, string> labels = new(StringComparer.Ordinal);
        ReadOnlySpan<char> rest = line[nameEnd..];
        if (rest[0] == '{' && !TryTakeLabels(ref rest, labels))
        {
            return;
        }

        rest = rest.Trim(' ');
        int valueEnd = rest.IndexOf(' ');
        if (!TryNumber(valueEnd < 0 ? rest : rest[..valueEnd], out double value))
        {
            return;
        }

        string name = line[..nameEnd].ToString();
        if (!_lines.TryGetValue(name, out List<MetricLine>? lines))
        {
            lines = [];
            _lines[name] = lines;
        }

        lines.Add(new MetricLine(labels, value));
    }

    /// <summary>Takes <c>{name="value",…}</c> from the front.</summary>
    private static bool TryTakeLabels(ref ReadOnlySpan<char> rest, Dictionary<string, string> labels)
    {
        rest = rest[1..];
        while (!rest.IsEmpty && rest[0] != '}')
        {
            int equals = rest.IndexOf("=\"", StringComparison.Ordinal);
            if (equals <= 0)
            {
                return false;
            }

            string name = rest[..equals].ToString();
            rest = rest[(equals + 2)..];
            if (!TryTakeValue(ref rest, out string value))
            {
                return false;
            }

            labels[name] = value;
            rest = rest is [',', ..] ? rest[1..] : rest;
        }

        if (rest.IsEmpty)
        {
            return false;
        }

        rest = rest[1..];
        return true;
    }

    /// <summary>Takes a value up to its closing quote from the front.</summary>
    private static bool TryTakeValue(ref ReadOnlySpan<char> rest, out string value)
    {
        StringBuilder text = new();
        for (int i = 0; i < rest.Length; i++)
        {
            char c = rest[i];
            if (c == '"')
            {
                value = text.ToString();
                rest = rest[(i + 1)..];
                return true;
            }

            if (c == '\\' && i + 1 < rest.Length)
            {
                c = rest[++i] == 'n' ? '\n' : rest[i];
            }

            text.Append(c);
        }

        value = "";
        return false;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out double value)
    {
        if (text is "+Inf")
        {
            value = double.PositiveInfinity;
            return true;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
