using Forebay.Engine.Status;

namespace Forebay.Admin.Metrics;

/// <summary>Samples of what <see cref="NodeStatus"/> tells.</summary>
internal static class NodeMetricSource
{
    public static void Collect(NodeStatus status, TimeProvider time, MetricSink sink)
    {
        sink.Add(MetricCatalog.BuildInfo, 1, status.Version);
        sink.Add(MetricCatalog.StartTime, status.StartedAt.ToUnixTimeMilliseconds() / 1000.0);
        sink.Add(MetricCatalog.Uptime, Math.Max(0, (time.GetUtcNow() - status.StartedAt).TotalSeconds));
        sink.Add(MetricCatalog.Resident, status.ResidentBytes);
        sink.Add(MetricCatalog.MemoryLimit, status.MemoryLimitBytes);
        sink.Add(MetricCatalog.ManagedHeap, GC.GetTotalMemory(forceFullCollection: false));
        if (OperatingSystem.IsLinux())
        {
            sink.Add(MetricCatalog.CpuSeconds, Environment.CpuUsage.TotalTime.TotalSeconds);
        }

        sink.Add(MetricCatalog.MetadataHealthy, status.MetadataFault is null ? 1 : 0);
        foreach (MountPointStatus mount in status.MountPoints)
        {
            Collect(mount, sink);
        }

        foreach (TierStatus tier in status.Tiers)
        {
            Collect(tier, sink);
        }
    }

    private static void Collect(MountPointStatus mount, MetricSink sink)
    {
        sink.Add(MetricCatalog.UnderStoreBytes, mount.UnderStoreBytesRead, mount.Name);
        sink.Add(MetricCatalog.UnderStoreRequests, mount.UnderStoreRequests, mount.Name);
        sink.Add(MetricCatalog.UnderStoreErrors, mount.UnderStoreErrors, mount.Name);
        sink.Add(MetricCatalog.HitBytes, mount.HitBytes, mount.Name);
        sink.Add(MetricCatalog.MissBytes, mount.MissBytes, mount.Name);
        sink.Add(MetricCatalog.CachedBytes, mount.CachedBytes, mount.Name);
        if (mount.TotalBytes is { } total)
        {
            sink.Add(MetricCatalog.TotalBytes, total, mount.Name);
        }

        sink.Add(MetricCatalog.MetadataHits, mount.MetadataHits, mount.Name);
        sink.Add(MetricCatalog.MetadataMisses, mount.MetadataMisses, mount.Name);
        sink.Add(MetricCatalog.CachedStats, mount.CachedStats, mount.Name);
        sink.Add(MetricCatalog.ListingBytes, mount.ListingBytes, mount.Name);
    }

    private static void Collect(TierStatus tier, MetricSink sink)
    {
        sink.Add(MetricCatalog.TierQuota, tier.QuotaBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierUsed, tier.UsedBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierObjects, tier.Objects, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierMaxObjects, tier.MaxObjects, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierEvicted, tier.EvictedBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierPromoted, tier.PromotedBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierDemoted, tier.DemotedBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierCorrupt, tier.CorruptPages, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierErrors, tier.IoErrors, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierBypassed, tier.BypassedBytes, tier.Directory, tier.Medium);
        sink.Add(MetricCatalog.TierHealthy, string.Equals(tier.State, "ok", StringComparison.Ordinal) ? 1 : 0, tier.Directory, tier.Medium);
    }
}
