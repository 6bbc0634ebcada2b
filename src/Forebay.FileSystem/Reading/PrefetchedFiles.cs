namespace Forebay.FileSystem;

/// <summary>
/// Which prefetched files nobody has opened yet, to tell how many of them were wanted. A table of marks of fixed size: of two files with the same place the
/// later one stays, and the earlier one counts as not wanted. Thread-safe; takes no lock and, once it has marks, allocates nothing.
/// </summary>
internal sealed class PrefetchedFiles
{
    /// <summary>Marks; 512 KiB. A power of two.</summary>
    internal const int Capacity = 1 << 17;

    private int[]? _marks;
    private long _used;

    /// <summary>Files that were opened after they had been prefetched.</summary>
    internal long Used => Interlocked.Read(ref _used);

    /// <summary>A file is prefetched.</summary>
    internal void Add(string key)
    {
        int[] marks = Volatile.Read(ref _marks) ?? Interlocked.CompareExchange(ref _marks, new int[Capacity], null) ?? _marks!;
        int hash = key.GetHashCode(StringComparison.Ordinal);
        Volatile.Write(ref marks[hash & (Capacity - 1)], MarkOf(hash));
    }

    /// <summary>There was nothing to fetch.</summary>
    internal void Remove(string key) => TryTake(key);

    /// <summary>A file is opened; counts once.</summary>
    internal void OnOpen(string key)
    {
        if (TryTake(key))
        {
            Interlocked.Increment(ref _used);
        }
    }

    private bool TryTake(string key)
    {
        if (Volatile.Read(ref _marks) is not { } marks)
        {
            return false;
        }

        int hash = key.GetHashCode(StringComparison.Ordinal);
        ref int mark = ref marks[hash & (Capacity - 1)];
        return Volatile.Read(ref mark) == MarkOf(hash) && Interlocked.CompareExchange(ref mark, 0, MarkOf(hash)) == MarkOf(hash);
    }

    /// <summary>Never 0, which is an empty place.</summary>
    private static int MarkOf(int hash) => hash | int.MinValue;
}
