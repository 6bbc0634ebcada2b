using Forebay.Admin.Metrics;
using Forebay.FileSystem;
using Forebay.Fuse;

namespace Forebay.Cli.Mounting;

/// <summary>What a mount's worker tells of its session with the kernel and its file system, for <c>/metrics</c> on the control socket.</summary>
/// <param name="mount">Name of the mount point.</param>
/// <param name="statistics">Of the session.</param>
/// <param name="openRequests">Requests worked on now.</param>
/// <param name="status">Of the file system.</param>
internal sealed class MountMetricSource(string mount, FuseStatistics statistics, Func<int> openRequests, Func<FileSystemStatus> status) : IMetricSource
{
    private const double SecondsPerMicrosecond = 1e-6;

    /// <summary>Bucket i of the session's histogram ends at 2^i µs; the last has no end.</summary>
    private static readonly double[] Bounds = [.. Enumerable.Range(0, FuseStatistics.BucketCount - 1).Select(i => (1L << i) * SecondsPerMicrosecond)];

    /// <summary>Each operation with its name; those that are not known share one row.</summary>
    private static readonly (FuseOpcode Opcode, string Name)[] Operations =
        [.. Enum.GetValues<FuseOpcode>().Distinct().Select(opcode => (opcode, opcode == FuseOpcode.None ? "unknown" : opcode.ToString().ToLowerInvariant()))];

    /// <inheritdoc/>
    public void Collect(MetricSink sink)
    {
        foreach ((FuseOpcode opcode, string name) in Operations)
        {
            FuseOperationStatistics operation = statistics[opcode];
            if (operation.Count == 0)
            {
                continue;
            }

            sink.Add(MetricCatalog.FuseRequests, operation.Count, mount, name);
            sink.Add(MetricCatalog.FuseErrors, operation.Errors, mount, name);
            sink.Add(MetricCatalog.FuseSeconds, new MetricHistogram(Bounds, operation.Buckets, operation.Elapsed.TotalSeconds), mount, name);
        }

        sink.Add(MetricCatalog.FuseOpenRequests, openRequests(), mount);
        Collect(status(), sink);
    }

    private void Collect(FileSystemStatus files, MetricSink sink)
    {
        sink.Add(MetricCatalog.FuseReadBytes, files.ReadBytes, mount);
        sink.Add(MetricCatalog.FuseReads, files.HotReads, mount, "hot");
        sink.Add(MetricCatalog.FuseReads, files.ColdReads, mount, "cold");
        sink.Add(MetricCatalog.FuseOpens, files.PassthroughOpens, mount, "passthrough");
        sink.Add(MetricCatalog.FuseOpens, files.CachedOpens, mount, "worker");
        sink.Add(MetricCatalog.FuseStaleOpens, files.StaleOpens, mount);
        sink.Add(MetricCatalog.FusePassthrough, files.Passthrough ? 1 : 0, mount);
        sink.Add(MetricCatalog.FuseInodes, files.Inodes, mount);
        sink.Add(MetricCatalog.FuseInodeLimit, files.MaxInodes, mount);
        sink.Add(MetricCatalog.FuseInodeBytes, files.InodeBytes, mount);
        sink.Add(MetricCatalog.FuseHandles, files.Handles, mount);
        sink.Add(MetricCatalog.FuseBackings, files.Backings, mount);
        sink.Add(MetricCatalog.FusePrefetchedFiles, files.PrefetchedFiles, mount);
        sink.Add(MetricCatalog.FusePrefetchedFilesUsed, files.PrefetchedFilesUsed, mount);
        sink.Add(MetricCatalog.FusePrefetchedBytes, files.PrefetchedBytes, mount);
        sink.Add(MetricCatalog.FuseUnshowableKeys, files.UnshowableKeys, mount);
        sink.Add(MetricCatalog.FuseHiddenObjects, files.HiddenObjects, mount);
        sink.Add(MetricCatalog.FuseFailures, files.Failures, mount);
    }
}
