using System.Runtime.CompilerServices;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Answer to a look-up of bytes in a <see cref="CacheFile"/>.</summary>
public enum SegmentStatus
{
    /// <summary>At least one byte is there, verified.</summary>
    Hit,

    /// <summary>The page is not in the file.</summary>
    Miss,

    /// <summary>The page is there, but must be checked before it is served.</summary>
    Unverified,

    /// <summary>The file was evicted, retired or unloaded: look it up again.</summary>
    Detached,
}

/// <summary>Answer to a wish to store one page.</summary>
public enum ReserveStatus
{
    /// <summary>There is room; write the page, then commit it.</summary>
    Reserved,

    /// <summary>The page is there already.</summary>
    Present,

    /// <summary>There is no room and nothing can be evicted, or the directory is failing: serve through.</summary>
    Refused,
}

/// <summary>
/// The cached bytes of one object version in one tier: a sparse file of exactly the object's length. At most one live instance exists per
/// version and tier.
/// </summary>
/// <remarks>
/// Lock order: 1. this file's lock, 2. the tier's lock. Reads of present pages take neither. While at least one reference is held the
/// handle stays open and no byte of a present page changes. An I/O failure leaves the page absent; the caller serves through.
/// </remarks>
public sealed partial class CacheFile : IFileReference
{
    private const int DetachedMark = int.MinValue / 2;
    private const int FinishedMark = DetachedMark / 2;
    private readonly Tier _tier;
    private readonly Lock _lock = new();
    private readonly HashSet<int> _reserved = [];
    private SafeFileHandle? _handle;
    private int _references;
    private int _queued;
    private int _isCommitting;
    private volatile bool _retired;
    private bool _whole;
    private bool _replacesAll;
    private bool _isUntrustedRowTaken;
    private long _unclaimedBytes;

    internal CacheFile(Tier tier, TierEntry entry, ObjectVersion version, int generation, PageMap pages, bool isNew, int sectionBytes = 0)
    {
        _tier = tier;
        Entry = entry;
        Version = version;
        Generation = generation;
        Pages = pages;
        _whole = !isNew && pages.AllPresent;
        _replacesAll = isNew;
        _unclaimedBytes = isNew || sectionBytes > 0 ? 0 : Math.Max(0, entry.SizeBytes - pages.StoredBytes);
        if (sectionBytes > 0)
        {
            Sections = new SectionTable(version.Length, sectionBytes) { MayPunch = isNew };
            CountSections(Sections);
        }
    }

    /// <summary>The version whose bytes these are.</summary>
    public ObjectVersion Version { get; }

    /// <summary>Length of the object and of the file, bytes.</summary>
    public long Length => Version.Length;

    /// <summary>Unit of validity, bytes.</summary>
    public int PageSizeBytes => Pages.PageSizeBytes;

    /// <summary>Number of pages; the last one may be short.</summary>
    public int PageCount => Pages.PageCount;

    /// <summary>True when every page is present and verified: the file may be handed out as it is.</summary>
    public bool IsWholeAndVerified => Pages.AllVerified && !_retired && !IsPartial;

    /// <summary>True when every page is present, and none can leave but with all others.</summary>
    public bool IsWhole => Pages.AllPresent && !IsPartial;

    /// <summary>False once it was evicted, retired or unloaded: look the version up again.</summary>
    public bool IsUsable => !_retired && Volatile.Read(ref _references) >= 0;

    /// <summary>Directory of the tier that holds the file.</summary>
    public string TierPath => _tier.Path;

    internal TierEntry Entry { get; }

    internal int Generation { get; }

    internal PageMap Pages { get; }

    /// <summary>True while the index does not say all that is here: unloaded now, the file could not be found.</summary>
    internal bool IsDirty => Volatile.Read(ref _queued) != 0 || Volatile.Read(ref _isCommitting) != 0;

    internal bool IsRetired => _retired;

    internal bool IsReferenced => Volatile.Read(ref _references) > 0;

    internal bool IsOpen => Volatile.Read(ref _handle) is not null;

    /// <summary>Takes a reference and opens the file if it is not open.</summary>
    /// <param name="handle">Open for reading and writing; valid until <see cref="Release()"/>.</param>
    /// <returns>False when the file is gone: look the version up again.</returns>
    public bool TryAcquire(out SafeFileHandle? handle)
    {
        if (!TryReference())
        {
            handle = null;
            return false;
        }

        handle = Volatile.Read(ref _handle);
        return handle is not null || OpenHandle(out handle);
    }

