using Forebay.Core;

namespace Forebay.Engine;

/// <summary>The tree that edges serve: mount points by name. Thread-safe.</summary>
public interface INamespace
{
    /// <summary>All mount points in order of their names.</summary>
    IReadOnlyList<IMountPoint> MountPoints { get; }

    /// <summary>Finds a mount point; null when there is none of that name.</summary>
    IMountPoint? Find(string name);
}

/// <summary>
/// One mount point as edges see it: an under-store prefix behind the cache. Keys here are relative to the mount point's prefix.
/// Thread-safe. Errors are <see cref="ForebayException"/> as documented at <see cref="IUnderStore"/>.
/// </summary>
public interface IMountPoint
{
    /// <summary>First path segment in the namespace and bucket name of the S3 endpoint.</summary>
    string Name { get; }

    /// <summary>When this node mounted it; stands in for a bucket's creation date.</summary>
    DateTimeOffset MountedAt { get; }

    /// <summary>As <see cref="IUnderStore.HasDirectories"/> of what it leads to.</summary>
    bool HasDirectories { get; }

    /// <summary>
    /// Stat of one object, from the metadata cache while it is fresh; completes synchronously then.
    /// <see cref="ObjectStat.Headers"/> is never null in the result.
    /// </summary>
    ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken);

    /// <summary>
    /// Opens the current version of an object for reading. Completes synchronously and asks no store while its metadata is fresh (on an
    /// event loop also only while its cache file is open: <see cref="LoopThread"/>).
    /// Where it is not, and <paramref name="wanted"/> is given, the first ranged read is also the stat.
    /// </summary>
    /// <param name="key">Key below the mount point.</param>
    /// <param name="wanted">The bytes the caller is about to read in order (end = <see cref="long.MaxValue"/> - offset for "to the end"), as a hint for
    /// the first range and the read-ahead; null when unknown (the object is then stat'ed).</param>
    /// <param name="requestId">Passed on to the under-store.</param>
    /// <param name="cancellationToken">Ends the wait only.</param>
    ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken);

    /// <summary>Lists one page; names in the result are relative to the mount point's prefix. See <see cref="ListQuery"/>.</summary>
    ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken);

    /// <summary>
    /// Forgets what is known about a key (or, with a trailing <c>/</c> or empty, about everything below a prefix), so that the next
    /// use asks the under-store. Cached bytes stay; they are used again if the version is still the same.
    /// </summary>
    ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken);
}

/// <summary>
/// An open handle on one version of one object. It serves bytes of that version only, or fails with
/// <see cref="ErrorKind.StaleVersion"/>. Not thread-safe: one reader, one request or file handle. Dispose it.
/// </summary>
public interface IObjectReader : IDisposable
{
    /// <summary>The version being read, with headers.</summary>
    ObjectStat Stat { get; }

    /// <summary>
    /// Gives the next bytes as a piece of a local file that may be sent by <c>sendfile</c>, waiting for at least one byte to be
    /// there and filling on a miss.
    /// </summary>
    /// <param name="offset">First byte wanted, 0 ≤ offset &lt; length.</param>
    /// <param name="maxLength">Most bytes wanted, &gt; 0.</param>
    /// <param name="cancellationToken">Ends this wait, not the shared fill.</param>
    /// <returns>A piece that begins at <paramref name="offset"/> and holds 1 to <paramref name="maxLength"/> bytes, to be disposed after
    /// use; or one with <see cref="FileSegment.IsEmpty"/> when the bytes are in no file (no cache tier, or its disk is full or
    /// failing): use <see cref="ReadAsync"/> then.</returns>
    ValueTask<FileSegment> GetSegmentAsync(long offset, long maxLength, CancellationToken cancellationToken);

    /// <summary>
    /// Tells that a segment's file failed or ended while it was sent: the file is given up, later reads of this and other readers
    /// fetch anew. Does nothing where there is no file.
    /// </summary>
    void ReportUnreadable();

    /// <summary>Copies the next bytes, filling on a miss; works with and without a cache tier.</summary>
    /// <param name="offset">First byte wanted, ≥ 0.</param>
    /// <param name="destination">Caller-owned; written only in [0, result).</param>
    /// <param name="cancellationToken">Ends this wait, not the shared fill.</param>
    /// <returns>Bytes copied, 0 only at or past the end of the object.</returns>
    ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken);
}
