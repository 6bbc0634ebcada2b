using System.Collections.Concurrent;
using Forebay.Engine;
using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>Open directories by handle, and until when the kernel may keep a listing. Thread-safe.</summary>
internal sealed class DirectoryStreams(IFileMountPoint mount, InodeTable table, long mostBytes, TimeProvider time)
{
    internal const int MostKeptListings = 100_000;
    private const int MostToldKeys = 1_000;
    private readonly ConcurrentDictionary<ulong, DirectoryStream> _streams = new();
    private readonly ConcurrentDictionary<ulong, long> _listedUntil = new();
    private readonly ConcurrentDictionary<string, bool> _told = new(StringComparer.Ordinal);
    private readonly DirectoryMemory _memory = new(mostBytes);
    private long _unshowableKeys;
    private long _hiddenObjects;

    internal long UnshowableKeys => Interlocked.Read(ref _unshowableKeys);

    internal long HiddenObjects => Interlocked.Read(ref _hiddenObjects);

    /// <summary>Memory of listings that open directories hold.</summary>
    internal long HeldBytes => _memory.Bytes;

    /// <summary>The stream of a handle; null when it is not open, or no directory.</summary>
    internal DirectoryStream? Find(ulong handle)
    {
        if (_streams.TryGetValue(handle, out DirectoryStream? stream))
        {
            return stream;
        }

        return table.TryGetHandle(handle, out HandleView view) && view.IsDirectory && table.PathOf(view.NodeId) is { } path
            ? _streams.GetOrAdd(handle, static (_, state) => new DirectoryStream(state.mount, state.NodeId, NameRules.PrefixOf(state.path), state.time), (mount, view.NodeId, path, time))
            : null;
    }

    /// <summary>A request on a stream has ended.</summary>
    internal void EndTurn(DirectoryStream stream)
    {
        _memory.OnUsed(stream);
        stream.Turn.Release();
    }

    /// <summary>Forgets a handle.</summary>
    internal void Close(ulong handle)
    {
        if (_streams.TryRemove(handle, out DirectoryStream? stream))
        {
            _memory.OnClosed(stream);
        }
    }

    /// <summary>The kernel has the listing of a directory now, and may keep it as long as the stream may be believed.</summary>
    internal void OnReadWhole(DirectoryStream stream)
    {
        long until = stream.BelievedUntil;
        if (until <= time.GetTimestamp())
        {
            return;
        }

        if (_listedUntil.Count >= MostKeptListings)
        {
            MakeRoom();
        }

        _listedUntil[stream.NodeId] = until;
        if (stream.BelievedUntil != until)
        {
            // Forgotten meanwhile: whoever did that may have come too early to take this away.
            _listedUntil.TryRemove(stream.NodeId, out _);
        }
    }

    /// <summary>True while the kernel's copy of a listing may be used.</summary>
    internal bool IsListed(ulong nodeId)
    {
        if (!_listedUntil.TryGetValue(nodeId, out long until))
        {
            return false;
        }

        if (time.GetTimestamp() < until)
        {
            return true;
        }

        _listedUntil.TryRemove(nodeId, out _);
        return false;
    }

    /// <summary>True when somebody listed the directory that an inode lies in.</summary>
    internal bool WasListed(ulong nodeId) => table.TryGet(nodeId, out InodeView view) && _listedUntil.ContainsKey(view.Parent);

    /// <summary>What the kernel has of a listing is wrong.</summary>
    internal void Unlist(ulong nodeId)
    {
        foreach ((_, DirectoryStream stream) in _streams)
        {
            if (stream.NodeId == nodeId)
            {
                stream.Forget();
            }
        }

        _listedUntil.TryRemove(nodeId, out _);
    }

    /// <summary>What the kernel has of all listings is wrong.</summary>
    internal void UnlistAll()
    {
        foreach ((_, DirectoryStream stream) in _streams)
        {
            stream.Forget();
        }

        _listedUntil.Clear();
    }

    /// <summary>Counts a key that is no path, and names it in the log once.</summary>
    internal void CountUnshowable(ILogger logger, string key)
    {
        Interlocked.Increment(ref _unshowableKeys);
        TellOnce(logger, key, $"a name is 1 to {InodeTable.MostNameBytes} bytes of text and neither '.' nor '..'");
    }

    /// <summary>Counts an object that a directory hides, and names it in the log once.</summary>
    internal void CountHidden(ILogger logger, string key)
    {
        Interlocked.Increment(ref _hiddenObjects);
        TellOnce(logger, key, "a directory has the same name");
    }

    /// <summary>Takes away what is over; when that is less than half, all: a listing that is not known here is only read again.</summary>
    private void MakeRoom()
    {
        long now = time.GetTimestamp();
        foreach ((ulong nodeId, long until) in _listedUntil)
        {
            if (until <= now)
            {
                _listedUntil.TryRemove(nodeId, out _);
            }
        }

        if (_listedUntil.Count > MostKeptListings / 2)
        {
            _listedUntil.Clear();
        }
    }

    private void TellOnce(ILogger logger, string key, string reason)
    {
        if (_told.Count < MostToldKeys && _told.TryAdd(key, true))
        {
            FileSystemLog.NotShown(logger, key, reason);
        }
    }
}
