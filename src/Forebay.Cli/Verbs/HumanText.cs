using System.Globalization;
using System.Text;

namespace Forebay.Cli.Verbs;

/// <summary>Figures and tables for people; every number with its unit.</summary>
internal static class HumanText
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    public static string Bytes(double bytes)
    {
        int unit = 0;
        while (bytes >= 1024 && unit < Units.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{(unit == 0 ? bytes : Math.Round(bytes, 1)):0.#} {Units[unit]}");
    }

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number of things: <c>1 object</c>, <c>2 objects</c>.</summary>
    public static string Count(long count, string thing) => $"{Count(count)} {thing}{(count == 1 ? "" : "s")}";

    public static string Share(long part, long whole)
        => whole <= 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * part / whole:0.0} %");

    public static string Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    public static string Duration(TimeSpan time)
        => time >= TimeSpan.FromDays(1)
            ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays} d {time.Hours} h")
            : time.ToString(time >= TimeSpan.FromHours(1) ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);

    /// <summary>Makes control characters of a key visible, so that no key can drive the terminal.</summary>
    public static string Safe(string text)
        => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString())) : text;

    /// <summary>Aligned columns, two spaces apart; a heading that begins with <c>&lt;</c> is aligned left.</summary>
    public static string Table(IReadOnlyList<string> headings, IReadOnlyList<string[]> rows)
    {
        bool[] left = [.. headings.Select(heading => heading.StartsWith('<'))];
        string[] heads = [.. headings.Select(heading => heading.TrimStart('<'))];
        int[] widths = [.. heads.Select((head, i) => rows.Select(row => row[i].Length).Append(head.Length).Max())];
        var text = new StringBuilder();
        foreach (string[] row in rows.Prepend(heads))
        {
            IEnumerable<string> cells = row.Select((cell, i) => left[i] ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
            text.AppendLine(string.Join("  ", cells).TrimEnd());
        }

        return text.ToString();
    }
}
