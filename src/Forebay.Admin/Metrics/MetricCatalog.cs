using System.Collections.Frozen;
using System.Text;

namespace Forebay.Admin.Metrics;

/// <summary>Every metric that <c>/metrics</c> can show; docs/METRICS.md is written from it.</summary>
public static class MetricCatalog
{
    private static readonly string[] None = [];
    private static readonly string[] Mount = ["mount"];
    private static readonly string[] Operation = ["mount", "operation"];
    private static readonly string[] ReadKind = ["mount", "kind"];
    private static readonly string[] OpenMode = ["mount", "mode"];
    private static readonly string[] Tier = ["tier", "medium"];

    /// <summary>Always 1; carries the version.</summary>
    public static readonly MetricDefinition BuildInfo = Gauge("forebay_build_info", "1", "Always 1; the label says which version runs.", ["version"]);

    /// <summary>Start of the process.</summary>
    public static readonly MetricDefinition StartTime = Gauge("forebay_start_time_seconds", "seconds", "When the node started, in seconds since 1970.", None);

    /// <summary>Uptime.</summary>
    public static readonly MetricDefinition Uptime = Gauge("forebay_uptime_seconds", "seconds", "Seconds since the node started.", None);

    /// <summary>Resident memory.</summary>
    public static readonly MetricDefinition Resident = Gauge("forebay_resident_memory_bytes", "bytes", "Resident memory of the process without MEM tiers.", None);

    /// <summary>Memory limit.</summary>
    public static readonly MetricDefinition MemoryLimit = Gauge("forebay_memory_limit_bytes", "bytes", "Configured bound of resident memory.", None);

    /// <summary>Managed heap.</summary>
    public static readonly MetricDefinition ManagedHeap = Gauge("forebay_managed_heap_bytes", "bytes", "Bytes on the managed heap.", None, MetricStability.Experimental);

    /// <summary>CPU time.</summary>
    public static readonly MetricDefinition CpuSeconds = Counter("forebay_cpu_seconds_total", "seconds", "CPU time of the process, user and system.", None);

    /// <summary>Under-store bytes.</summary>
    public static readonly MetricDefinition UnderStoreBytes = Counter("forebay_understore_read_bytes_total", "bytes", "Bytes read from the under-store.", Mount);

    /// <summary>Under-store requests.</summary>
    public static readonly MetricDefinition UnderStoreRequests = Counter("forebay_understore_requests_total", "requests", "Requests sent to the under-store, retries counted one by one.", Mount);

    /// <summary>Under-store errors.</summary>
    public static readonly MetricDefinition UnderStoreErrors = Counter("forebay_understore_errors_total", "requests", "Requests to the under-store that failed.", Mount);

    /// <summary>Hits.</summary>
    public static readonly MetricDefinition HitBytes = Counter("forebay_cache_hit_bytes_total", "bytes", "Bytes served from cache.", Mount);

    /// <summary>Misses.</summary>
    public static readonly MetricDefinition MissBytes = Counter("forebay_cache_miss_bytes_total", "bytes", "Bytes served that had to be fetched first.", Mount);

    /// <summary>Cached bytes of a mount point.</summary>
    public static readonly MetricDefinition CachedBytes = Gauge("forebay_mount_cached_bytes", "bytes", "Bytes of the mount point in all tiers.", Mount);

    /// <summary>Total bytes of a mount point.</summary>
    public static readonly MetricDefinition TotalBytes = Gauge("forebay_mount_total_bytes", "bytes", "Bytes of all objects at the last complete listing; absent until there was one.", Mount);

    /// <summary>Metadata hits.</summary>
    public static readonly MetricDefinition MetadataHits = Counter("forebay_metadata_hits_total", "requests", "Stats answered from cache.", Mount);

    /// <summary>Metadata misses.</summary>
    public static readonly MetricDefinition MetadataMisses = Counter("forebay_metadata_misses_total", "requests", "Stats that asked the under-store.", Mount);

    /// <summary>Cached stats.</summary>
    public static readonly MetricDefinition CachedStats = Gauge("forebay_metadata_cached_stats", "keys", "Keys whose stat is cached.", Mount);

    /// <summary>Bytes of listings.</summary>
    public static readonly MetricDefinition ListingBytes = Gauge("forebay_metadata_listing_bytes", "bytes", "Bytes of cached listings.", Mount);

