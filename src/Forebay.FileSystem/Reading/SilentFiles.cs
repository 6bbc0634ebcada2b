namespace Forebay.FileSystem;

/// <summary>
/// Files that the kernel opened without a message, by nodeid: no OPEN comes before their first read, no RELEASE after their last. One that was read whole at once is
/// let go; others stay until nobody has read them for a while, or so many others were read after them that they make way. Thread-safe.
/// </summary>
/// <param name="open">Makes the file of a nodeid; null when there is none. Called under the lock here, which comes before that of the inode table.</param>
/// <param name="time">Clock of the while.</param>
internal sealed class SilentFiles(Func<ulong, OpenFile?> open, TimeProvider time) : IDisposable
{
    /// <summary>Files that are kept while they are read in part; each may hold a descriptor, a loan, or what was read ahead for it.</summary>
    internal const int MaxFiles = 256;

    /// <summary>A file that was not read for so long is made anew when it is.</summary>
    internal static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, LinkedListNode<Entry>> _files = [];

    /// <summary>The one that was read last comes first.</summary>
    private readonly LinkedList<Entry> _order = new();
    private ITimer? _sweep;

    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _files.Count;
            }
        }
    }

    /// <summary>Begins a read of the file of a nodeid, which the caller ends; null when there is none.</summary>
    internal OpenFile? Begin(ulong nodeId)
    {
        OpenFile? file;
        OpenFile? last = null;
        lock (_lock)
        {
            if (_files.TryGetValue(nodeId, out LinkedListNode<Entry>? known))
            {
                _order.Remove(known);
                file = known.Value.File;
            }
            else
            {
                file = open(nodeId);
                if (file is null)
                {
                    return null;
                }

                known = new LinkedListNode<Entry>(default);
                _files.Add(nodeId, known);
                _sweep ??= time.CreateTimer(static state => ((SilentFiles)state!).Sweep(), this, IdleTime, IdleTime);
            }

            known.Value = new Entry(nodeId, file, time.GetTimestamp());
            _order.AddFirst(known);
            if (_files.Count > MaxFiles)
            {
                last = TakeLast();
            }

            // In here: what is in the table is not closed.
            _ = file.TryBegin();
        }

        last?.Dispose();
        return file;
    }

    /// <summary>Tells that all of a file was read at once: nobody is in the middle of it.</summary>
    internal void OnReadWhole(ulong nodeId, OpenFile file)
    {
        lock (_lock)
        {
            if (!_files.TryGetValue(nodeId, out LinkedListNode<Entry>? known) || known.Value.File != file)
            {
                return;
            }

            _files.Remove(nodeId);
            _order.Remove(known);
        }

        file.Dispose();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            while (_order.Count > 0)
            {
                TakeLast().Dispose();
            }

            _sweep?.Dispose();
            _sweep = null;
        }
    }

    private void Sweep()
    {
        lock (_lock)
        {
            while (_order.Last is { } oldest && time.GetElapsedTime(oldest.Value.ReadAt) >= IdleTime)
            {
                TakeLast().Dispose();
            }

            if (_order.Count == 0)
            {
                _sweep?.Dispose();
                _sweep = null;
            }
        }
    }

    private OpenFile TakeLast()
    {
        Entry last = _order.Last!.Value;
        _order.RemoveLast();
        _files.Remove(last.NodeId);
        return last.File;
    }

    private readonly record struct Entry(ulong NodeId, OpenFile File, long ReadAt);
}
