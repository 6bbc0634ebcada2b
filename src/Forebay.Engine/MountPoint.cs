using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Limits;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Engine.Reading;

namespace Forebay.Engine;

/// <summary>One mount point at work: its metadata, its fills and its figures over the node's cache.</summary>
internal sealed partial class MountPoint : IFileMountPoint, IAsyncDisposable
{
    private const int FirstRangeBytes = 1 << 20;
    private readonly PageCache _cache;
    private readonly RetryingUnderStore _store;
    private readonly SingleFlight<string, Opening> _openings = new(StringComparer.Ordinal);
    private readonly StripedCounter _hitBytes = new();
    private readonly StripedCounter _missBytes = new();
    private Action<string>? _forgottenWatchers;

    internal MountPoint(MountPointOptions options, IUnderStore store, int owner, PageCache cache, FillTable fills, FillOptions fill, BufferPool buffers, PassThroughBuffers passThrough, TimeProvider time, KeptMetadata? kept)
    {
        Options = options;
        Owner = owner;
        Counters = new UnderStoreCounters(time);
        _cache = cache;
        _store = RetryingUnderStore.Compose(store, options, fill, Counters, time);
        Metadata = new MetadataCache(_store, options, time, kept);
        Metadata.Forgotten = RaiseForgotten;
        FillContext = new FillContext(_store, Metadata, fill, buffers, time);
        AheadContext = fill.MaxAheadObjects == 0 ? FillContext : new FillContext(_store, Metadata, fill with { MaxConcurrentRanges = fill.MaxAheadObjects }, buffers, time);
        Fills = fills;
        PassThroughBuffers = passThrough;
        MountedAt = time.GetUtcNow();
    }

    /// <inheritdoc/>
    public string Name => Options.Name;

    /// <inheritdoc/>
    public DateTimeOffset MountedAt { get; }

    /// <inheritdoc/>
    public bool HasDirectories => _store.HasDirectories;

    internal MountPointOptions Options { get; }

    /// <summary>Position among the mount points; names the bytes of this one in the tiers.</summary>
    internal int Owner { get; }

    internal UnderStoreId UnderStore => _store.Id;

    internal UnderStoreCounters Counters { get; }

    internal MetadataCache Metadata { get; }

    internal FillContext FillContext { get; }

    /// <summary>For what is brought in ahead of readers: it has slots of its own, so that it neither waits for them nor keeps them waiting.</summary>
    internal FillContext AheadContext { get; }

    internal FillTable Fills { get; }

    internal PassThroughBuffers PassThroughBuffers { get; }

    internal long HitBytes => _hitBytes.Value;

    internal long MissBytes => _missBytes.Value;

    /// <inheritdoc/>
    public async ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        StatEntry? entry = Metadata.TryGetRelative(key, requireHeaders: true);
        if (entry is null)
        {
            await LoopThread.LeaveAsync();
            entry = await Metadata.GetAsync(FullKey(key), requireHeaders: true, requestId, cancellationToken);
        }