    /// <summary>State of the metadata that is kept for a restart.</summary>
    public static readonly MetricDefinition MetadataHealthy = Gauge("forebay_metadata_healthy", "0 or 1", "1 while stats are kept for a restart, or need not be; else metadataFault in status says why not.", None);

    /// <summary>Quota of a tier.</summary>
    public static readonly MetricDefinition TierQuota = Gauge("forebay_tier_quota_bytes", "bytes", "Bound of the tier directory.", Tier);

    /// <summary>Use of a tier.</summary>
    public static readonly MetricDefinition TierUsed = Gauge("forebay_tier_used_bytes", "bytes", "Bytes used on the disk, held but unlinked files included.", Tier);

    /// <summary>Objects of a tier.</summary>
    public static readonly MetricDefinition TierObjects = Gauge("forebay_tier_objects", "objects", "Objects with at least one cached page.", Tier);

    /// <summary>Bound of the objects of a tier.</summary>
    public static readonly MetricDefinition TierMaxObjects = Gauge("forebay_tier_max_objects", "objects", "Most objects that the tier remembers, a share of the memory limit.", Tier);

    /// <summary>Evicted bytes.</summary>
    public static readonly MetricDefinition TierEvicted = Counter("forebay_tier_evicted_bytes_total", "bytes", "Bytes evicted for room.", Tier);

    /// <summary>Promoted bytes.</summary>
    public static readonly MetricDefinition TierPromoted = Counter("forebay_tier_promoted_bytes_total", "bytes", "Bytes copied into the tier from a slower one.", Tier);

    /// <summary>Demoted bytes.</summary>
    public static readonly MetricDefinition TierDemoted = Counter("forebay_tier_demoted_bytes_total", "bytes", "Bytes moved from the tier to a slower one for room.", Tier);

    /// <summary>Corrupt pages.</summary>
    public static readonly MetricDefinition TierCorrupt = Counter("forebay_tier_corrupt_pages_total", "pages", "Pages that failed their checksum and were dropped.", Tier);

    /// <summary>I/O errors.</summary>
    public static readonly MetricDefinition TierErrors = Counter("forebay_tier_io_errors_total", "errors", "Failed writes or reads of the directory.", Tier);

    /// <summary>Bypassed bytes.</summary>
    public static readonly MetricDefinition TierBypassed = Counter("forebay_tier_bypassed_bytes_total", "bytes", "Bytes that could not be stored and were served through.", Tier);

    /// <summary>State of a tier.</summary>
    public static readonly MetricDefinition TierHealthy = Gauge("forebay_tier_healthy", "0 or 1", "1 while the tier's state is ok.", Tier);

    /// <summary>S3 requests.</summary>
    public static readonly MetricDefinition S3Requests = Counter("forebay_s3_requests_total", "requests", "Requests answered by the S3 endpoint, by operation and first digit of the status.", ["operation", "status"]);

    /// <summary>S3 bytes.</summary>
    public static readonly MetricDefinition S3SentBytes = Counter("forebay_s3_sent_bytes_total", "bytes", "Body bytes sent by the S3 endpoint.", None);

    /// <summary>S3 sendfile bytes.</summary>
    public static readonly MetricDefinition S3SendfileBytes = Counter("forebay_s3_sendfile_bytes_total", "bytes", "Body bytes that left by sendfile.", None, MetricStability.Experimental);

    /// <summary>S3 connections.</summary>
    public static readonly MetricDefinition S3Connections = Gauge("forebay_s3_connections", "connections", "Open client connections.", None);

    /// <summary>S3 active requests.</summary>
    public static readonly MetricDefinition S3ActiveRequests = Gauge("forebay_s3_active_requests", "requests", "Requests worked on now.", None);

    /// <summary>S3 queued requests.</summary>
    public static readonly MetricDefinition S3QueuedRequests = Gauge("forebay_s3_queued_requests", "requests", "Requests that wait for their turn.", None);

    /// <summary>S3 refused requests.</summary>
    public static readonly MetricDefinition S3RefusedRequests = Counter("forebay_s3_refused_requests_total", "requests", "Requests refused with SlowDown because the queue was full.", None);

    /// <summary>S3 refused signatures.</summary>
    public static readonly MetricDefinition S3AuthenticationFailures = Counter("forebay_s3_authentication_failures_total", "requests", "Requests refused for their credentials or signature.", None);

    /// <summary>Lent files.</summary>
    public static readonly MetricDefinition LentFiles = Gauge("forebay_lent_files", "files", "Cache files that mounts of this machine have borrowed; each counts once.", None);

