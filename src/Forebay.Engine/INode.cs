using Forebay.Core;
using Forebay.Engine.Status;

namespace Forebay.Engine;

/// <summary>
/// A node as its operators see it. Paths are <c>/name/key…</c> in the namespace; a path that ends in <c>/</c> or names a mount
/// point means everything below it, any other path means that one object (or, if there is none, everything below <c>path/</c>).
/// Thread-safe. An unknown mount point is <see cref="ErrorKind.NotFound"/>, an unusable path <see cref="ErrorKind.InvalidArgument"/>.
/// </summary>
public interface INode : INamespace
{
    /// <summary>Figures of the node at this moment.</summary>
    NodeStatus GetStatus();

    /// <summary>One object: its stat and what of it is cached.</summary>
    Task<PathDescription> DescribeAsync(string path, CancellationToken cancellationToken);

    /// <summary>Sums up what lies below a path and how much of it is cached.</summary>
    Task<DiskUsage> MeasureAsync(string path, CancellationToken cancellationToken);

    /// <summary>Starts to bring everything below the paths into the cache. Objects that are cached whole already are counted and skipped,
    /// so that an interrupted load resumes where it was.</summary>
    Task<LoadStatus> StartLoadAsync(LoadRequest request, CancellationToken cancellationToken);

    /// <summary>Loads of this process, newest first, at most 100.</summary>
    IReadOnlyList<LoadStatus> Loads { get; }

    /// <summary>One load; null when unknown.</summary>
    LoadStatus? FindLoad(string id);

    /// <summary>Stops a load; what it brought stays cached. False when unknown or ended.</summary>
    bool CancelLoad(string id);

    /// <summary>Drops cached bytes below a path (the under-store is not touched). Pinned objects are kept unless <paramref name="pinnedToo"/>.</summary>
    Task<CacheChange> FreeAsync(string path, bool pinnedToo, bool dryRun, CancellationToken cancellationToken);

    /// <summary>Forbids the eviction of what is or will be cached below a path; kept over restarts.</summary>
    /// <returns>What is cached of it.</returns>
    Task<CacheChange> PinAsync(string path, CancellationToken cancellationToken);

    /// <summary>Takes back what was pinned at and below a path. The source is not asked.</summary>
    /// <returns>What of that is cached.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: a pin above the path holds it.</exception>
    CacheChange Unpin(string path);

    /// <summary>What is pinned, by path.</summary>
    IReadOnlyList<PinDescription> GetPins();

    /// <summary>Forgets metadata below a path; see <see cref="IMountPoint.RefreshAsync"/>.</summary>
    Task RefreshAsync(string path, CancellationToken cancellationToken);
}

/// <summary>An object and its state in the cache.</summary>
/// <param name="Path">Path in the namespace.</param>
/// <param name="Stat">What the under-store says.</param>
/// <param name="CachedBytes">Bytes of this version in the cache.</param>
/// <param name="Tiers">Directories that hold them.</param>
/// <param name="Pinned">Eviction is forbidden.</param>
public sealed record PathDescription(string Path, ObjectStat Stat, long CachedBytes, IReadOnlyList<string> Tiers, bool Pinned);

/// <summary>A pinned path.</summary>
/// <param name="Path">Path in the namespace; everything below it when it ends in a slash.</param>
/// <param name="CachedObjects">Object versions below it of which something is cached.</param>
/// <param name="CachedBytes">Bytes of them in the cache.</param>
public sealed record PinDescription(string Path, long CachedObjects, long CachedBytes);

/// <summary>Sums over a path.</summary>
/// <param name="Objects">Objects below the path.</param>
/// <param name="Bytes">Their bytes in the under-store.</param>
/// <param name="CachedObjects">Objects whose current version is cached whole.</param>
/// <param name="CachedBytes">Bytes of current versions in the cache.</param>
public sealed record DiskUsage(long Objects, long Bytes, long CachedObjects, long CachedBytes);

/// <summary>What to load.</summary>
/// <param name="Paths">One or more paths.</param>
/// <param name="Pin">Pin what is loaded.</param>
/// <param name="Parallelism">Objects fetched at the same time, 1–256.</param>
public sealed record LoadRequest(IReadOnlyList<string> Paths, bool Pin = false, int Parallelism = 16);

/// <summary>State of a load.</summary>
public enum LoadState
{
    /// <summary>Listing and fetching.</summary>
    Running,

    /// <summary>All objects are cached.</summary>
    Succeeded,

    /// <summary>Ended with at least one object that could not be cached.</summary>
    Failed,

    /// <summary>Stopped by a person.</summary>
    Canceled,
}

/// <summary>Progress of a load at one moment. Totals grow until <paramref name="ListingComplete"/>.</summary>
/// <param name="Id">Names the load.</param>
/// <param name="Paths">What is loaded.</param>
/// <param name="State">Where it stands.</param>
/// <param name="StartedAt">Start.</param>
/// <param name="EndedAt">End; null while it runs.</param>
/// <param name="ListingComplete">True when the totals are final.</param>
/// <param name="TotalObjects">Objects seen by the listing.</param>
/// <param name="TotalBytes">Their bytes.</param>
/// <param name="DoneObjects">Objects cached whole, those that were so before included.</param>
/// <param name="DoneBytes">Bytes cached, those that were so before included.</param>
/// <param name="FetchedBytes">Bytes this load brought.</param>
/// <param name="FailedObjects">Objects that could not be cached.</param>
/// <param name="LastError">Why the last of them failed.</param>
public sealed record LoadStatus(
    string Id,
    IReadOnlyList<string> Paths,
    LoadState State,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    bool ListingComplete,
    long TotalObjects,
    long TotalBytes,
    long DoneObjects,
    long DoneBytes,
    long FetchedBytes,
    long FailedObjects,
    string? LastError);

/// <summary>What a change to the cache reached.</summary>
/// <param name="Objects">Objects concerned.</param>
/// <param name="Bytes">Cached bytes concerned.</param>
/// <param name="PinnedObjects">Objects that were left as they are because they are pinned.</param>
public sealed record CacheChange(long Objects, long Bytes, long PinnedObjects = 0);