        return entry.Stat ?? throw Missing(key);
    }

    /// <inheritdoc/>
    public ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken)
    {
        StatEntry? entry = Metadata.TryGetRelative(key, requireHeaders: true);
        return entry is null ? OpenUnknownAsync(key, wanted, requestId, cancellationToken)
            : entry.IsNegative || entry.Attachment is CacheFile { IsUsable: true } || !LoopThread.IsCurrent ? new ValueTask<IObjectReader>(OpenKnown(key, entry, wanted, requestId))
            : OpenKnownOnPoolAsync(key, entry, wanted, requestId);
    }

    /// <inheritdoc/>
    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => Metadata.ListRelativeAsync(query, requestId, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken)
    {
        Metadata.Refresh(FullKey(keyOrPrefix));

        // Else a node that is killed now would believe after its restart what it was told to forget.
        await Metadata.WrittenAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Metadata.Dispose();
        await _store.DisposeAsync();
    }

    internal string FullKey(string key) => Options.Prefix.Length == 0 ? key : Options.Prefix + key;

    /// <summary>Opens the version of a positive entry whose headers may be missing; for loads.</summary>
    internal ObjectReader OpenKnown(string key, StatEntry entry, ByteRange? wanted, string? requestId)
    {
        if (entry.IsNegative)
        {
            throw Missing(key);
        }

        CacheFile? file = FileOf(entry, create: true);
        file?.Touch();
        return new ObjectReader(this, entry, file, wanted?.End, requestId);
    }

    /// <summary>The cache file of an entry's version, remembered at the entry so that a hit looks nothing up.</summary>
    internal CacheFile? FileOf(StatEntry entry, bool create)
    {
        if (entry.Attachment is CacheFile { IsUsable: true } known)
        {
            return known;
        }

        CacheFile? file = create ? _cache.FindOrCreate(entry.Version) : _cache.Find(entry.Version);
        entry.Attachment = file;
        return file;
    }

    internal void CountServed(long hitBytes, long missBytes)
    {
        if (hitBytes > 0)
        {
            _hitBytes.Add(hitBytes);
        }

        if (missBytes > 0)
        {
            _missBytes.Add(missBytes);
        }
    }

    internal void CountBypassed(long bytes) => _cache.CountBypassed(bytes);

    /// <summary>The file has to be looked up in the index of a tier and opened.</summary>
    private async ValueTask<IObjectReader> OpenKnownOnPoolAsync(string key, StatEntry entry, ByteRange? wanted, string? requestId)
    {
        await LoopThread.LeaveAsync();
        return OpenKnown(key, entry, wanted, requestId);
    }

    private async ValueTask<IObjectReader> OpenUnknownAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken)
    {
        await LoopThread.LeaveAsync();
        string fullKey = FullKey(key);
        if (wanted is null || wanted.Value.IsEmpty || Metadata.TryGetStale(fullKey) is not null || _cache.MayHold(UnderStore, fullKey))
        {
            // Bytes of it may be cached: a stat costs the source less than a range that may turn out to be here already.
            StatEntry known = await Metadata.GetAsync(fullKey, requireHeaders: true, requestId, cancellationToken);
            return OpenKnown(key, known, wanted, requestId);
        }

        Opening opening = await _openings.RunAsync(
            fullKey,
            (Mount: this, Wanted: wanted.Value, RequestId: requestId),
            static (key, state, token) => state.Mount.FirstReadAsync(key, state.Wanted, state.RequestId, token),
            cancellationToken);
        ObjectReader reader = OpenKnown(key, opening.Entry, wanted, requestId);
        if (opening.TakeFill() is { } fill)
        {
            reader.BeginWith(fill);
        }

        return reader;
    }

    /// <summary>The first ranged read of an object nothing is known of; its answer is also the stat.</summary>
    private async Task<Opening> FirstReadAsync(string fullKey, ByteRange wanted, string? requestId, CancellationToken cancellationToken)
    {
        int pageSize = _cache.LargestPageSizeBytes;
        long start = wanted.Offset - (wanted.Offset % pageSize);
        long length = Math.Min(wanted.Length, FirstRangeBytes) + (wanted.Offset - start);
        length += -length & (pageSize - 1);
        await FillContext.Slots.WaitAsync(cancellationToken);
        bool keepsSlot = false;
        try
        {
            Opening opening = await FirstReadInSlotAsync(fullKey, new ByteRange(start, length), requestId, cancellationToken);
            keepsSlot = opening.HasFill;
            return opening;
        }
        finally
        {
            if (!keepsSlot)
            {
                FillContext.Slots.Release();
            }
        }
    }

    /// <summary>As above, for a range of whole pages and with a slot in hand, which passes over to the fill if there is one.</summary>
    private async Task<Opening> FirstReadInSlotAsync(string fullKey, ByteRange range, string? requestId, CancellationToken cancellationToken)
    {
        MetadataMoment asOf = Metadata.Now();
        UnderStoreRead read;
        try
        {
            read = await _store.ReadAsync(fullKey, range, expected: null, requestId, cancellationToken);
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.NotFound)
        {
            return new Opening(Metadata.PutNotFound(fullKey, asOf), null);
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.InvalidRange)
        {
            // Empty, or shorter than the wanted offset: only a stat tells.
            return new Opening(await Metadata.GetAsync(fullKey, requireHeaders: true, requestId, cancellationToken), null);
        }
        catch (ForebayException e)
        {
            // An object without cached bytes may still be known: an empty one needs none.
            if (Metadata.TryStandIn(fullKey, e) is not { } known)
            {
                throw;
            }

            return new Opening(known, null);
        }

        StatEntry entry = Metadata.Put(read.Stat, asOf);
        CacheFile? file = FileOf(entry, create: true);
        if (file is null || read.Range.Offset % file.PageSizeBytes != 0 || (read.Range.End % file.PageSizeBytes != 0 && read.Range.End != file.Length))
        {
            await read.DisposeAsync();
            return new Opening(entry, null);
        }

        try
        {
            if (Fills.Adopt(FillContext, file, read, requestId) is { } fill)
            {
                return new Opening(entry, fill);
            }
        }
        catch
        {
            await read.DisposeAsync();
            throw;
        }

        await read.DisposeAsync();
        return new Opening(entry, null);
    }

    private ForebayException Missing(string key) => new(ErrorKind.NotFound, $"'{key}' does not exist in '{Name}'.");

    /// <summary>What the first read found; the interest in its fill goes to the first reader that asks.</summary>
    private sealed class Opening(StatEntry entry, RangeFill? fill)
    {
        private RangeFill? _fill = fill;

        internal StatEntry Entry { get; } = entry;

        internal bool HasFill { get; } = fill is not null;

        internal RangeFill? TakeFill() => Interlocked.Exchange(ref _fill, null);
    }
}