    /// <summary>Lent bytes.</summary>
    public static readonly MetricDefinition LentBytes = Gauge("forebay_lent_bytes", "bytes", "Their bytes.", None);

    /// <summary>Borrowers.</summary>
    public static readonly MetricDefinition Borrowers = Gauge("forebay_borrowers", "mounts", "Mounts of this machine that are connected to borrow.", None);

    /// <summary>Requests of the kernel of a mount.</summary>
    public static readonly MetricDefinition FuseRequests = Counter("forebay_fuse_requests_total", "requests", "Requests of the kernel that a mount answered, by operation.", Operation);

    /// <summary>Errors told to the kernel of a mount.</summary>
    public static readonly MetricDefinition FuseErrors = Counter("forebay_fuse_errors_total", "requests", "Requests of the kernel answered with an errno; \"does not exist\" is one.", Operation);

    /// <summary>Latency of a mount.</summary>
    public static readonly MetricDefinition FuseSeconds = Histogram("forebay_fuse_request_seconds", "seconds", "Time from the read of a request to its answer; what the kernel does itself (passthrough, its caches) is not in it.", Operation);

    /// <summary>Requests worked on of a mount.</summary>
    public static readonly MetricDefinition FuseOpenRequests = Gauge("forebay_fuse_open_requests", "requests", "Requests of the kernel worked on now.", Mount);

    /// <summary>Bytes read of a mount.</summary>
    public static readonly MetricDefinition FuseReadBytes = Counter("forebay_fuse_read_bytes_total", "bytes", "Bytes of files read through the worker; reads by passthrough do not pass it.", Mount);

    /// <summary>Reads of a mount.</summary>
    public static readonly MetricDefinition FuseReads = Counter("forebay_fuse_reads_total", "reads", "Reads through the worker: `hot` at once from a verified cache file, `cold` waited for bytes.", ReadKind);

    /// <summary>Opens of a mount.</summary>
    public static readonly MetricDefinition FuseOpens = Counter("forebay_fuse_opens_total", "opens", "Opened files: `passthrough` is read by the kernel itself from the cache file, `worker` through the worker. Opens of a mount with `small_files` are not told to anybody.", OpenMode);

    /// <summary>Stale opens of a mount.</summary>
    public static readonly MetricDefinition FuseStaleOpens = Counter("forebay_fuse_stale_opens_total", "opens", "Opens of a version that was not the current one any more; the kernel looks the name up again.", Mount);

    /// <summary>Passthrough of a mount.</summary>
    public static readonly MetricDefinition FusePassthrough = Gauge("forebay_fuse_passthrough", "0 or 1", "1 while the kernel takes whole cached files to read itself.", Mount);

    /// <summary>Inodes of a mount.</summary>
    public static readonly MetricDefinition FuseInodes = Gauge("forebay_fuse_inodes", "inodes", "Files and directories that the kernel may ask for.", Mount);

    /// <summary>Most inodes of a mount.</summary>
    public static readonly MetricDefinition FuseInodeLimit = Gauge("forebay_fuse_inodes_limit", "inodes", "Most of them (`max_inodes`).", Mount);

    /// <summary>Inode memory of a mount.</summary>
    public static readonly MetricDefinition FuseInodeBytes = Gauge("forebay_fuse_inode_bytes", "bytes", "Memory of the inode table, which holder and worker share.", Mount);

    /// <summary>Handles of a mount.</summary>
    public static readonly MetricDefinition FuseHandles = Gauge("forebay_fuse_handles", "handles", "Open files and directories.", Mount);

    /// <summary>Backings of a mount.</summary>
    public static readonly MetricDefinition FuseBackings = Gauge("forebay_fuse_backings", "files", "Cache files that the kernel holds to read itself, those kept ready included.", Mount);

    /// <summary>Prefetched files of a mount.</summary>
    public static readonly MetricDefinition FusePrefetchedFiles = Counter("forebay_fuse_prefetched_files_total", "files", "Small files fetched because others of their directory were read.", Mount);

    /// <summary>Prefetched files of a mount that were wanted.</summary>
    public static readonly MetricDefinition FusePrefetchedFilesUsed = Counter("forebay_fuse_prefetched_files_used_total", "files", "Of the prefetched files those that were opened afterwards; each counts once.", Mount);

    /// <summary>Prefetched bytes of a mount.</summary>
    public static readonly MetricDefinition FusePrefetchedBytes = Counter("forebay_fuse_prefetched_bytes_total", "bytes", "Bytes of these files.", Mount);

