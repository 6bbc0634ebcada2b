using System.Globalization;
using System.Text;
using Forebay.Cli.Verbs;

namespace Forebay.Cli.Top;

/// <summary>The table for people: a few lines for each mount, then its busiest operations.</summary>
internal static class TopTable
{
    private const int MostOperations = 8;

    public static string Write(string title, IReadOnlyList<TopRow> rows)
    {
        StringBuilder text = new();
        text.AppendLine(title);
        foreach (TopRow row in rows)
        {
            text.AppendLine();
            Append(text, row);
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, TopRow row)
    {
        text.AppendLine($"{HumanText.Safe(row.Directory)}  {HumanText.Safe(row.Source)}{(row.State == TopState.Silent ? $"  DOES NOT ANSWER ({Worker(row)})" : "")}");
        text.AppendLine($"  memory     holder {Bytes(row.HolderResidentBytes)}, worker {Bytes(row.WorkerResidentBytes)}; respawns: holder {HumanText.Count(row.HolderRespawns)}, worker {HumanText.Count(row.WorkerRespawns)}{(row.Rates is { } known ? $"; {HumanText.Count(known.Inodes, "inode")}" : "")}");
        if (row.Rates is not { } rates || row.State == TopState.Silent)
        {
            return;
        }

        text.AppendLine($"  requests   {Number(rates.OperationsPerSecond)}/s, p50 {Time(rates.P50Seconds)}, p99 {Time(rates.P99Seconds)}; {HumanText.Count(rates.OpenRequests)} under way, {Number(rates.FailuresPerSecond)} failed/s");
        text.AppendLine($"  opens      {Number(rates.PassthroughOpensPerSecond)}/s passthrough, {Number(rates.WorkerOpensPerSecond)}/s through the worker: {Share(rates.PassthroughShare)} passthrough");
        text.AppendLine($"  bytes      {Rate(rates.ReadBytesPerSecond)} through the worker, {Rate(rates.CacheBytesPerSecond)} from cache, {Rate(rates.UnderStoreBytesPerSecond)} from the under-store");
        text.AppendLine($"  ahead      {Share(rates.ReadAheadEfficiency)} of the bytes read ahead were read, {Share(rates.PrefetchEfficiency)} of the files prefetched were opened");
        if (rates.Operations.Count == 0)
        {
            return;
        }

        string table = HumanText.Table(
            ["<  OPERATION", "/S", "ERRORS/S", "P50", "P99"],
            [.. rates.Operations.Take(MostOperations).Select(operation => new[] { "  " + HumanText.Safe(operation.Operation), Number(operation.PerSecond), Number(operation.ErrorsPerSecond), Time(operation.P50Seconds), Time(operation.P99Seconds) })]);
        text.Append(table);
    }

    private static string Worker(TopRow row) => row.WorkerPid == 0 ? "its worker is being replaced" : string.Create(CultureInfo.InvariantCulture, $"worker {row.WorkerPid}");

    private static string Bytes(long? bytes) => bytes is { } known ? HumanText.Bytes(known) : "–";

    private static string Rate(double bytes) => $"{HumanText.Bytes(bytes)}/s";

    private static string Number(double value) => value.ToString(value is > 0 and < 10 ? "0.0" : "N0", CultureInfo.InvariantCulture);

    private static string Share(double? share) => share is { } known ? known.ToString("0 %", CultureInfo.InvariantCulture) : "–";

    private static string Time(double? seconds) => seconds switch
    {
        null => "–",
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0} µs"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
    };
}
