using System.Collections.Concurrent;
using Forebay.Engine;
using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>Open directories by handle, and until when the kernel may keep a listing. Thread-safe.</summary>
internal sealed class DirectoryStreams(IFileMountPoint mount, InodeTable table, TimeProvider time)
{
    private const int MostToldKeys = 1_000;
    private const int MostKeptListings = 100_000;
    private readonly ConcurrentDictionary<ulong, DirectoryStream> _streams = new();
    private readonly ConcurrentDictionary<ulong, long> _listedUntil = new();
    private readonly ConcurrentDictionary<string, bool> _told = new(StringComparer.Ordinal);
    private long _unshowableKeys;
    private long _hiddenObjects;

    internal long UnshowableKeys => Interlocked.Read(ref _unshowableKeys);

    internal long HiddenObjects => Interlocked.Read(ref _hiddenObjects);

    /// <summary>The stream of a handle; null when it is not open, or no directory.</summary>
    internal DirectoryStream? Find(ulong handle)
    {
        if (_streams.TryGetValue(handle, out DirectoryStream? stream))
        {
            return stream;
        }

        return table.TryGetHandle(handle, out HandleView view) && view.IsDirectory && table.PathOf(view.NodeId) is { } path
            ? _streams.GetOrAdd(handle, static (_, state) => new DirectoryStream(state.mount, NameRules.PrefixOf(state.path)), (mount, path))
            : null;
    }

    /// <summary>Forgets a handle.</summary>
    internal void Close(ulong handle) => _streams.TryRemove(handle, out _);

    /// <summary>The kernel has the listing of a directory now, and may keep it so long.</summary>
    internal void OnReadWhole(ulong nodeId, TimeSpan freshFor)
    {
        if (freshFor > TimeSpan.Zero && _listedUntil.Count < MostKeptListings)
        {
            double ticks = freshFor.TotalSeconds * time.TimestampFrequency;
            long now = time.GetTimestamp();
            _listedUntil[nodeId] = ticks >= long.MaxValue - (double)now ? long.MaxValue : now + (long)ticks;
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
    internal void Unlist(ulong nodeId) => _listedUntil.TryRemove(nodeId, out _);

    /// <summary>What the kernel has of all listings is wrong.</summary>
    internal void UnlistAll() => _listedUntil.Clear();

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

    private void TellOnce(ILogger logger, string key, string reason)
    {
        if (_told.Count < MostToldKeys && _told.TryAdd(key, true))
        {
            FileSystemLog.NotShown(logger, key, reason);
        }
    }
}
