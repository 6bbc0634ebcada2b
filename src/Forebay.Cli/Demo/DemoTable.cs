using System.Globalization;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Demo;

/// <summary>One measured operation.</summary>
/// <param name="Operation">What was done, for people.</param>
/// <param name="Time">How long it took.</param>
/// <param name="Bytes">Bytes that reached the reader.</param>
/// <param name="HitRatio">Share of them that came from the cache; null where no cache took part.</param>
/// <param name="SourceBytes">Bytes read from the source.</param>
internal sealed record DemoRow(string Operation, TimeSpan Time, long Bytes, double? HitRatio, long SourceBytes);

/// <summary>The table of the demonstration.</summary>
internal static class DemoTable
{
    private static readonly string[] Titles = ["operation", "time", "MB/s", "hit ratio", "from the source"];

    public static void Write(TextWriter output, IReadOnlyList<DemoRow> rows)
    {
        List<string[]> cells = [Titles];
        cells.AddRange(rows.Select(Cells));
        int[] widths = [.. Enumerable.Range(0, Titles.Length).Select(column => cells.Max(row => row[column].Length))];
        for (int i = 0; i < cells.Count; i++)
        {
            string[] row = cells[i];
            IEnumerable<string> padded = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            output.WriteLine("  " + string.Join("  ", padded));
            if (i == 0)
            {
                output.WriteLine("  " + string.Join("  ", widths.Select(width => new string('-', width))));
            }
        }
    }

    private static string[] Cells(DemoRow row) =>
    [
        row.Operation,
        row.Time.TotalSeconds.ToString("0.00 s", CultureInfo.InvariantCulture),
        (row.Bytes / 1e6 / Math.Max(row.Time.TotalSeconds, 1e-6)).ToString("0", CultureInfo.InvariantCulture),
        row.HitRatio is { } ratio ? ratio.ToString("0 %", CultureInfo.InvariantCulture) : "–",
        ByteSize.Round(row.SourceBytes),
    ];
}
