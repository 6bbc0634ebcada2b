using Forebay.Core;
using Forebay.Engine;

namespace Forebay.DataPlane.Tests;

/// <summary>A mount point that hesitates before it answers what a lender asks for a name.</summary>
/// <param name="inner">Answers.</param>
/// <param name="knowsNothing">Names are asked for in the pool, not by the thread of a connection.</param>
/// <param name="hesitate">Called before each answer.</param>
internal sealed class HesitantMountPoint(IFileMountPoint inner, bool knowsNothing, Action hesitate) : IFileMountPoint
{
    public string Name => inner.Name;

    public bool HasDirectories => inner.HasDirectories;

    public DateTimeOffset MountedAt => inner.MountedAt;

    public string Source => inner.Source;

    public bool TryResolve(string path, NameDetail detail, out ResolvedName answer)
    {
        answer = default;
        if (knowsNothing)
        {
            return false;
        }

        hesitate();
        return inner.TryResolve(path, detail, out answer);
    }

    public ValueTask<ResolvedName> ResolveAsync(string path, NameDetail detail, string? requestId, CancellationToken cancellationToken)
    {
        hesitate();
        return inner.ResolveAsync(path, detail, requestId, cancellationToken);
    }

    public bool TryTakeWhole(ObjectStat stat, out FileSegment file) => inner.TryTakeWhole(stat, out file);

    public void WatchForgotten(Action<string> watcher) => inner.WatchForgotten(watcher);

    public bool TryResolveMarker(string path, out ResolvedName marker) => inner.TryResolveMarker(path, out marker);

    public ValueTask<ResolvedName> ResolveMarkerAsync(string path, string? requestId, CancellationToken cancellationToken)
        => inner.ResolveMarkerAsync(path, requestId, cancellationToken);

    public ValueTask<DirectoryPage> ListDirectoryAsync(string prefix, string? after, int maxEntries, string? requestId, CancellationToken cancellationToken)
        => inner.ListDirectoryAsync(prefix, after, maxEntries, requestId, cancellationToken);

    public IFileReader OpenVersion(ObjectStat stat, string? requestId) => inner.OpenVersion(stat, requestId);

    public long CachedBytesOf(ObjectStat stat) => inner.CachedBytesOf(stat);

    public ValueTask<long> BringAsync(ObjectStat stat, CancellationToken cancellationToken) => inner.BringAsync(stat, cancellationToken);

    public ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken) => inner.StatAsync(key, requestId, cancellationToken);

    public ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken) => inner.OpenAsync(key, wanted, requestId, cancellationToken);

    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken) => inner.ListAsync(query, requestId, cancellationToken);

    public ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken) => inner.RefreshAsync(keyOrPrefix, cancellationToken);
}
