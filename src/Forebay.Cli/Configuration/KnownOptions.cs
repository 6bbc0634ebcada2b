using Forebay.Caching;
using Forebay.Engine.Options;

namespace Forebay.Cli.Configuration;

/// <summary>Every option of <c>forebay.yaml</c>: the one list that the binder, the environment and docs/CONFIGURATION.md share.</summary>
internal static class KnownOptions
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);
    private static readonly string[] PresetNames = [.. Preset.All.Select(preset => preset.Name)];

    /// <summary>Options that stand at the top of the file; groups are in <see cref="Groups"/>.</summary>
    public static OptionTable<TopConfiguration> Top { get; } = new OptionTable<TopConfiguration>("", new TopConfiguration())
        .Size("memory-limit", "Resident memory of the process; bytes of MEM tiers are counted beside it.", o => o.Engine.MemoryLimitBytes, (o, v) => o with { Engine = o.Engine with { MemoryLimitBytes = v } }, min: 128L << 20)
        .Word("preset", "Ready-made options for all mount points that name none of their own.", o => o.Preset, (o, v) => o with { Preset = v }, PresetNames);

    public static OptionTable<MountConfiguration> Mount { get; } = new OptionTable<MountConfiguration>("mounts.NAME", new MountConfiguration())
        .Text("source", "What is mounted.", o => o.Engine.Source, SetSource, bound: "URL", none: "required")
        .Word("preset", "Ready-made options below those that are given here: see Presets.", o => o.Preset, (o, v) => o with { Preset = v }, PresetNames, none: "that of the top of the file")
        .Text("endpoint", "Address of the S3 service.", o => o.Access.Endpoint, (o, v) => o with { Access = o.Access with { Endpoint = v } }, bound: "http(s) URL", none: "by the scheme")
        .Text("region", "Region that requests are signed for.", o => o.Access.Region, (o, v) => o with { Access = o.Access with { Region = v } }, none: "by the environment or the scheme")
        .Flag("path-style", "The bucket's name is in the path, not in the host name.", o => o.Access.PathStyle, (o, v) => o with { Access = o.Access with { PathStyle = v } }, none: "by the scheme")
        .Flag("anonymous", "Requests are not signed.", o => o.Access.Anonymous, (o, v) => o with { Access = o.Access with { Anonymous = v } })
        .Text("profile", "Profile of the AWS configuration files.", o => o.Access.Profile, (o, v) => o with { Access = o.Access with { Profile = v } }, none: "the AWS chain")
        .Text("access-key-id", "Static key pair of the source, first half.", o => o.Access.AccessKeyId, (o, v) => o with { Access = o.Access with { AccessKeyId = v } }, none: "the AWS chain")
        .Secret("secret-access-key", "Static key pair of the source, second half.", o => o.Access.SecretAccessKey, (o, v) => o with { Access = o.Access with { SecretAccessKey = v } })
        .Secret("session-token", "Token of temporary credentials.", o => o.Access.SessionToken, (o, v) => o with { Access = o.Access with { SessionToken = v } })
        .Time("metadata-ttl", "How long a stat or listing is believed without asking the source again; 0 asks every time.", o => o.Engine.MetadataTtl, (o, v) => o with { Engine = o.Engine with { MetadataTtl = v } }, TimeSpan.Zero, Year)
        .Time("negative-ttl", "How long \"does not exist\" is believed; 0 asks every time.", o => o.Engine.NegativeTtl, (o, v) => o with { Engine = o.Engine with { NegativeTtl = v } }, TimeSpan.Zero, Year)
        .Flag("immutable", "Objects are never overwritten: what was seen once is believed until `refresh`.", o => o.Engine.Immutable, (o, v) => o with { Engine = o.Engine with { Immutable = v } })
        .Flag("serve-stale-on-error", "Serve what is cached by expired metadata while the source cannot be reached.", o => o.Engine.ServeStaleOnError, (o, v) => o with { Engine = o.Engine with { ServeStaleOnError = v } })
        .Size("quota", "Cached bytes of this mount point, all cache directories together.", o => o.Engine.QuotaBytes, (o, v) => o with { Engine = o.Engine with { QuotaBytes = v } }, min: 16L << 20)
        .Time("cache-ttl", "Cached bytes not used for this long are dropped.", o => o.Engine.CacheTtl, (o, v) => o with { Engine = o.Engine with { CacheTtl = v } }, Second, Year)
        .Count("max-cached-stats", "Keys whose stat is kept, in memory and on disk.", o => o.Engine.MaxCachedStats, (o, v) => o with { Engine = o.Engine with { MaxCachedStats = v } }, min: 1000)
        .Size("max-listing-bytes", "Memory for kept listings.", o => o.Engine.MaxListingBytes, (o, v) => o with { Engine = o.Engine with { MaxListingBytes = v } }, min: 1L << 20)
        .Size("source-bytes-per-second", "Bytes a second read from the source.", o => o.Engine.UnderStoreBytesPerSecond, (o, v) => o with { Engine = o.Engine with { UnderStoreBytesPerSecond = v } }, min: 64L << 10)
        .Count("source-requests-per-second", "Requests a second sent to the source.", o => o.Engine.UnderStoreRequestsPerSecond, (o, v) => o with { Engine = o.Engine with { UnderStoreRequestsPerSecond = v } }, min: 1);

    public static OptionTable<TierOptions> Tier { get; } = new OptionTable<TierOptions>("cache[]", new TierOptions { Directory = "", QuotaBytes = 0 })
        .Path("directory", "Cache directory; made if missing, refused when it holds anything else.", o => o.Directory, (o, v) => o with { Directory = v }, none: "required")
        .Size("quota", "Bytes on its disk, index included; a bound, not a reservation.", o => o.QuotaBytes == 0 ? null : o.QuotaBytes, (o, v) => o with { QuotaBytes = v }, min: 16L << 20, none: "required")
        .Choice("medium", "What it lies on; faster media are used first.", o => o.Medium, (o, v) => o with { Medium = v }, ("MEM", Medium.Mem), ("SSD", Medium.Ssd), ("HDD", Medium.Hdd))
        .Ratio("high-watermark", "Fill ratio that starts eviction.", o => o.HighWatermark, (o, v) => o with { HighWatermark = v })
        .Ratio("low-watermark", "Fill ratio at which eviction stops; below `high-watermark`.", o => o.LowWatermark, (o, v) => o with { LowWatermark = v })
        .Size("page-size", "Unit of validity for a new directory, a power of two; an existing directory keeps its own.", o => o.PageSizeBytes, (o, v) => o with { PageSizeBytes = (int)v }, min: 64 << 10, max: 16 << 20);

    public static OptionTable<S3Configuration> S3 { get; } = new OptionTable<S3Configuration>("s3", new S3Configuration())
        .Address("address", "Where the S3 endpoint listens; port 0 takes a free one.", o => o.Address, (o, v) => o with { Address = v })
        .Text("region", "The only region accepted in signatures.", o => o.Region, (o, v) => o with { Region = v }, none: "any")
        .Flag("anonymous", "Unsigned requests may read everything.", o => o.Anonymous, (o, v) => o with { Anonymous = v })
        .Texts("domains", "Host names under which buckets are also reached as `BUCKET.NAME`.", "list of host names", "none", o => o.Domains, (o, v) => o with { Domains = v }, CheckDomain)
        .Path("tls-certificate", "PEM file with the certificate chain; switches TLS on.", o => o.TlsCertificate, (o, v) => o with { TlsCertificate = v })
        .Path("tls-key", "PEM file with the private key.", o => o.TlsKey, (o, v) => o with { TlsKey = v });

    public static OptionTable<KeyConfiguration> Key { get; } = new OptionTable<KeyConfiguration>("keys[]", new KeyConfiguration())
        .Text("access-key-id", "Public half of the key pair.", o => o.AccessKeyId, (o, v) => o with { AccessKeyId = v }, none: "required")
        .Secret("secret-access-key", "Secret half of the key pair; one of these two is required.", o => o.SecretAccessKey, (o, v) => o with { SecretAccessKey = v })
        .Choice("rights", "What the key may do.", o => o.Rights, (o, v) => o with { Rights = v }, ("read", KeyRights.Read), ("read-write", KeyRights.ReadWrite))
        .Texts("prefixes", "Where the key may do it.", "list of `/NAME/prefix`", "`/` (everything)", o => o.Prefixes, (o, v) => o with { Prefixes = v }, CheckPrefix)
        .Size("bytes-per-second", "Bytes a second for this key.", o => o.BytesPerSecond, (o, v) => o with { BytesPerSecond = v }, min: 64L << 10, none: "`limits.access-key-bytes-per-second`");

    public static OptionTable<AdminConfiguration> Admin { get; } = new OptionTable<AdminConfiguration>("admin", new AdminConfiguration())
        .Address("address", "Where the admin API, `/metrics`, `/healthz` and `/readyz` listen; port 0 takes a free one.", o => o.Address, (o, v) => o with { Address = v })
        .Secret("token", "Bearer token that is accepted beside the endpoint's key pairs; at least 16 characters.", o => o.Token, (o, v) => o with { Token = v }, minLength: 16);

    public static OptionTable<FillOptions> Fill { get; } = new OptionTable<FillOptions>("fill", new FillOptions())
        .Count("max-concurrent-ranges", "Ranges fetched at the same time from one source.", o => o.MaxConcurrentRanges, (o, v) => o with { MaxConcurrentRanges = v }, 1, 1024)
        .Count("max-ranges-per-reader", "Ranges fetched at the same time for one reader.", o => o.MaxRangesPerReader, (o, v) => o with { MaxRangesPerReader = v }, 1, 256)
        .Size("max-range-bytes", "Largest range; a multiple of the page size.", o => o.MaxRangeBytes, (o, v) => o with { MaxRangeBytes = (int)v }, min: 64 << 10, max: 16 << 20)
        .Time("connect-timeout", "Time to connect to the source.", o => o.ConnectTimeout, (o, v) => o with { ConnectTimeout = v }, Millisecond, Hour)
        .Time("first-byte-timeout", "Time from a request to its first byte.", o => o.FirstByteTimeout, (o, v) => o with { FirstByteTimeout = v }, Millisecond, Hour)
        .Time("idle-timeout", "Longest time without a byte inside a body.", o => o.IdleTimeout, (o, v) => o with { IdleTimeout = v }, Millisecond, Hour)
        .Time("operation-timeout", "Time for one range, stat or listing page with all its retries.", o => o.OperationTimeout, (o, v) => o with { OperationTimeout = v }, Millisecond, Hour)
        .Count("max-attempts", "Attempts for one range, stat or listing page.", o => o.MaxAttempts, (o, v) => o with { MaxAttempts = v }, 1, 10)
        .Time("retry-base-delay", "First back-off; it doubles, with full jitter.", o => o.RetryBaseDelay, (o, v) => o with { RetryBaseDelay = v }, Millisecond, Hour)
        .Time("retry-max-delay", "Longest back-off.", o => o.RetryMaxDelay, (o, v) => o with { RetryMaxDelay = v }, Millisecond, Hour);

    public static OptionTable<LimitOptions> Limits { get; } = new OptionTable<LimitOptions>("limits", new LimitOptions())
        .Size("egress-bytes-per-second", "Bytes a second out of the node, all clients together.", o => o.EgressBytesPerSecond, (o, v) => o with { EgressBytesPerSecond = v }, min: 64L << 10)
        .Size("connection-bytes-per-second", "Bytes a second on one connection.", o => o.ConnectionBytesPerSecond, (o, v) => o with { ConnectionBytesPerSecond = v }, min: 64L << 10)
        .Size("access-key-bytes-per-second", "Bytes a second for one access key.", o => o.AccessKeyBytesPerSecond, (o, v) => o with { AccessKeyBytesPerSecond = v }, min: 64L << 10)
        .Count("max-connections", "Client connections; more are refused. At most half of the descriptors that are left to the process (`ulimit -n`).", o => o.MaxConnections, (o, v) => o with { MaxConnections = v }, 1, 1_000_000)
        .Count("max-concurrent-requests", "Requests worked on at the same time.", o => o.MaxConcurrentRequests, (o, v) => o with { MaxConcurrentRequests = v }, 1, 1_000_000)
        .Count("max-queued-requests", "Requests that wait for their turn; beyond it 503 SlowDown.", o => o.MaxQueuedRequests, (o, v) => o with { MaxQueuedRequests = v }, 0, 1_000_000)
        .Count("max-borrowers", "Mounts of this machine that borrow cache files at the same time; 0 lends nothing.", o => o.MaxBorrowers, (o, v) => o with { MaxBorrowers = v }, 0, 10_000)
        .Count("max-lent-files", "Cache files lent to them at the same time; together at most half of what the cache directories may hold.", o => o.MaxLentFiles, (o, v) => o with { MaxLentFiles = v }, 0, 1_000_000);

    public static OptionTable<LogConfiguration> Log { get; } = new OptionTable<LogConfiguration>("log", new LogConfiguration())
        .Choice("level", "Least important events that are written.", o => o.Level, (o, v) => o with { Level = v }, ("debug", LogDetail.Debug), ("info", LogDetail.Info), ("warning", LogDetail.Warning), ("error", LogDetail.Error))
        .Choice("format", "How a line looks.", o => o.Format, (o, v) => o with { Format = v }, ("text", LogFormat.Text), ("json", LogFormat.Json));

    /// <summary>Names at the top of the file that are not options by themselves.</summary>
    public static readonly string[] Groups = ["version", "mounts", "cache", "s3", "keys", "admin", "fill", "limits", "log"];

    /// <summary>Options of a mount point that may also stand behind the <c>?</c> of its URL: where it is, never a secret.</summary>
    public static readonly string[] UrlOptions = ["endpoint", "region", "path-style", "anonymous", "profile"];

    // Only kept: the binder splits it, because it may bring other options with it.
    private static MountConfiguration SetSource(MountConfiguration mount, string url) => mount with { Engine = mount.Engine with { Source = url } };

    private static string? CheckDomain(string domain) => Uri.CheckHostName(domain) == UriHostNameType.Dns
        ? null
        : "give host names without scheme, port or wildcard, such as s3.example.net.";

    private static string? CheckPrefix(string prefix) => prefix.StartsWith('/') ? null : "a prefix begins with the mount point: /NAME/prefix (or / for everything).";
}
