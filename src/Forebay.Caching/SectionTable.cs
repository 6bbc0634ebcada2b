using System.Numerics;
using Forebay.Caching.Eviction;

namespace Forebay.Caching;

/// <summary>A run of pages of a partial file that leave together: one node of the eviction policy. Exists while it takes room. Guarded by the tier's lock.</summary>
internal sealed class Section(CacheFile file, int index) : EvictionNode(HashOf(file.Version.Id.Low, index), 0)
{
    /// <summary>A reader that goes through a section by ranges uses it once (correlated references; LRU-K, O'Neil 1993).</summary>
    private const int SecondsBetweenUses = 2;

    private int _countedAtSeconds = file.NowSeconds;

    internal CacheFile File { get; } = file;

    internal int Index { get; } = index;

    public override bool CanEvict => File.Entry.MayLeaveInPart && File.Sections!.MayClose(Index);

    /// <summary>Counts a use; uses that are close together, or to the one that filled it, are none. Racily, at worst it counts late.</summary>
    internal bool CountUse(int nowSeconds)
    {
        if (nowSeconds - Volatile.Read(ref _countedAtSeconds) < SecondsBetweenUses)
        {
            return false;
        }

        Volatile.Write(ref _countedAtSeconds, nowSeconds);
        return true;
    }

    private static ulong HashOf(ulong version, int index)
    {
        ulong mixed = (version + (ulong)index + 1) * 0x9E3779B97F4A7C15UL;
        return mixed ^ (mixed >> 29);
    }
}

/// <summary>
/// The sections of one partial file, and how many hold each: readers of its bytes and fills that write into it. A section that is held is never
/// punched; one that is being punched cannot be held.
/// </summary>
/// <remarks>
/// Thread-safety: holds are lock-free. <see cref="At"/>, <see cref="Add"/>, <see cref="TakeOut"/> and what is said of folding belong to the tier's lock.
/// A file with few bytes is <em>folded</em>: one node of the policy, evicted as a whole. One with more is unfolded: a node for each section.
/// </remarks>
internal sealed class SectionTable
{
    /// <summary>
    /// Least section, bytes: the largest folio of a page cache. A hole that covers a folio in part zeroes that part in place, also
    /// under a socket buffer that still refers to it after <c>sendfile</c> has returned; a folio that it covers whole is only let go.
    /// </summary>
    internal const int LeastBytes = 2 << 20;

    internal const int MostBytes = 16 << 20;

    private const int Closed = int.MinValue / 2;
    private readonly Section?[] _sections;
    private readonly int[] _holds;
    private readonly int _shift;
    private volatile bool _mayPunch;

    internal SectionTable(long length, int sectionBytes)
    {
        _shift = BitOperations.Log2((uint)sectionBytes);
        int count = checked((int)((length + sectionBytes - 1) >> _shift));
        _sections = new Section?[count];
        _holds = new int[count];
    }

    internal bool IsUnfolded { get; set; }

    /// <summary>Bytes on the disk beyond what is counted for sections: left by a process that died. Counted until punching has found them gone.</summary>
    internal long StrayBytes { get; set; }

    /// <summary>The file is older than this object: pages and blocks may differ.</summary>
    internal bool MayHaveStray { get; set; }

    internal int Count => _holds.Length;

    /// <summary>True when no row of the index says that pages of the file may be believed without a check; see docs/adr/0010.</summary>
    internal bool MayPunch
    {
        get => _mayPunch;
        set => _mayPunch = value;
    }

    /// <summary>Size of a section for a directory: a power of two, small against the quota, never smaller than a page.</summary>
    internal static int BytesFor(long quotaBytes, int pageSizeBytes)
    {
        long share = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(1, (quotaBytes / 512) + 1));
        return Math.Max(pageSizeBytes, (int)Math.Clamp(share, LeastBytes, MostBytes));
    }

    internal int IndexOf(long offset) => (int)(offset >> _shift);

    internal long StartOf(int index) => (long)index << _shift;

    /// <summary>Holds a section; false while it is being punched. Never waits: a disk that hangs would keep the caller.</summary>
    internal bool TryHold(int index)
    {
        if (Interlocked.Increment(ref _holds[index]) > 0)
        {
            return true;
        }

        Interlocked.Decrement(ref _holds[index]);
        return false;
    }

    /// <exception cref="InvalidOperationException">Nobody held it: a bug of the caller, which would let bytes leave under their readers.</exception>
    internal void Release(int index)
    {
        if (Interlocked.Decrement(ref _holds[index]) < 0)
        {
            Interlocked.Increment(ref _holds[index]);
            throw new InvalidOperationException("A section of a cache file was released more often than held.");
        }
    }

    internal bool MayClose(int index) => _mayPunch && Volatile.Read(ref _holds[index]) == 0;

    /// <summary>Keeps everybody out of a section that nobody holds, until <see cref="Reopen"/>.</summary>
    internal bool TryClose(int index) => Interlocked.CompareExchange(ref _holds[index], Closed, 0) == 0;

    /// <summary>True while nobody can hold a section, for it is being punched.</summary>
    internal bool IsClosed(int index) => Volatile.Read(ref _holds[index]) < 0;

    internal void Reopen(int index) => Interlocked.Add(ref _holds[index], -Closed);

    internal Section? At(int index) => Volatile.Read(ref _sections[index]);

    internal void Add(Section section) => Volatile.Write(ref _sections[section.Index], section);

    internal void TakeOut(Section section) => Volatile.Write(ref _sections[section.Index], null);

    internal IEnumerable<Section> Present() => _sections.OfType<Section>();
}
