using Forebay.Caching;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.Engine.Options;
using Forebay.Mounting.Options;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>What a mount's engine is told, from its source, its options and the machine. Made by the launcher, to find faults early, and again by each worker.</summary>
/// <param name="Source">For people; holds no secret.</param>
/// <param name="Mount">The mount point and how its source is reached.</param>
/// <param name="Engine">The whole engine.</param>
/// <param name="Options">What <c>-o</c> said.</param>
/// <param name="Node">The node that it is mounted from; null for a source of its own.</param>
internal sealed record MountPlan(string Source, MountConfiguration Mount, NodeOptions Engine, MountOptions Options, NodeSource? Node)
{
    private const long LargestQuotaBytes = 10L << 30;
    private const long SmallestQuotaBytes = 64L << 20;
    private const int LargestRangeBytes = 16 << 20;

    /// <summary>The cache directories as <c>--cache</c> takes them, so that each worker has what the launcher found.</summary>
    public IReadOnlyList<string> Caches => Engine.Tiers.Count == 0 ? ["none"] : [.. Engine.Tiers.Select(tier => $"{tier.Directory}:{tier.QuotaBytes}:{tier.Medium.ToString().ToUpperInvariant()}")];

    /// <summary>Name of the mount point in the namespace of the worker.</summary>
    public string Name => Mount.Engine.Name;

    /// <summary>Reads source, options and cache directories.</summary>
    /// <param name="source">As a person wrote it.</param>
    /// <param name="options">Checked.</param>
    /// <param name="caches">Values of <c>--cache</c>.</param>
    /// <param name="environment">Looks up an environment variable.</param>
    /// <param name="faults">Everything that is wrong.</param>
    public static MountPlan? Make(string source, MountOptions options, IReadOnlyList<string> caches, Func<string, string?> environment, out IReadOnlyList<string> faults)
    {
        NodeSource? node = null;
        string? url = NodeSource.Is(source) ? NodeUrl(source, options, environment, out node, out string fault) : MountSource.ToUrl(source, options, out fault);
        if (url is null)
        {
            faults = [fault];
            return null;
        }

        string name = MountSource.NameOf(url);
        ConfigurationResult loaded = ConfigurationLoader.Load(new ConfigurationInput
        {
            MountFlags = [$"{name}={url}"],
            CacheFlags = caches is [] ? ["none"] : caches,
            CheckSource = CompositionRoot.CheckSource,
        });
        faults = [.. loaded.Faults.Select(found => found.What)];
        if (loaded.Configuration is not { } configuration)
        {
            return null;
        }

        MountConfiguration mount = configuration.Mounts[0] with { Engine = MountPointOf(configuration.Mounts[0].Engine, options) };
        if (node is not null)
        {
            mount = OfNode(mount, node, environment);
        }

        // What a node of this machine has is not stored a second time.
        IReadOnlyList<TierOptions> tiers = caches is not [] ? configuration.Engine.Tiers : node is { IsLocal: true } ? [] : [DefaultTier(mount, options, environment)];
        NodeOptions engine = configuration.Engine with
        {
            MountPoints = [mount.Engine],
            Tiers = [.. tiers.Select(tier => tier with { PageSizeBytes = options.PageSizeBytes, MinFreeBytes = options.EnsureDiskFreeBytes })],
            MemoryLimitBytes = options.MemoryLimitBytes,
            Fill = FillOf(configuration.Engine.Fill, options),
        };
        return new MountPlan(node?.ToString() ?? mount.Source.ToString(), mount, engine, options, node);
    }

    /// <summary>The bucket that a node's mount point is; null with a fault. The node was asked before.</summary>
    private static string? NodeUrl(string source, MountOptions options, Func<string, string?> environment, out NodeSource? node, out string fault)
    {
        node = NodeSource.TryParse(source, out fault);
        if (node is null)
        {
            return null;
        }

        if (options.Url is not null || options.Region is not null || options.PathStyle is not null || options.Profile is not null)
        {
            fault = "url, endpoint, path_style and profile say how a store is reached; a forebay:// source takes none of them.";
            return null;
        }

        if (!options.Anonymous && options.PasswordFile is null && KeyOf(environment) is null)
        {
            fault = $"{node} needs a key pair of the node: set {NodeSource.AccessKeyVariable} and {NodeSource.SecretKeyVariable}, or give -o passwd_file=PATH, or -o anonymous for a node that takes unsigned requests.";
            return null;
        }

        return node.ToBucketUrl() + (options.Anonymous ? "&anonymous=true" : "");
    }

    private static MountConfiguration OfNode(MountConfiguration mount, NodeSource node, Func<string, string?> environment) => mount with
    {
        Engine = mount.Engine with { Source = node.ToString() },
        Access = mount.Access.Anonymous || KeyOf(environment) is not { } key ? mount.Access : mount.Access with { AccessKeyId = key.Id, SecretAccessKey = key.Secret },
    };

    private static (string Id, Secret Secret)? KeyOf(Func<string, string?> environment)
        => environment(NodeSource.AccessKeyVariable) is { Length: > 0 } id && environment(NodeSource.SecretKeyVariable) is { Length: > 0 } secret ? (id, new Secret(secret)) : null;

    private static MountPointOptions MountPointOf(MountPointOptions mount, MountOptions options)
    {
        bool keepsNothing = options.MaxStatCacheSize == 0;
        return mount with
        {
            MetadataTtl = keepsNothing ? TimeSpan.Zero : options.StatCacheExpire,
            NegativeTtl = keepsNothing ? TimeSpan.Zero : mount.NegativeTtl,
            MaxCachedStats = Math.Max(1, options.MaxStatCacheSize),
            Immutable = options.Immutable && !keepsNothing,
        };
    }

    private static FillOptions FillOf(FillOptions fill, MountOptions options) => fill with
    {
        MaxConcurrentRanges = options.MaxRequests,
        MaxAheadObjects = options.MaxPrefetch,
        MaxRangesPerReader = options.ParallelCount,

        // A range is made of whole pages.
        MaxRangeBytes = (int)Math.Max(options.PageSizeBytes, Math.Min(options.MultipartBytes, LargestRangeBytes) / options.PageSizeBytes * options.PageSizeBytes),
    };

    private static TierOptions DefaultTier(MountConfiguration mount, MountOptions options, Func<string, string?> environment)
    {
        string parent = options.CacheParent ?? DefaultCache.DirectoryOf(environment) + "-mounts";
        string directory = Path.Combine(parent, MountRegistry.IdOf($"{mount.Access.Endpoint}/{mount.Source}".TrimEnd('/')));
        return new TierOptions { Directory = directory, QuotaBytes = options.CacheSizeBytes ?? QuotaOf(directory, options) };
    }

    /// <summary>By the disk's size, so that it is the same after a restart, unless a share of the free space is to be left.</summary>
    private static long QuotaOf(string directory, MountOptions options)
    {
        (long size, long free) = DefaultCache.DiskSpaceOf(directory);
        long quota = options.CacheParent is null ? Math.Min(size / 10, LargestQuotaBytes) : size;
        if (options.CacheParent is not null || options.EnsureDiskFreeBytes > 0)
        {
            quota = Math.Min(quota, free + UsedBelow(directory) - options.EnsureDiskFreeBytes);
        }

        return Math.Max(quota >> 20 << 20, SmallestQuotaBytes);
    }

    /// <summary>Bytes of data files that are there already: they may be kept or replaced.</summary>
    private static long UsedBelow(string directory)
    {
        try
        {
            DirectoryInfo objects = new(Path.Combine(directory, "objects"));
            return objects.Exists ? objects.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
