namespace Forebay.Engine.Status;

/// <summary>What a node tells about itself: the one source of <c>forebay status</c>, the admin API, the page and <c>/metrics</c>. Counters are since process start.</summary>
public sealed record NodeStatus
{
    /// <summary>Product version.</summary>
    public required string Version { get; init; }

    /// <summary>When the process started serving.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Resident memory of the process in bytes, MEM-tier bytes not included.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>Configured bound of resident memory in bytes.</summary>
    public required long MemoryLimitBytes { get; init; }

    /// <summary>Mount points in order of their names.</summary>
    public required IReadOnlyList<MountPointStatus> MountPoints { get; init; }

    /// <summary>Tier directories, fastest first.</summary>
    public required IReadOnlyList<TierStatus> Tiers { get; init; }

    /// <summary>Why stats are not kept for a restart at the moment; null when they are, and where nothing is to be kept.</summary>
    public string? MetadataFault { get; init; }
}

/// <summary>Figures of one mount point.</summary>
public sealed record MountPointStatus
{
    /// <summary>Name in the namespace.</summary>
    public required string Name { get; init; }

    /// <summary>Where it leads; no secret.</summary>
    public required string Source { get; init; }

    /// <summary>Bytes read from the under-store.</summary>
    public required long UnderStoreBytesRead { get; init; }

    /// <summary>Requests sent to the under-store.</summary>
    public required long UnderStoreRequests { get; init; }

    /// <summary>Requests to the under-store that failed, retries counted one by one.</summary>
    public required long UnderStoreErrors { get; init; }

    /// <summary>Bytes served from cache.</summary>
    public required long HitBytes { get; init; }

    /// <summary>Bytes served that had to be fetched first.</summary>
    public required long MissBytes { get; init; }

    /// <summary>Bytes of this mount point in all tiers.</summary>
    public required long CachedBytes { get; init; }

    /// <summary>Bytes of all objects the last complete listing saw; null when never listed whole.</summary>
    public required long? TotalBytes { get; init; }

    /// <summary>Stats answered from cache.</summary>
    public required long MetadataHits { get; init; }

    /// <summary>Stats that asked the under-store.</summary>
    public required long MetadataMisses { get; init; }

    /// <summary>Keys whose stat is cached now.</summary>
    public required long CachedStats { get; init; }

    /// <summary>Bytes of cached listings.</summary>
    public required long ListingBytes { get; init; }

    /// <summary>Last error of the under-store, with its time; null when none.</summary>
    public string? LastError { get; init; }
}

/// <summary>Figures of one tier directory.</summary>
public sealed record TierStatus
{
    /// <summary>Path of the directory.</summary>
    public required string Directory { get; init; }

    /// <summary>MEM, SSD or HDD.</summary>
    public required string Medium { get; init; }

    /// <summary>Bound in bytes.</summary>
    public required long QuotaBytes { get; init; }

    /// <summary>Bytes used on the disk, held but unlinked files included.</summary>
    public required long UsedBytes { get; init; }

    /// <summary>Objects with at least one cached page.</summary>
    public required long Objects { get; init; }

    /// <summary>Most objects remembered, a share of the memory limit.</summary>
    public required long MaxObjects { get; init; }

    /// <summary>Bytes evicted for room.</summary>
    public required long EvictedBytes { get; init; }

    /// <summary>Bytes copied into this tier from a slower one, because they were used again there.</summary>
    public required long PromotedBytes { get; init; }

    /// <summary>Bytes moved from this tier to a slower one for room; not evicted.</summary>
    public required long DemotedBytes { get; init; }

    /// <summary>Pages that failed their checksum and were dropped.</summary>
    public required long CorruptPages { get; init; }

    /// <summary>Failed writes or reads of the directory.</summary>
    public required long IoErrors { get; init; }

    /// <summary>Bytes that could not be stored and were served through.</summary>
    public required long BypassedBytes { get; init; }

    /// <summary><c>ok</c>, or what is wrong in one sentence.</summary>
    public required string State { get; init; }
}
