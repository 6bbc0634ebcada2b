namespace Forebay.FileSystem;

/// <summary>
/// Bounds what open directories hold of their listings: over the bound, those that were read longest ago let theirs go. Where each reader is, is in the
/// inode table too: it is listed again from there. Thread-safe. Lock order: 1. the turn of the stream that is read, 2. the lock here; turns of others
/// are only tried.
/// </summary>
internal sealed class DirectoryMemory(long mostBytes)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<DirectoryStream> _byUse = new();
    private long _bytes;

    /// <summary>Bytes that are held.</summary>
    internal long Bytes => Volatile.Read(ref _bytes);

    /// <summary>A stream was read; the caller has its turn.</summary>
    internal void OnUsed(DirectoryStream stream)
    {
        lock (_lock)
        {
            if (stream.IsClosed)
            {
                return;
            }

            Remove(stream);
            _byUse.AddLast(stream.Use);
            stream.CountedBytes = stream.HeldBytes;
            _bytes += stream.CountedBytes;
            LinkedListNode<DirectoryStream>? next = _byUse.First;
            while (_bytes > mostBytes && next is not null && next != stream.Use)
            {
                DirectoryStream oldest = next.Value;
                next = next.Next;
                if (oldest.Turn.Wait(0))
                {
                    oldest.Rewind();
                    Remove(oldest);
                    oldest.Turn.Release();
                }
            }
        }
    }

    /// <summary>A stream is closed.</summary>
    internal void OnClosed(DirectoryStream stream)
    {
        lock (_lock)
        {
            stream.IsClosed = true;
            Remove(stream);
        }
    }

    private void Remove(DirectoryStream stream)
    {
        if (stream.Use.List is not null)
        {
            _byUse.Remove(stream.Use);
            _bytes -= stream.CountedBytes;
            stream.CountedBytes = 0;
        }
    }
}
