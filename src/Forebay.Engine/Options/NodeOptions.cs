using Forebay.Caching;

namespace Forebay.Engine.Options;

/// <summary>Everything the engine of a node is told at start. Defaults live here and in docs/CONFIGURATION.md, nowhere else.</summary>
public sealed record NodeOptions
{
    /// <summary>Mount points, at least one; names are unique.</summary>
    public required IReadOnlyList<MountPointOptions> MountPoints { get; init; }

    /// <summary>Cache directories; empty means: serve through without caching.</summary>
    public IReadOnlyList<TierOptions> Tiers { get; init; } = [];

    /// <summary>How bytes are fetched from under-stores.</summary>
    public FillOptions Fill { get; init; } = new();

    /// <summary>Rates and concurrency.</summary>
    public LimitOptions Limits { get; init; } = new();

    /// <summary>Bound of the process's resident memory in bytes (MEM-tier bytes are counted beside it), ≥ 128 MiB.</summary>
    public long MemoryLimitBytes { get; init; } = 1L << 30;
}

/// <summary>One mount point.</summary>
public sealed record MountPointOptions
{
    /// <summary>3–63 characters of <c>a-z 0-9 . -</c>, as for a bucket.</summary>
    public required string Name { get; init; }

    /// <summary>Where it leads, for people; holds no secret.</summary>
    public required string Source { get; init; }

    /// <summary>Prefix in the under-store that is put before every key; empty or ends with <c>/</c>.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>
    /// Names the rights it reads with (an access key id, a profile; no secret): stats that were kept on disk under other rights are not used.
    /// </summary>
    public string AccessIdentity { get; init; } = "";

    /// <summary>How long a stat or listing is believed without asking again; 0 asks every time.</summary>
    public TimeSpan MetadataTtl { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long "does not exist" is believed; 0 asks every time.</summary>
    public TimeSpan NegativeTtl { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Objects below this mount point are never overwritten: what was stat'ed once is believed until <c>refresh</c>.</summary>
    public bool Immutable { get; init; }

    /// <summary>Serve cached bytes by expired metadata while the under-store cannot be reached.</summary>
    public bool ServeStaleOnError { get; init; } = true;

    /// <summary>Most cached bytes of this mount point, all tiers together; null for no own bound.</summary>
    public long? QuotaBytes { get; init; }

    /// <summary>Cached bytes not used for this long are dropped; null for never.</summary>
    public TimeSpan? CacheTtl { get; init; }

    /// <summary>Most keys whose stat is kept, ≥ 1.</summary>
    public int MaxCachedStats { get; init; } = 200_000;

    /// <summary>Most bytes of kept listings, ≥ 1 MiB.</summary>
    public long MaxListingBytes { get; init; } = 256L << 20;

    /// <summary>Most bytes a second read from the under-store through this mount point; null for no bound.</summary>
    public long? UnderStoreBytesPerSecond { get; init; }

    /// <summary>Most requests a second to the under-store through this mount point; null for no bound.</summary>
    public int? UnderStoreRequestsPerSecond { get; init; }
}

/// <summary>How bytes are fetched from under-stores.</summary>
public sealed record FillOptions
{
    /// <summary>Most ranges fetched at the same time from one under-store, 1–1,024.</summary>
    public int MaxConcurrentRanges { get; init; } = 64;

    /// <summary>Most small objects brought in ahead of their readers at the same time, besides those ranges, 0–1,024; 0: they count among them.</summary>
    public int MaxAheadObjects { get; init; }

    /// <summary>Most ranges fetched at the same time for one reader, 1–256.</summary>
    public int MaxRangesPerReader { get; init; } = 32;

    /// <summary>Largest range in bytes, a multiple of the page size, ≤ 16 MiB.</summary>
    public int MaxRangeBytes { get; init; } = 8 << 20;

    /// <summary>Time to connect.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Time from sending a request to its first byte.</summary>
    public TimeSpan FirstByteTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Longest time without a byte while a body is streamed.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time for one range with all its retries; also bounds a stat or a listing page with its retries.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Most attempts for one range, stat or page, 1–10.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>First back-off; doubles with full jitter on each attempt.</summary>
    public TimeSpan RetryBaseDelay { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest back-off.</summary>
    public TimeSpan RetryMaxDelay { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Rates and concurrency of a node; null means no bound.</summary>
public sealed record LimitOptions
{
    /// <summary>Most bytes a second out of the node, all clients together.</summary>
    public long? EgressBytesPerSecond { get; init; }

    /// <summary>Most bytes a second on one client connection.</summary>
    public long? ConnectionBytesPerSecond { get; init; }

    /// <summary>Most bytes a second for one access key (a key's own setting goes before this).</summary>
    public long? AccessKeyBytesPerSecond { get; init; }

    /// <summary>Most client connections; more are refused.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>Most requests worked on at the same time.</summary>
    public int MaxConcurrentRequests { get; init; } = 1_024;

    /// <summary>Most requests that wait for their turn; beyond it 503 SlowDown.</summary>
    public int MaxQueuedRequests { get; init; } = 4_096;

    /// <summary>Most mounts of this machine that borrow cache files at the same time; 0 lends nothing.</summary>
    public int MaxBorrowers { get; init; } = 64;

    /// <summary>Most cache files lent to them at the same time. Their bytes are bounded by half of the quotas of all tiers.</summary>
    public int MaxLentFiles { get; init; } = 4_096;
}
