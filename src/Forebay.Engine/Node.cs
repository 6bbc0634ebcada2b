using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Limits;
using Forebay.Engine.Loading;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Engine.Reading;
using Forebay.Engine.Status;

namespace Forebay.Engine;

/// <summary>The engine of one node: mount points over shared tiers, shared fills and shared bounds.</summary>
public sealed partial class Node : INode, IAsyncDisposable
{
    private const int FillBufferBytes = 256 << 10;
    private const int PassThroughBufferBytes = 1 << 20;
    private readonly NodeOptions _options;
    private readonly PageCache _cache;
    private readonly MountPoint[] _mountPoints;
    private readonly Dictionary<string, MountPoint> _byName;
    private readonly PassThroughBuffers _passThrough;
    private readonly MetadataFile? _metadataFile;
    private readonly FillTable _fills;
    private readonly LoadTable _loads;
    private readonly DateTimeOffset _startedAt;

    private Node(NodeOptions options, PageCache cache, MountPoint[] mountPoints, FillTable fills, BufferPool fillBuffers, PassThroughBuffers passThrough, MetadataFile? metadataFile, TimeProvider time)
    {
        _options = options;
        _cache = cache;
        _mountPoints = [.. mountPoints.OrderBy(mount => mount.Name, StringComparer.Ordinal)];
        _byName = mountPoints.ToDictionary(mount => mount.Name, StringComparer.Ordinal);
        _fills = fills;
        _passThrough = passThrough;
        _metadataFile = metadataFile;
        FillBuffers = fillBuffers;
        _loads = new LoadTable(time);
        _startedAt = time.GetUtcNow();
    }

    /// <inheritdoc/>
    public IReadOnlyList<IMountPoint> MountPoints => _mountPoints;

    /// <inheritdoc/>
    public IReadOnlyList<LoadStatus> Loads => _loads.All();

    /// <summary>Opens the cache directories and the mount points. No under-store is asked.</summary>
    /// <param name="options">What the node serves; validated by the caller.</param>
    /// <param name="underStores">Gives the store of a mount point, by its name; owned by the node from then on.</param>
    /// <param name="time">Clock and timers.</param>
    /// <exception cref="ForebayException">A cache directory cannot be used; nothing stays open.</exception>
    public static Node Open(NodeOptions options, Func<string, IUnderStore> underStores, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(underStores);
        IUnderStore[] stores = [.. options.MountPoints.Select(mount => underStores(mount.Name))];
        TierOwner[] owners = [.. options.MountPoints.Select((mount, i) => new TierOwner(stores[i].Id, mount.Prefix, mount.QuotaBytes, mount.CacheTtl))];
        OpenFileBudget files = OpenFileBudget.Raise(options.Limits.MaxConnections, (options.Fill.MaxConcurrentRanges + options.Fill.MaxAheadObjects) * options.MountPoints.Count);
        // An open file costs a descriptor and about 2 KiB of memory; a tier may be a quarter above its number for a moment.
        int filesPerTier = (int)Math.Clamp(Math.Min(files.CachedFiles * 3L / 4, options.MemoryLimitBytes / (32 << 10)) / Math.Max(1, options.Tiers.Count), 64, 16_384);
        PageCache cache;
        try
        {
            cache = PageCache.Open(options.Tiers, new TierOwners(owners, filesPerTier, ObjectsPerTier(options)), time);
        }
        catch
        {
            foreach (IUnderStore store in stores)
            {
                // They were never used: there is nothing to wait for.
                _ = store.DisposeAsync().AsTask();
            }

            throw;
        }

        var fills = new FillTable();
        var buffers = new BufferPool(FillBufferBytes, options.Fill.MaxConcurrentRanges + options.Fill.MaxAheadObjects);
        var passThrough = new PassThroughBuffers(PassThroughBufferBytes, (int)Math.Clamp(options.MemoryLimitBytes / 8 / PassThroughBufferBytes, 8, 256), time);
        MetadataFile? metadataFile = MakeMetadataFile(cache);
        MountPoint[] mounts = [.. options.MountPoints.Select((mount, i) =>
        {
            MountPointOptions bounded = WithinMemory(mount, options);
            KeptMetadata? kept = metadataFile?.For(
                IdentityOf(mount, stores[i].Id), new KeptBounds(bounded.MaxCachedStats, bounded.MaxListingBytes), key => cache.MayHold(stores[i].Id, key));
            return new MountPoint(bounded, stores[i], i, cache, fills, options.Fill, buffers, passThrough, time, kept);
        })];
        metadataFile?.Start();
        return new Node(options, cache, mounts, fills, buffers, passThrough, metadataFile, time) { OpenFiles = files };
    }

