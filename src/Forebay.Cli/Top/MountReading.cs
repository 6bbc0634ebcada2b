using System.Globalization;
using Forebay.Admin.Metrics;

namespace Forebay.Cli.Top;

/// <summary>Counters of one operation since its worker began.</summary>
/// <param name="Count">Requests.</param>
/// <param name="Errors">Of them those answered with an errno.</param>
/// <param name="Buckets">Upper bound in seconds and requests up to it, growing; the last bound is infinite.</param>
internal sealed record OperationReading(double Count, double Errors, IReadOnlyList<(double Bound, double Count)> Buckets)
{
    public static OperationReading None { get; } = new(0, 0, []);
}

/// <summary>What a mount's worker told at one moment; counters since it began.</summary>
internal sealed record MountReading
{
    /// <summary>When it was told, by <see cref="TimeProvider.GetTimestamp"/>.</summary>
    public required long Timestamp { get; init; }

    /// <summary>When the worker began, in seconds since 1970: another one counts anew.</summary>
    public required double WorkerStarted { get; init; }

    public required IReadOnlyDictionary<string, OperationReading> Operations { get; init; }

    public required double PassthroughOpens { get; init; }

    public required double WorkerOpens { get; init; }

    /// <summary>Bytes of files read through the worker.</summary>
    public required double ReadBytes { get; init; }

    /// <summary>Of the bytes served those that lay in the cache.</summary>
    public required double CacheBytes { get; init; }

    /// <summary>Bytes served that had been fetched for who read them.</summary>
    public required double MissBytes { get; init; }

    public required double UnderStoreBytes { get; init; }

    public required double PrefetchedFiles { get; init; }

    public required double PrefetchedFilesUsed { get; init; }

    public required double PrefetchedBytes { get; init; }

    public required double Failures { get; init; }

    public required long Inodes { get; init; }

    public required long OpenRequests { get; init; }

    /// <summary>Takes what is shown out of the metrics of a worker.</summary>
    public static MountReading Of(MetricText metrics, long timestamp) => new()
    {
        Timestamp = timestamp,
        WorkerStarted = metrics.Sum(MetricCatalog.StartTime.Name),
        Operations = OperationsOf(metrics),
        PassthroughOpens = metrics.Sum(MetricCatalog.FuseOpens.Name, "mode", "passthrough"),
        WorkerOpens = metrics.Sum(MetricCatalog.FuseOpens.Name, "mode", "worker"),
        ReadBytes = metrics.Sum(MetricCatalog.FuseReadBytes.Name),
        CacheBytes = metrics.Sum(MetricCatalog.HitBytes.Name),
        MissBytes = metrics.Sum(MetricCatalog.MissBytes.Name),
        UnderStoreBytes = metrics.Sum(MetricCatalog.UnderStoreBytes.Name),
        PrefetchedFiles = metrics.Sum(MetricCatalog.FusePrefetchedFiles.Name),
        PrefetchedFilesUsed = metrics.Sum(MetricCatalog.FusePrefetchedFilesUsed.Name),
        PrefetchedBytes = metrics.Sum(MetricCatalog.FusePrefetchedBytes.Name),
        Failures = metrics.Sum(MetricCatalog.FuseFailures.Name),
        Inodes = (long)metrics.Sum(MetricCatalog.FuseInodes.Name),
        OpenRequests = (long)metrics.Sum(MetricCatalog.FuseOpenRequests.Name),
    };

    private static Dictionary<string, OperationReading> OperationsOf(MetricText metrics)
    {
        Dictionary<string, OperationReading> operations = new(StringComparer.Ordinal);
        foreach (MetricLine line in metrics.Of(MetricCatalog.FuseRequests.Name))
        {
            if (line.Labels.TryGetValue("operation", out string? name))
            {
                operations[name] = new OperationReading(line.Value, metrics.Sum(MetricCatalog.FuseErrors.Name, "operation", name), BucketsOf(metrics, name));
            }
        }

        return operations;
    }

    private static List<(double Bound, double Count)> BucketsOf(MetricText metrics, string operation)
        => [.. metrics.Of(MetricCatalog.FuseSeconds.Name + "_bucket")
            .Where(line => line.Labels.TryGetValue("operation", out string? name) && string.Equals(name, operation, StringComparison.Ordinal) && line.Labels.ContainsKey("le"))
            .Select(line => (Bound: BoundOf(line.Labels["le"]), Count: line.Value))
            .OrderBy(bucket => bucket.Bound)];

    private static double BoundOf(string text)
        => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double bound) ? bound : double.PositiveInfinity;
}
