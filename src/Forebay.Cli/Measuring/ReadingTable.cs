using System.Globalization;
using System.Text.Json;
using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Measuring;

/// <summary>Readings as a table for people or as JSON; the same for every command that measures.</summary>
internal static class ReadingTable
{
    private static readonly string[] Titles = ["operation", "time", "MB/s", "hit ratio", "from the source"];

    public static void Write(TextWriter output, IReadOnlyList<Reading> rows)
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

    /// <summary>Writes the same for machines.</summary>
    public static void WriteJson(TextWriter output, IReadOnlyList<Reading> rows)
    {
        List<ReadingRow> list = [.. rows.Select(row => new ReadingRow(row.Operation, Math.Round(row.Time.TotalSeconds, 6), row.Bytes, Math.Round(row.BytesPerSecond), row.HitRatio, row.SourceBytes))];
        output.WriteLine(JsonSerializer.Serialize(new ReadingList(list), ReadingJson.Default.ReadingList));
    }

    private static string[] Cells(Reading row) =>
    [
        row.Operation,
        row.Time.TotalSeconds.ToString("0.00 s", CultureInfo.InvariantCulture),
        (row.BytesPerSecond / 1e6).ToString("0", CultureInfo.InvariantCulture),
        row.HitRatio is { } ratio ? ratio.ToString("0 %", CultureInfo.InvariantCulture) : "–",
        row.SourceBytes is { } source ? ByteSize.Round(source) : "–",
    ];
}
