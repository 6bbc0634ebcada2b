using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem.Tests;

/// <summary>A real mount point that counts what is to be stored, and what is asked of what is known.</summary>
internal sealed class CountingMount(IFileMountPoint inner) : IFileMountPoint
{
    private int _stores;
    private int _resolves;

    internal int Stores => Volatile.Read(ref _stores);

    internal int Resolves => Volatile.Read(ref _resolves);

    public string Name => inner.Name;

    public bool HasDirectories => inner.HasDirectories;

    public string Source => inner.Source;

    public DateTimeOffset MountedAt => inner.MountedAt;

    public ValueTask<long> BringAsync(ObjectStat stat, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _stores);
        return inner.BringAsync(stat, cancellationToken);
    }

    public void WatchForgotten(Action<string> watcher) => inner.WatchForgotten(watcher);

    public bool TryResolve(string path, NameDetail detail, out ResolvedName answer)
    {
        Interlocked.Increment(ref _resolves);
        return inner.TryResolve(path, detail, out answer);
    }

    public ValueTask<ResolvedName> ResolveAsync(string path, NameDetail detail, string? requestId, CancellationToken cancellationToken)
        => inner.ResolveAsync(path, detail, requestId, cancellationToken);

    public bool TryResolveMarker(string path, out ResolvedName marker) => inner.TryResolveMarker(path, out marker);

    public ValueTask<ResolvedName> ResolveMarkerAsync(string path, string? requestId, CancellationToken cancellationToken)
        => inner.ResolveMarkerAsync(path, requestId, cancellationToken);

    public ValueTask<DirectoryPage> ListDirectoryAsync(string prefix, string? after, int maxEntries, string? requestId, CancellationToken cancellationToken)
        => inner.ListDirectoryAsync(prefix, after, maxEntries, requestId, cancellationToken);

    public IFileReader OpenVersion(ObjectStat stat, string? requestId) => inner.OpenVersion(stat, requestId);

    public bool TryTakeWhole(ObjectStat stat, out FileSegment file) => inner.TryTakeWhole(stat, out file);

    public long CachedBytesOf(ObjectStat stat) => inner.CachedBytesOf(stat);

    public ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken) => inner.StatAsync(key, requestId, cancellationToken);

    public ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken)
        => inner.OpenAsync(key, wanted, requestId, cancellationToken);

    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken) => inner.ListAsync(query, requestId, cancellationToken);

    public ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken) => inner.RefreshAsync(keyOrPrefix, cancellationToken);
}
