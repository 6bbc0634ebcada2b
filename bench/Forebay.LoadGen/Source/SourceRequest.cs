using System.Globalization;

namespace Forebay.LoadGen.Source;

/// <summary>Head of a request, taken apart. Query values and the path are decoded.</summary>
internal sealed class SourceRequest
{
    private readonly string[] _lines;

    public SourceRequest(string head)
    {
        _lines = head.Split("\r\n");
        string[] first = _lines[0].Split(' ');
        if (first.Length != 3)
        {
            throw new IOException("Not an HTTP/1.1 request.");
        }

        Method = first[0];
        string[] target = first[1].Split('?', 2);
        Path = Uri.UnescapeDataString(target[0]);
        Query = target.Length == 1 ? new Dictionary<string, string>(StringComparer.Ordinal) : ParseQuery(target[1]);
    }

    public string Method { get; }

    public string Path { get; }

    public IReadOnlyDictionary<string, string> Query { get; }

    public string? Header(string name)
    {
        foreach (string line in _lines.AsSpan(1))
        {
            if (line.Length > name.Length && line[name.Length] == ':' && line.StartsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                return line[(name.Length + 1)..].Trim();
            }
        }

        return null;
    }

    /// <summary>The range asked for; the whole object without one; null when it cannot be satisfied.</summary>
    public (long Offset, long Length, bool Partial)? Range(long size)
    {
        if (Header("Range") is not string header || !header.StartsWith("bytes=", StringComparison.Ordinal) || header.Contains(',', StringComparison.Ordinal))
        {
            return (0, size, false);
        }

        string[] ends = header[6..].Split('-');
        if (ends[0].Length == 0)
        {
            long suffix = Math.Min(size, Number(ends[1]));
            return suffix == 0 ? null : (size - suffix, suffix, true);
        }

        long first = Number(ends[0]);
        long last = ends[1].Length == 0 ? size - 1 : Math.Min(size - 1, Number(ends[1]));
        return first >= size || last < first ? null : (first, last - first + 1, true);
    }

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static Dictionary<string, string> ParseQuery(string query)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = pair.Split('=', 2);
            values[halves[0]] = halves.Length == 2 ? Uri.UnescapeDataString(halves[1].Replace('+', ' ')) : "";
        }

        return values;
    }
}