    /// <summary>Unshowable keys of a mount.</summary>
    public static readonly MetricDefinition FuseUnshowableKeys = Counter("forebay_fuse_unshowable_keys_total", "keys", "Keys met in listings that are no path; a key counts each time.", Mount);

    /// <summary>Hidden objects of a mount.</summary>
    public static readonly MetricDefinition FuseHiddenObjects = Counter("forebay_fuse_hidden_objects_total", "objects", "Objects met in listings that a directory of the same name hides; likewise.", Mount);

    /// <summary>Failures of a mount.</summary>
    public static readonly MetricDefinition FuseFailures = Counter("forebay_fuse_failures_total", "requests", "Requests that failed with EIO, EAGAIN or EACCES; the log says why.", Mount);

    /// <summary>All metrics in the order of the documentation.</summary>
    public static IReadOnlyList<MetricDefinition> All { get; } =
    [
        BuildInfo, StartTime, Uptime, Resident, MemoryLimit, ManagedHeap, CpuSeconds, MetadataHealthy,
        UnderStoreBytes, UnderStoreRequests, UnderStoreErrors, HitBytes, MissBytes, CachedBytes, TotalBytes,
        MetadataHits, MetadataMisses, CachedStats, ListingBytes,
        TierQuota, TierUsed, TierObjects, TierMaxObjects, TierEvicted, TierPromoted, TierDemoted, TierCorrupt, TierErrors, TierBypassed, TierHealthy,
        S3Requests, S3SentBytes, S3SendfileBytes, S3Connections, S3ActiveRequests, S3QueuedRequests, S3RefusedRequests, S3AuthenticationFailures,
        LentFiles, LentBytes, Borrowers,
        FuseRequests, FuseErrors, FuseSeconds, FuseOpenRequests, FuseReadBytes, FuseReads, FuseOpens, FuseStaleOpens, FusePassthrough,
        FuseInodes, FuseInodeLimit, FuseInodeBytes, FuseHandles, FuseBackings, FusePrefetchedFiles, FusePrefetchedFilesUsed, FusePrefetchedBytes, FuseUnshowableKeys, FuseHiddenObjects, FuseFailures,
    ];

    private static readonly FrozenSet<MetricDefinition> Known = All.ToFrozenSet();

    /// <summary>True for a metric of this catalogue.</summary>
    public static bool Contains(MetricDefinition metric) => Known.Contains(metric);

    /// <summary>The catalogue as docs/METRICS.md.</summary>
    public static string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append("# Metrics\n\n");
        text.Append("`GET /metrics` on the admin address, Prometheus text format. Counters are since process start. Label values are bounded:\n");
        text.Append("mount points, tier directories, operations; never keys. *Stable* names, units and labels stay within a major version.\n\n");
        text.Append("The worker of a mount answers the same on its control socket (`curl --unix-socket RUNTIME-DIRECTORY/ID.control http://localhost/metrics`; [MOUNT.md](MOUNT.md), Processes),\n");
        text.Append("with the `forebay_fuse_` metrics; its counters begin anew with each worker.\n\n");
        text.Append("This file is written from `MetricCatalog`; a test keeps them equal.\n\n");
        text.Append("| name | type | unit | labels | stability | meaning |\n|---|---|---|---|---|---|\n");
        foreach (MetricDefinition metric in All)
        {
            string labels = metric.Labels.Count == 0 ? "" : $"`{string.Join("`, `", metric.Labels)}`";
            string type = PrometheusText.WordOf(metric.Type);
            string stability = metric.Stability == MetricStability.Stable ? "stable" : "experimental";
            text.Append($"| `{metric.Name}` | {type} | {metric.Unit} | {labels} | {stability} | {metric.Help} |\n");
        }

        return text.ToString();
    }

    private static MetricDefinition Counter(
        string name, string unit, string help, string[] labels, MetricStability stability = MetricStability.Stable)
        => new(name, MetricType.Counter, unit, help, labels, stability);

    private static MetricDefinition Gauge(
        string name, string unit, string help, string[] labels, MetricStability stability = MetricStability.Stable)
        => new(name, MetricType.Gauge, unit, help, labels, stability);

    private static MetricDefinition Histogram(
        string name, string unit, string help, string[] labels, MetricStability stability = MetricStability.Stable)
        => new(name, MetricType.Histogram, unit, help, labels, stability);
}
