using Forebay.Caching.Eviction;
using Forebay.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>
/// One cache directory at work: finds and makes cache files, keeps their bytes within the quota, writes the index behind them.
/// </summary>
/// <remarks>
/// <para>Lock order: 1. a file's lock, 2. <c>_lock</c> here. The tier takes no file's lock while it holds its own. No I/O happens under <c>_lock</c>.</para>
/// <para>An I/O failure is counted, shown in <see cref="State"/>, and suspends storing for a while; present pages are served on. Nothing a
/// reader waits for depends on the maintenance thread.</para>
/// </remarks>
public sealed partial class Tier : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TierDirectory _directory;
    private readonly TierIndex _index;
    private readonly S3Fifo _policy;
    private readonly TierOwners _owners;
    private readonly TimeProvider _time;
    private readonly string _bootId;
    private readonly Dictionary<VersionId, TierEntry> _entries = [];
    private readonly Dictionary<int, int> _keys = [];
    private readonly HashSet<VersionId> _pendingDeletes = [];

    /// <summary>Data files whose names are about to be removed, outside the lock: no new file may take such a name.</summary>
    private readonly HashSet<(VersionId Id, int Generation)> _unlinking = [];

    /// <summary>What was removed since the start-up scan began: the scan's snapshot still shows it. Empty afterwards.</summary>
    private readonly HashSet<VersionId> _removedDuringScan = [];
    private readonly long[] _ownerBytes;
    private long _storedBytes;
    private long _heldBytes;
    private long _indexBytes;
    private long _effectiveQuotaBytes;
    private long _evictedBytes;
    private long _bypassedBytes;
    private long _corruptPages;
    private long _ioErrors;
    private long _suspendedUntil = long.MinValue;
    private volatile string _problem = "";
    private volatile bool _indexIsDamaged;
    private int _nowSeconds;

    private Tier(TierOptions options, TierDirectory directory, TierIndex index, TierOwners owners, TimeProvider time)
    {
        Options = options;
        _directory = directory;
        _index = index;
        _owners = owners;
        _time = time;
        _ownerBytes = new long[owners.Count];
        _effectiveQuotaBytes = options.QuotaBytes;
        _policy = new S3Fifo(options.QuotaBytes);
        _bootId = ReadBootId();
        _nowSeconds = (int)time.GetUtcNow().ToUnixTimeSeconds();
        _openFiles = new OpenFiles(owners.MaxOpenFiles);
        _sectionBytes = SectionTable.BytesFor(options.QuotaBytes, directory.PageSizeBytes);
        _canPunch = directory.CanPunch();
        foreach ((string store, string prefix) in index.Pins())
        {
            _pins.Add(store, prefix);
        }
    }

    /// <summary>What the tier was opened with.</summary>
    public TierOptions Options { get; }

    /// <summary>Absolute path of the directory.</summary>
    public string Path => _directory.Path;

    /// <summary>Place for a database of the owner's, which lives and dies with the directory and counts against its quota.</summary>
    public string MetadataPath => _directory.MetadataPath;

    /// <summary>Unit of validity of this directory, bytes.</summary>
    public int PageSizeBytes => _directory.PageSizeBytes;

    /// <summary>Largest object that is stored as a whole, so that one object cannot empty the tier; larger ones are kept in part.</summary>
    public long MaxObjectBytes => (long)(Options.QuotaBytes * Options.LowWatermark * 0.9);

    /// <summary>Bytes used on the disk: stored pages, unlinked files that are still held, and the index.</summary>
    public long UsedBytes => Volatile.Read(ref _storedBytes) + Volatile.Read(ref _heldBytes) + Volatile.Read(ref _indexBytes);

    /// <summary>For tests: guarded by the tier's lock.</summary>
    internal S3Fifo Policy => _policy;

    internal long IndexBytes => Volatile.Read(ref _indexBytes);

    /// <summary>Objects with at least one page.</summary>
    public long Objects
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Bytes evicted for room.</summary>
    public long EvictedBytes => Volatile.Read(ref _evictedBytes);

    /// <summary>Pages that failed their checksum.</summary>
    public long CorruptPages => Volatile.Read(ref _corruptPages);

    /// <summary>Failed system calls on the directory.</summary>
    public long IoErrors => Volatile.Read(ref _ioErrors);

    /// <summary>Bytes that could not be stored.</summary>
    public long BypassedBytes => Volatile.Read(ref _bypassedBytes);

    /// <summary><c>ok</c>, or what is wrong in one sentence.</summary>
    public string State => (_problem, _indexIsDamaged) switch
    {
        ("", false) when _lacksFreeSpace => $"less than {ByteSize.Round(Options.MinFreeBytes)} of the disk is free: files make way and nothing is added until there is room",
        ("", false) => _lackedHoles ? "objects that do not fit are served through: the file system cannot punch holes" : "ok",
        ("", true) => "the index is damaged: cached bytes are served as far as it can be read, the next start begins it anew, and nothing stored until then is found again",
        (var problem, _) => problem,
    };

    /// <summary>Opens a tier directory, making it if it is missing, and starts its maintenance.</summary>
    /// <exception cref="ForebayException">The directory cannot be used; the sentence says why and what to do.</exception>
    public static Tier Open(TierOptions options, TierOwners owners, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        TierDirectory directory = TierDirectory.Open(options.Directory, options.PageSizeBytes);
        try
        {
            TierIndex index = OpenIndex(directory, time);
            var tier = new Tier(options, directory, index, owners, time);
            owners.Join(tier);
            tier.StartMaintenance();
            return tier;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Finds the cached file of a version; null when nothing of it is cached here.</summary>
    /// <remarks>Reads one row of the index when the object was not used since start.</remarks>
    public CacheFile? Find(ObjectVersion version)
    {
        TierEntry? known;
        lock (_lock)
        {
            if (_entries.TryGetValue(version.Id, out known))
            {
                if (known.File is not null)
                {
                    return known.IsIncoming ? null : known.File;
                }
            }
            else if (_startupScanDone || _removedDuringScan.Contains(version.Id))
            {
                return null;
            }
        }

        return LoadFromIndex(version, known);
    }

    /// <summary>Finds or makes the cached file of a version; null when it cannot be stored here: too large, no place for one more object, or the directory is failing.</summary>
    /// <param name="version">The version.</param>
    /// <param name="inPart">Also make a partial file, if the version does not fit and holes can be punched here.</param>
    public CacheFile? FindOrCreate(ObjectVersion version, bool inPart = false)
    {
        CacheFile? found = Find(version);
        if (found is not null)
        {
            return found;
        }

        int owner = _owners.OwnerOf(version.UnderStore, version.Key);
        int sectionBytes = SectionBytesFor(version, owner);
        if (version.Length == 0 || (sectionBytes > 0 && !MayKeepInPart(inPart)) || IsSuspended)
        {
            return null;
        }

        TierEntry? known;
        CacheFile? made = null;
        Victims victims = default;
        lock (_lock)
        {
            if (_entries.TryGetValue(version.Id, out known) && known.File is not null && !known.IsIncoming)
            {
                return known.File;
            }

            if (known is not null)
            {
                // Its row cannot be read (damage), or it is a copy that is not complete: begin anew under the next generation.
                RemoveLocked(known);
            }

            if (MakePlaceLocked(ref victims))
            {
                var entry = new TierEntry(this, version.Id, 0, owner)
                {
                    Generation = FreeGenerationLocked(version.Id),
                    IsPinned = _pins.Covers(version),
                    UsedAtSeconds = Volatile.Read(ref _nowSeconds),
                    AwaitsFirstUse = true,
                };
                entry.ObjectHash = ObjectHash(version.UnderStore, version.Key);
                entry.File = new CacheFile(this, entry, version, entry.Generation, new PageMap(version.Length, PageSizeBytes), isNew: true, sectionBytes);
                AddLocked(entry);
                _policy.Add(entry);
                _openFiles.Opened(entry.File);
                made = entry.File;
            }
        }

        DiscardVictims(victims.Nodes);
        if (known is not null)
        {
            Discard(known, known.File, known.SizeBytes);
        }

        return made;
    }

    /// <summary>Bytes of a version that are here, from memory and without a look at the disk; 0 when none or not loaded yet after start.</summary>
    public long PresentBytes(ObjectVersion version)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(version.Id, out TierEntry? entry) || entry.IsIncoming)
            {
                return 0;
            }

            if (entry.File is not null)
            {
                return entry.File.Pages.PresentBytes;
            }

            return entry.IsWhole ? version.Length : Math.Min(entry.SizeBytes, Math.Max(0, version.Length - 1));
        }
    }

    /// <summary>False only when surely no version of a key is here.</summary>
    public bool MayHold(UnderStoreId store, string key)
    {
        if (!_startupScanDone)
        {
            return true;
        }

        lock (_lock)
        {
            return _keys.ContainsKey(ObjectHash(store, key));
        }
    }

    /// <summary>Drops the cached bytes of one version; readers that hold them finish.</summary>
    /// <returns>Bytes given free; 0 when nothing was cached or it is pinned and <paramref name="pinnedToo"/> is false.</returns>
    public long Drop(VersionId id, bool pinnedToo, bool dryRun)
    {
        TierEntry entry;
        CacheFile? file;
        long size;
        bool isHidden;
        lock (_lock)
        {
            if (!_entries.TryGetValue(id, out entry!) || (entry.IsPinned && !pinnedToo))
            {
                return 0;
            }

            size = entry.SizeBytes;
            isHidden = entry.IsIncoming;
            if (dryRun)
            {
                return isHidden ? 0 : size;
            }

            file = entry.File;
            RemoveLocked(entry);
        }

        Discard(entry, file, size);
        return isHidden ? 0 : size;
    }

    /// <summary>Counts bytes that were wanted here but could not be stored.</summary>
    public void CountBypassed(long bytes) => Interlocked.Add(ref _bypassedBytes, bytes);

    /// <summary>Distinguishes the directory in placement; stays with it.</summary>
    internal ulong Seed => System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(_directory.Uuid.ToByteArray());

    /// <summary>Stops maintenance, writes the index and lets the directory go. No reader may hold a file any more.</summary>
    public void Dispose()
    {
        StopMaintenance();
        LeaveOwners();
        lock (_lock)
        {
            foreach (TierEntry entry in _entries.Values)
            {
                entry.File?.Close();
            }
        }

        _index.Dispose();
        _directory.Dispose();
    }

    /// <summary>Space of a page or file on disk: whole 4 KiB blocks.</summary>
    internal static long BlocksOf(long bytes) => (bytes + 4095) & ~4095L;

    internal void Touch(TierEntry entry)
    {
        int now = Volatile.Read(ref _nowSeconds);
        if (!entry.TakeFirstUse(now))
        {
            _policy.Touch(entry);
            if (!entry.WasReused)
            {
                entry.WasReused = true;
            }

            if (_promotes && entry.CountUse(now, SecondsBetweenUses, UsesToPromote))
            {
                _mover!.Promote(this, entry);
            }
        }

        entry.UsedAtSeconds = now;
        NoteUse(entry);
    }

    internal SafeFileHandle OpenData(CacheFile file)
    {
        CloseSomeIfFarTooMany();
        bool isNew = file.Pages.PresentCount == 0;
        SafeFileHandle handle = OpenOrMakeRoom(_directory.DataPath(file.Version.Id, file.Generation), isNew);
        try
        {
            if (isNew)
            {
                LocalFile.SetLength(handle, file.Length);
            }
            else if (LocalFile.Identify(handle).SizeBytes != file.Length)
            {
                throw new TierIOException("open", "a cache file of another length", 0);
            }

            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    internal void ReportFailure(TierIOException error)
    {
        if (error.IsNoDescriptor)
        {
            // It says nothing of the disk: for a moment only, so that readers do not try without end.
            if (!IsSuspended)
            {
                _problem = "all file descriptors are taken: serving through until some are free";
            }

            Suspend(TimeSpan.FromMilliseconds(250));
            return;
        }

        Interlocked.Increment(ref _ioErrors);
        Suspend();
        _problem = error.IsNoSpace
            ? "the disk is full: serving through until there is room"
            : $"{error.Message}: serving through, next try within {SuspendSeconds} s";
        if (error.IsNoSpace)
        {
            // Somebody else filled the disk: live with what we have now, and make a little room in it.
            lock (_lock)
            {
                _effectiveQuotaBytes = Math.Min(_effectiveQuotaBytes, Math.Max(UsedBytes - (UsedBytes / 50), 0));
            }

            WakeMaintenance();
        }
    }

    internal void CountCorruptPage() => Interlocked.Increment(ref _corruptPages);

    /// <summary>
    /// A file that cannot be opened: one that is missing, damaged or was to be made is forgotten, its bytes are fetched again. Any other failure
    /// (no descriptors left, a failing disk) says nothing of its bytes: it is only unloaded and tried again later.
    /// </summary>
    internal void DropUnusable(CacheFile file, TierIOException error)
    {
        bool wasEmpty = file.Pages.PresentCount == 0;
        bool isDamaged = error.Errno is Native.NoSuchFile or 0;
        if (wasEmpty || error.Errno != Native.NoSuchFile)
        {
            ReportFailure(error);
        }

        bool isRemoved = false;
        lock (_lock)
        {
            if (_entries.TryGetValue(file.Version.Id, out TierEntry? entry) && ReferenceEquals(entry.File, file))
            {
                if (wasEmpty || isDamaged)
                {
                    isRemoved = true;
                    RemoveLocked(entry);
                }
                else if (file.TryDetach())
                {
                    entry.IsWhole = file.IsWhole;
                    FoldLocked(entry, file);
                    entry.File = null;
                }
            }
        }

        if (isRemoved)
        {
            Discard(file.Entry, file, file.Entry.SizeBytes);
        }
    }
}