    /// <summary>How the process's descriptors are shared out. Edges accept no more connections than it says.</summary>
    public required OpenFileBudget OpenFiles { get; init; }

    /// <summary>Buffers of fills; none is out when nothing runs.</summary>
    internal BufferPool FillBuffers { get; }

    /// <summary>Buffers of reads past the cache; none is out when nothing runs.</summary>
    internal PassThroughBuffers PassThroughBuffers => _passThrough;

    internal PageCache Cache => _cache;

    /// <inheritdoc/>
    public IMountPoint? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Finds a mount point as a file system sees it; null when there is none of that name.</summary>
    public IFileMountPoint? FindFiles(string name) => _byName.GetValueOrDefault(name);

    /// <inheritdoc/>
    public NodeStatus GetStatus() => new()
    {
        Version = ProductVersion.Text,
        StartedAt = _startedAt,
        ResidentBytes = Process.GetCurrentProcess().WorkingSet64,
        MemoryLimitBytes = _options.MemoryLimitBytes,
        MountPoints = [.. _mountPoints.Select(StatusOf)],
        Tiers = [.. _cache.Tiers.Select(StatusOf)],
        MetadataFault = _metadataFile?.Fault,
    };

    /// <inheritdoc/>
    public async Task<PathDescription> DescribeAsync(string path, CancellationToken cancellationToken)
    {
        (MountPoint mount, NamespacePath parsed) = Resolve(path);
        if (parsed.IsTree)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"'{path}' names a prefix, not an object. 'ls' lists it and 'du' sums it up.");
        }

        ObjectStat stat = await mount.StatAsync(parsed.Key, null, cancellationToken);
        var version = new ObjectVersion(mount.UnderStore, stat.Key, stat.Token, stat.Length);
        List<string> tiers = [];
        long cached = 0;
        foreach (Tier tier in _cache.Tiers)
        {
            long bytes = tier.PresentBytes(version);
            if (bytes > 0)
            {
                tiers.Add(tier.Path);
                cached = Math.Min(stat.Length, cached + bytes);
            }
        }

        return new PathDescription(path, stat, cached, tiers, IsPinned(version));
    }

    /// <inheritdoc/>
    public async Task<DiskUsage> MeasureAsync(string path, CancellationToken cancellationToken)
    {
        (MountPoint mount, string target) = await ResolveTargetAsync(path, cancellationToken);
        long objects = 0;
        long bytes = 0;
        long cachedObjects = 0;
        long cachedBytes = 0;
        await foreach (ObjectStat stat in ObjectsAsync(mount, target, cancellationToken))
        {
            objects++;
            bytes += stat.Length;
            long present = PresentBytes(mount, stat);
            cachedBytes += present;
            cachedObjects += present == stat.Length ? 1 : 0;
        }

        return new DiskUsage(objects, bytes, cachedObjects, cachedBytes);
    }

    /// <inheritdoc/>
    public async Task<LoadStatus> StartLoadAsync(LoadRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Paths.Count == 0 || request.Parallelism is < 1 or > 256)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "A load needs at least one path and a parallelism from 1 to 256.");
        }

        List<(MountPoint Mount, string Target)> targets = [];
        foreach (string path in request.Paths)
        {
            targets.Add(await ResolveTargetAsync(path, cancellationToken));
        }

        if (request.Pin)
        {
            foreach (IGrouping<UnderStoreId, string> store in targets.GroupBy(target => target.Mount.UnderStore, target => target.Target))
            {
                Pin(store.Key, [.. store]);
            }
        }

        return _loads.Start(request, (job, token) => LoadAsync(job, targets, request.Parallelism, token));
    }

    /// <inheritdoc/>
    public LoadStatus? FindLoad(string id) => _loads.Find(id);

    /// <inheritdoc/>
    public bool CancelLoad(string id) => _loads.Cancel(id);

    /// <inheritdoc/>
    public Task<CacheChange> FreeAsync(string path, bool pinnedToo, bool dryRun, CancellationToken cancellationToken)
    {
        (MountPoint mount, NamespacePath parsed) = Resolve(path);
        long objects = 0;
        long bytes = 0;
        long pinned = 0;
        foreach (ObjectVersion version in CachedBelow(mount, parsed))
        {
            cancellationToken.ThrowIfCancellationRequested();
            long freed = _cache.Drop(version.Id, pinnedToo, dryRun);
            objects += freed > 0 ? 1 : 0;
            bytes += freed;
            pinned += freed == 0 && !pinnedToo && IsPinned(version) ? 1 : 0;
        }

        return Task.FromResult(new CacheChange(objects, bytes, pinned));
    }

    /// <inheritdoc/>
    public async Task RefreshAsync(string path, CancellationToken cancellationToken)
    {
        (MountPoint mount, NamespacePath parsed) = Resolve(path);
        if (!parsed.IsTree)
        {
            mount.Metadata.Refresh(mount.FullKey(parsed.Key) + "/");
        }

        await mount.RefreshAsync(parsed.Key, cancellationToken);
    }

    /// <summary>Stops loads and fills, writes the indexes and lets the directories go. Edges must have stopped before.</summary>
    public async ValueTask DisposeAsync()
    {
        await _loads.DisposeAsync();
        await _fills.DisposeAsync();
        foreach (MountPoint mount in _mountPoints)
        {
            await mount.DisposeAsync();
        }

        // Before the tiers: it lies under the lock of one.
        _metadataFile?.Dispose();
        _cache.Dispose();
        _passThrough.Dispose();
    }

    /// <summary>What outlives the process lies in the first directory that does; copies in others are older and go.</summary>
    private static MetadataFile? MakeMetadataFile(PageCache cache)
    {
        const int ShareOfQuota = 64;
        Tier[] lasting = [.. cache.Tiers.Where(tier => tier.Options.Medium != Medium.Mem)];
        foreach (Tier tier in lasting.Skip(1))
        {
            MetadataFile.Remove(tier.MetadataPath);
        }

        return lasting is [var first, ..] ? MetadataFile.At(first.MetadataPath, Math.Max(first.Options.QuotaBytes / ShareOfQuota, 1 << 20)) : null;
    }

    /// <summary>Names a mount point with its place and its rights: under any other, it must stat again before it serves what is cached.</summary>
    private static string IdentityOf(MountPointOptions mount, UnderStoreId store)
        => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{mount.Name}\n{store.Value}\n{mount.Prefix}\n{mount.AccessIdentity}")));

    /// <summary>All tiers together remember cached objects in at most a quarter of the memory limit.</summary>
    internal static int ObjectsPerTier(NodeOptions options)
    {
        const int BytesPerObject = 256; // 210 measured, docs/BENCHMARKS.md; the rest is for tables that grow by doubling
        return (int)Math.Min(options.MemoryLimitBytes / 4 / BytesPerObject / Math.Max(1, options.Tiers.Count), int.MaxValue);
    }

    /// <summary>All mount points together keep metadata in at most a quarter of the memory limit, half of it for stats and half for listings.</summary>
    private static MountPointOptions WithinMemory(MountPointOptions mount, NodeOptions options)
    {
        const int BytesPerStat = 450; // measured; docs/BENCHMARKS.md
        long share = options.MemoryLimitBytes / 8 / options.MountPoints.Count;
        return mount with
        {
            MaxCachedStats = (int)Math.Min(mount.MaxCachedStats, Math.Max(share / BytesPerStat, 1_000)),
            MaxListingBytes = Math.Min(mount.MaxListingBytes, Math.Max(share, 1 << 20)),
        };
    }

    private MountPointStatus StatusOf(MountPoint mount) => new()
    {
        Name = mount.Name,
        Source = mount.Options.Source,
        UnderStoreBytesRead = mount.Counters.BytesRead,
        UnderStoreRequests = mount.Counters.Requests,
        UnderStoreErrors = mount.Counters.Errors,
        HitBytes = mount.HitBytes,
        MissBytes = mount.MissBytes,
        CachedBytes = _cache.BytesOf(mount.Owner),
        TotalBytes = mount.Metadata.TotalBytes,
        MetadataHits = mount.Metadata.Hits,
        MetadataMisses = mount.Metadata.Misses,
        CachedStats = mount.Metadata.CachedStats,
        ListingBytes = mount.Metadata.ListingBytes,
        LastError = mount.Counters.LastError?.ToString(),
    };

    private static TierStatus StatusOf(Tier tier) => new()
    {
        Directory = tier.Path,
        Medium = tier.Options.Medium.ToString().ToUpperInvariant(),
        QuotaBytes = tier.Options.QuotaBytes,
        MaxObjects = tier.MaxObjects,
        UsedBytes = tier.UsedBytes,
        Objects = tier.Objects,
        EvictedBytes = tier.EvictedBytes,
        PromotedBytes = tier.PromotedBytes,
        DemotedBytes = tier.DemotedBytes,
        CorruptPages = tier.CorruptPages,
        IoErrors = tier.IoErrors,
        BypassedBytes = tier.BypassedBytes,
        State = tier.State,
    };

    private (MountPoint Mount, NamespacePath Path) Resolve(string path)
    {
        NamespacePath parsed = NamespacePath.Parse(path);
        return ((MountPoint)parsed.Find(this), parsed);
    }

    /// <summary>Full key of an object, or full prefix with its trailing slash (or empty) of a tree.</summary>
    private async Task<(MountPoint Mount, string Target)> ResolveTargetAsync(string path, CancellationToken cancellationToken)
    {
        (MountPoint mount, NamespacePath parsed) = Resolve(path);
        if (parsed.IsTree)
        {
            return (mount, mount.FullKey(parsed.Key));
        }

        StatEntry entry = await mount.Metadata.GetAsync(mount.FullKey(parsed.Key), requireHeaders: false, null, cancellationToken);
        if (!entry.IsNegative)
        {
            return (mount, mount.FullKey(parsed.Key));
        }

        ListPage below = await mount.Metadata.ListAsync(new ListQuery(mount.FullKey(parsed.Key) + "/", null, null, 1), null, cancellationToken);
        return below.Entries.Count > 0
            ? (mount, mount.FullKey(parsed.Key) + "/")
            : throw new ForebayException(ErrorKind.NotFound, $"'{path}' does not exist.");
    }

    private static async IAsyncEnumerable<ObjectStat> ObjectsAsync(MountPoint mount, string target, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (target.Length > 0 && !target.EndsWith('/'))
        {
            StatEntry entry = await mount.Metadata.GetAsync(target, requireHeaders: false, null, cancellationToken);
            if (!entry.IsNegative)
            {
                yield return entry.Stat;
            }

            yield break;
        }

        await foreach (ObjectStat stat in mount.Metadata.WalkAsync(target, 8, cancellationToken))
        {
            yield return stat;
        }
    }

    private long PresentBytes(MountPoint mount, ObjectStat stat)
    {
        var version = new ObjectVersion(mount.UnderStore, stat.Key, stat.Token, stat.Length);
        return Math.Min(stat.Length, _cache.Tiers.Sum(tier => tier.PresentBytes(version)));
    }

    private List<ObjectVersion> CachedBelow(MountPoint mount, NamespacePath path)
    {
        string fullKey = mount.FullKey(path.Key);
        return _cache.Enumerate(mount.UnderStore, fullKey)
            .Select(cached => cached.Version)
            .Distinct()
            .Where(version => path.IsTree || version.Key.Length == fullKey.Length || version.Key[fullKey.Length] == '/')
            .ToList();
    }

    private async Task LoadAsync(LoadJob job, List<(MountPoint Mount, string Target)> targets, int parallelism, CancellationToken cancellationToken)
    {
        foreach ((MountPoint mount, string target) in targets)
        {
            await Parallel.ForEachAsync(
                job.CountListedAsync(ObjectsAsync(mount, target, cancellationToken), cancellationToken),
                new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken },
                async (stat, token) => await LoadOneAsync(job, mount, stat, token));
        }
    }

    private async ValueTask LoadOneAsync(LoadJob job, MountPoint mount, ObjectStat stat, CancellationToken cancellationToken)
    {
        // Not by the figures in memory: after a restart they do not know whether the file is still there.
        if (stat.Length == 0 || _cache.Find(new ObjectVersion(mount.UnderStore, stat.Key, stat.Token, stat.Length)) is { IsWhole: true })
        {
            job.CountDone(stat.Length, fetchedBytes: 0);
            return;
        }

        try
        {
            long fetched = await LoadObjectAsync(mount, stat, cancellationToken);
            job.CountDone(stat.Length, fetched);
        }
        catch (ForebayException e)
        {
            job.CountFailed($"'{stat.Key}': {e.Message}");
        }
    }

    private static async Task<long> LoadObjectAsync(MountPoint mount, ObjectStat stat, CancellationToken cancellationToken)
    {
        StatEntry entry = await mount.Metadata.GetAsync(stat.Key, requireHeaders: false, null, cancellationToken);
        if (entry.IsNegative || entry.Stat.Length == 0)
        {
            return 0;
        }

        using ObjectReader reader = mount.OpenKnown(stat.Key, entry, new ByteRange(0, entry.Stat.Length), null);
        return await reader.BringAllAsync(mount.FillContext, cancellationToken);
    }
}
