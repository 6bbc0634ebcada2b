namespace Forebay.Cli.Top;

/// <summary>One operation between two readings.</summary>
/// <param name="Operation">Its name in the kernel's protocol, in lower case.</param>
/// <param name="PerSecond">Requests a second.</param>
/// <param name="ErrorsPerSecond">Answers a second that were an errno; "does not exist" is one.</param>
/// <param name="P50Seconds">Half of the requests were answered within this time; null when there was none.</param>
/// <param name="P99Seconds">So were 99 of 100.</param>
internal sealed record OperationRates(string Operation, double PerSecond, double ErrorsPerSecond, double? P50Seconds, double? P99Seconds);

/// <summary>A mount between two readings; names are those of the JSON and stable.</summary>
internal sealed record MountRates
{
    /// <summary>Time between the readings.</summary>
    public required double Seconds { get; init; }

    public required double OperationsPerSecond { get; init; }

    public required double? P50Seconds { get; init; }

    public required double? P99Seconds { get; init; }

    /// <summary>Busiest first.</summary>
    public required IReadOnlyList<OperationRates> Operations { get; init; }

    /// <summary>Opens a second that the kernel reads itself, from the cache file.</summary>
    public required double PassthroughOpensPerSecond { get; init; }

    /// <summary>Opens a second that are read through the worker.</summary>
    public required double WorkerOpensPerSecond { get; init; }

    /// <summary>Share of the former, 0..1; null when nothing was opened.</summary>
    public required double? PassthroughShare { get; init; }

    /// <summary>Bytes a second read through the worker.</summary>
    public required double ReadBytesPerSecond { get; init; }

    /// <summary>Of them those that lay in the cache.</summary>
    public required double CacheBytesPerSecond { get; init; }

    /// <summary>Bytes a second that came from the under-store, those read ahead included.</summary>
    public required double UnderStoreBytesPerSecond { get; init; }

    /// <summary>Of the bytes fetched for readers since the worker began the share that was read, 0..1; null when none was.</summary>
    public required double? ReadAheadEfficiency { get; init; }

    /// <summary>Of the files prefetched since the worker began the share that was opened, 0..1; null when none was.</summary>
    public required double? PrefetchEfficiency { get; init; }

    /// <summary>Requests a second that failed with EIO, EAGAIN or EACCES.</summary>
    public required double FailuresPerSecond { get; init; }

    public required long Inodes { get; init; }

    /// <summary>Requests of the kernel worked on at the second reading.</summary>
    public required long OpenRequests { get; init; }

    /// <summary>Compares two readings. When another worker answered the second one, all that it counted happened in between.</summary>
    /// <param name="before">The first reading.</param>
    /// <param name="after">The second one, taken later.</param>
    /// <param name="time">The clock of both.</param>
    public static MountRates Between(MountReading before, MountReading after, TimeProvider time)
    {
        double seconds = Math.Max(time.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds, 1e-3);

        // Counters only grow while a worker lives.
        MountReading? first = Same(before.WorkerStarted, after.WorkerStarted) ? before : null;
        List<OperationRates> operations = [];
        List<(double Bound, double Count)>? all = null;
        foreach ((string name, OperationReading now) in after.Operations)
        {
            OperationReading then = first?.Operations.GetValueOrDefault(name) ?? OperationReading.None;
            List<(double Bound, double Count)> buckets = Less(now.Buckets, then.Buckets);
            all = all is null ? buckets : Plus(all, buckets);
            if (now.Count > then.Count)
            {
                operations.Add(new OperationRates(name, (now.Count - then.Count) / seconds, Math.Max(0, now.Errors - then.Errors) / seconds, Quantile(buckets, 0.5), Quantile(buckets, 0.99)));
            }
        }

        double passthrough = Grown(first, after, reading => reading.PassthroughOpens);
        double worker = Grown(first, after, reading => reading.WorkerOpens);
        double fetchedForReaders = after.UnderStoreBytes - after.PrefetchedBytes;
        return new MountRates
        {
            Seconds = seconds,
            OperationsPerSecond = operations.Sum(operation => operation.PerSecond),
            P50Seconds = Quantile(all ?? [], 0.5),
            P99Seconds = Quantile(all ?? [], 0.99),
            Operations = [.. operations.OrderByDescending(operation => operation.PerSecond).ThenBy(operation => operation.Operation, StringComparer.Ordinal)],
            PassthroughOpensPerSecond = passthrough / seconds,
            WorkerOpensPerSecond = worker / seconds,
            PassthroughShare = Share(passthrough, passthrough + worker),
            ReadBytesPerSecond = Grown(first, after, reading => reading.ReadBytes) / seconds,
            CacheBytesPerSecond = Grown(first, after, reading => reading.CacheBytes) / seconds,
            UnderStoreBytesPerSecond = Grown(first, after, reading => reading.UnderStoreBytes) / seconds,
            ReadAheadEfficiency = Share(after.MissBytes, fetchedForReaders),
            PrefetchEfficiency = Share(after.PrefetchedFilesUsed, after.PrefetchedFiles),
            FailuresPerSecond = Grown(first, after, reading => reading.Failures) / seconds,
            Inodes = after.Inodes,
            OpenRequests = after.OpenRequests,
        };
    }

    /// <summary>The value that a share of the observations does not exceed, between the bounds of its bucket by their number; null when there are none.</summary>
    /// <param name="buckets">Upper bound and observations up to it, growing.</param>
    /// <param name="share">0..1.</param>
    internal static double? Quantile(IReadOnlyList<(double Bound, double Count)> buckets, double share)
    {
        if (buckets.Count == 0 || buckets[^1].Count <= 0)
        {
            return null;
        }

        double rank = share * buckets[^1].Count;
        double bound = 0;
        double below = 0;
        foreach ((double upper, double count) in buckets)
        {
            if (count >= rank && count > below)
            {
                // Nothing is known of the last bucket but where it begins.
                return double.IsInfinity(upper) ? bound : bound + ((upper - bound) * (rank - below) / (count - below));
            }

            (bound, below) = (upper, count);
        }

        return bound;
    }

    private static bool Same(double a, double b) => Math.Abs(a - b) < 1e-3;

    private static double Grown(MountReading? before, MountReading after, Func<MountReading, double> counter)
        => Math.Max(0, counter(after) - (before is null ? 0 : counter(before)));

    private static double? Share(double part, double whole) => whole > 0 ? Math.Clamp(part / whole, 0, 1) : null;

    private static List<(double Bound, double Count)> Less(IReadOnlyList<(double Bound, double Count)> now, IReadOnlyList<(double Bound, double Count)> then)
        => [.. now.Select((bucket, i) => (bucket.Bound, Math.Max(0, bucket.Count - (i < then.Count ? then[i].Count : 0))))];

    private static List<(double Bound, double Count)> Plus(List<(double Bound, double Count)> a, List<(double Bound, double Count)> b)
        => a.Count != b.Count ? a : [.. a.Select((bucket, i) => (bucket.Bound, bucket.Count + b[i].Count))];
}