    /// <summary>Gives back a reference of <see cref="TryAcquire"/>.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0 && _retired)
        {
            FinishRetirement();
        }
    }

    /// <summary>Gives verified bytes from <paramref name="offset"/> on, with a reference that the caller gives back by disposing the segment.</summary>
    /// <param name="offset">First byte, 0 ≤ offset &lt; length.</param>
    /// <param name="maxLength">Most bytes wanted, &gt; 0.</param>
    /// <param name="segment">Set only on <see cref="SegmentStatus.Hit"/>.</param>
    public SegmentStatus TryGetSegment(long offset, long maxLength, out FileSegment segment)
    {
        segment = default;
        if (!TryAcquire(out SafeFileHandle? handle))
        {
            return SegmentStatus.Detached;
        }

        long most = Math.Min(Length, offset + maxLength);
        if (Sections is { } sections)
        {
            // One section at a time: what is given out must be held, and the next one may be on its way out.
            int index = sections.IndexOf(offset);
            most = Math.Min(most, sections.StartOf(index + 1));
            if (!sections.TryHold(index))
            {
                // It is being punched: its pages are as good as gone.
                Release();
                return SegmentStatus.Miss;
            }
        }

        long end = Pages.VerifiedEnd(offset, most);
        if (end > offset)
        {
            segment = new FileSegment(handle!, offset, end - offset, this);
            if (Sections is not null)
            {
                _tier.TouchSection(this, offset);
            }

            return SegmentStatus.Hit;
        }

        SegmentStatus status = Pages.IsPresent(Pages.PageOf(offset)) ? SegmentStatus.Unverified : SegmentStatus.Miss;
        Release(new ByteRange(offset, most - offset));
        return status;
    }

    /// <summary>True when the page is present, verified or not. What is being punched is as good as gone: whoever wants it waits in a fill, as for what is missing.</summary>
    public bool IsPresent(int page) => Pages.IsPresent(page) && Sections?.IsClosed(Sections.IndexOf(Pages.OffsetOf(page))) != true;

    /// <summary>Bytes of one page.</summary>
    public int LengthOf(int page) => Pages.LengthOf(page);

    /// <summary>Its bytes could not be read, or it is shorter than it was: it is dropped and counted, and fetched again.</summary>
    public void GiveUp() => _tier.DropUnusable(this, new TierIOException("read", "a cache file", 0));

    /// <summary>Records a use for eviction; allocates nothing, takes no lock.</summary>
    public void Touch() => _tier.Touch(Entry);

    /// <summary>Asks for room for one page. The caller holds its range and is the only one who asks for this page.</summary>
    public ReserveStatus Reserve(int page)
    {
        long bytes = Tier.BlocksOf(Pages.LengthOf(page));
        lock (_lock)
        {
            if (Pages.IsPresent(page))
            {
                return ReserveStatus.Present;
            }

            if (_retired || _whole)
            {
                return ReserveStatus.Refused;
            }

            if (_reserved.Contains(page))
            {
                return ReserveStatus.Reserved;
            }

            if (IsPartial && Pages.PresentCount + _reserved.Count >= PageCount - 1)
            {
                // Complete it could be taken for a file that nothing is ever punched in.
                return ReserveStatus.Refused;
            }

            if (_unclaimedBytes >= bytes)
            {
                // Reserved in a former life of this object (a fill that was interrupted, then the file was unloaded) and still counted.
                _unclaimedBytes -= bytes;
                _reserved.Add(page);
                return ReserveStatus.Reserved;
            }

            _reserved.Add(page);
        }

        // Outside the lock: to make room, pages of other files may be forgotten, under their locks.
        if (_tier.TryReserve(Entry, bytes, Sections?.IndexOf(Pages.OffsetOf(page)) ?? -1))
        {
            return ReserveStatus.Reserved;
        }

        lock (_lock)
        {
            _reserved.Remove(page);
        }

        return ReserveStatus.Refused;
    }

    /// <summary>Writes bytes of reserved pages. The caller holds their range and is the only writer of these pages.</summary>
    /// <returns>False when the disk failed; the tier has counted it and the pages stay absent.</returns>
    public bool Write(long offset, ReadOnlySpan<byte> data)
    {
        try
        {
            LocalFile.Write(_handle!, data, offset);
            return true;
        }
        catch (TierIOException e)
        {
            _tier.ReportFailure(e);
            return false;
        }
    }

    /// <summary>Declares a page that was written whole as present and verified.</summary>
    /// <param name="page">Number of the page.</param>
    /// <param name="checksum">CRC-32C of its bytes.</param>
    public void Commit(int page, uint checksum)
    {
        lock (_lock)
        {
            if (_retired)
            {
                return;
            }

            _reserved.Remove(page);
            Pages.Set(page, checksum);
            _whole |= Pages.AllPresent && !IsPartial;
        }

        MarkDirty();
    }

    internal void MarkDirty()
    {
        // A copy that is not complete has no row: after a death it is an orphan, and nothing counts twice.
        if (!Entry.IsIncoming && Interlocked.Exchange(ref _queued, 1) == 0)
        {
            _tier.EnqueueDirty(this);
        }
    }

    /// <summary>Takes what must go to the index; null when the file is gone meanwhile.</summary>
    internal IndexChange? TakeIndexChange(string bootId)
    {
        // In this order: openers unload files beside the commit, and must see one of the two.
        Volatile.Write(ref _isCommitting, 1);
        Volatile.Write(ref _queued, 0);
        if (!TryAcquire(out SafeFileHandle? handle))
        {
            EndCommit();
            return null;
        }

        try
        {
            List<ExtentRow> extents = [];
            lock (_lock)
            {
                FileIdentity identity = LocalFile.Identify(handle!);
                Pages.TakeDirty(extents);
                bool mayBePunched = IsPartial && !_tier.IsClosing;
                bool trusted = !mayBePunched && (Volatile.Read(ref _whole) ? Pages.AllVerified : Pages.AllPresentVerified);
                _isUntrustedRowTaken = mayBePunched;
                var use = SavedUse.Of(Entry);
                Entry.SavedUseSeconds = use.UsedAtSeconds;
                Entry.IsSavedAsFrequent = use.IsFrequent;
                var row = new ObjectRow(Version, Generation, Entry.SizeBytes, _whole, identity, trusted ? bootId : "", use.UsedAtSeconds, use.IsFrequent);
                bool replacesAll = _replacesAll;
                _replacesAll = false;
                return new IndexChange(Version.Id, row, extents, replacesAll);
            }
        }
        finally
        {
            Release();
        }
    }

    /// <summary>What <see cref="TakeIndexChange"/> gave is in the index, or never will be.</summary>
    internal void EndCommit() => Volatile.Write(ref _isCommitting, 0);

    /// <summary>Puts everything back into the queue after a commit that failed.</summary>
    internal void RestoreDirty()
    {
        lock (_lock)
        {
            Pages.MarkDirty();
            _replacesAll = true;
        }

        MarkDirty();
        EndCommit();
    }

    /// <summary>Ends the life of an unreferenced file object; lock-free, so that the tier can call it under its lock.</summary>
    internal bool TryDetach()
        => Interlocked.CompareExchange(ref _references, DetachedMark, 0) == 0;

    /// <summary>Closes the handle of a detached file.</summary>
    internal void Close() => Interlocked.Exchange(ref _handle, null)?.Dispose();

    /// <summary>No new references from now on; what is held goes on. The tier has removed it from its table.</summary>
    /// <returns>True when nothing held it and it is closed; false when the last <see cref="Release()"/> will finish.</returns>
    internal bool Retire()
    {
        _retired = true;
        int seen = Interlocked.CompareExchange(ref _references, DetachedMark, 0);
        if (seen == 0)
        {
            Close();
            return true;
        }

        // Unloaded before: nothing holds it. Finished by the last Release a moment ago: that has told the tier already.
        return seen == DetachedMark;
    }

    private bool TryReference()
    {
        int seen = Volatile.Read(ref _references);
        while (true)
        {
            if (seen < 0 || _retired)
            {
                return false;
            }

            int actual = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (actual == seen)
            {
                return true;
            }

            seen = actual;
        }
    }

    private void FinishRetirement()
    {
        if (Interlocked.CompareExchange(ref _references, FinishedMark, 0) == 0)
        {
            Close();
            _tier.OnRetiredFileClosed(Entry);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool OpenHandle(out SafeFileHandle? handle)
    {
        lock (_lock)
        {
            if (_retired)
            {
                // Whoever retired it found no handle to close: it must stay so.
                Release();
                handle = null;
                return false;
            }

            if (_handle is null)
            {
                try
                {
                    _handle = _tier.OpenData(this);
                }
                catch (TierIOException e)
                {
                    Release();
                    _tier.DropUnusable(this, e);
                    handle = null;
                    return false;
                }
            }

            handle = _handle;
            return true;
        }
    }
}
