namespace Forebay.FileSystem;

/// <summary>
/// Files that the kernel opened without a message, by nodeid: no OPEN comes before their first read, no RELEASE after their last. One is kept from its first
/// read to that of its last byte, or until so many others were read after it that it makes way. Thread-safe.
/// </summary>
/// <param name="open">Makes the file of a nodeid; null when there is none.</param>
internal sealed class SilentFiles(Func<ulong, OpenFile?> open) : IDisposable
{
    /// <summary>Files that are kept while they are read in part; each may hold a descriptor.</summary>
    internal const int MaxFiles = 256;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, LinkedListNode<Entry>> _files = [];

    /// <summary>The one that was read last comes first.</summary>
    private readonly LinkedList<Entry> _order = new();

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
                _order.AddFirst(known);
                file = known.Value.File;
            }
            else
            {
                file = open(nodeId);
                if (file is null)
                {
                    return null;
                }

                _files.Add(nodeId, _order.AddFirst(new Entry(nodeId, file)));
                if (_files.Count > MaxFiles)
                {
                    last = _order.Last!.Value.File;
                    _files.Remove(_order.Last.Value.NodeId);
                    _order.RemoveLast();
                }
            }

            // In here: what is in the table is not closed.
            _ = file.TryBegin();
        }

        last?.Dispose();
        return file;
    }

    /// <summary>Tells that a file was read up to a place; one that was read to its end is let go.</summary>
    internal void OnRead(ulong nodeId, OpenFile file, long end)
    {
        if (end < file.Stat.Length)
        {
            return;
        }

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
            foreach (Entry entry in _order)
            {
                entry.File.Dispose();
            }

            _files.Clear();
            _order.Clear();
        }
    }

    private readonly record struct Entry(ulong NodeId, OpenFile File);
}
