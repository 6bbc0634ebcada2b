namespace Forebay.Core;

/// <summary>
/// The store below the cache, the source of truth, seen read-only. Implementations are thread-safe, hold no cached data, and
/// do not retry: the engine owns retries, deadlines, rates and concurrency.
/// </summary>
/// <remarks>
/// Every method throws only <see cref="ForebayException"/> (see <see cref="ErrorKind"/>),
/// <see cref="OperationCanceledException"/> when its token is cancelled, and <see cref="ArgumentException"/> for bugs.
/// Keys are full keys of the under-store, at most 1,024 bytes of UTF-8. <c>requestId</c> is passed on to the store where it has
/// a place for it, so that one request can be followed through all logs; null when there is none.
/// </remarks>
public interface IUnderStore : IAsyncDisposable
{
    /// <summary>Identity of the store, the same for every mount point of it.</summary>
    UnderStoreId Id { get; }

    /// <summary>Where the store is, for people: scheme, endpoint, bucket or root. Holds no secret.</summary>
    string DisplayName { get; }

    /// <summary>
    /// True when there are directories besides the names of objects, also empty ones: then a listing without delimiter says less than those with one, and may
    /// cost as many steps as it has directories. A store that learns of it from an answer says false before.
    /// </summary>
    bool HasDirectories { get; }

    /// <summary>Asks for one object.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NotFound"/>, <see cref="ErrorKind.AccessDenied"/>,
    /// <see cref="ErrorKind.Throttled"/>, <see cref="ErrorKind.Timeout"/>, <see cref="ErrorKind.Unavailable"/>.</exception>
    Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken);

    /// <summary>
    /// Starts to read a range. The returned read carries the stat of the version whose bytes it streams, so the first ranged
    /// read of an unknown object is also its stat.
    /// </summary>
    /// <param name="key">Full key.</param>
    /// <param name="range">Wanted bytes; <see cref="ByteRange.Length"/> &gt; 0. It may reach past the end: the read is then shorter.</param>
    /// <param name="expected">The version these bytes must belong to, or null for whichever is current. With a store that has
    /// conditional reads this is <c>If-Match</c>; without, the version is compared before the first and after the last byte.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    /// <param name="cancellationToken">Ends the wait for the first byte; later reads have their own tokens.</param>
    /// <exception cref="ForebayException">As <see cref="StatAsync"/>; <see cref="ErrorKind.StaleVersion"/> when the current version
    /// is not <paramref name="expected"/>, also when it has no byte at the offset; else <see cref="ErrorKind.InvalidRange"/> when that lies at or past the end of an
    /// object (an empty object always answers this).</exception>
    Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken);

    /// <summary>Lists one page of names in UTF-8 byte order.</summary>
    /// <exception cref="ForebayException">As <see cref="StatAsync"/>; a missing bucket is <see cref="ErrorKind.NotFound"/> (its service says so), a missing
    /// root directory <see cref="ErrorKind.Unavailable"/> (its share may not be mounted); a prefix without keys is an empty page.</exception>
    Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken);
}

/// <summary>A running read of one range of one version. Not thread-safe; dispose it to give the connection back.</summary>
public abstract class UnderStoreRead : IAsyncDisposable
{
    /// <summary>The version whose bytes are streamed, with headers.</summary>
    public required ObjectStat Stat { get; init; }

    /// <summary>The bytes that will be streamed: the asked range, clipped at the end of the object.</summary>
    public required ByteRange Range { get; init; }

    /// <summary>
    /// True when the bytes may turn out to be of another version until <see cref="ReadAsync"/> has returned 0: a store without conditional
    /// reads, which compares versions afterwards. Nothing of such a read may be shown to a reader before its end.
    /// </summary>
    public virtual bool IsProvisional => false;

    /// <summary>Reads the next bytes in order.</summary>
    /// <param name="destination">Caller-owned; written only in [0, result).</param>
    /// <param name="cancellationToken">Ends this wait; the read cannot be used afterwards.</param>
    /// <returns>Bytes read, 0 only after the last byte of <see cref="Range"/>.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the stream ended early or broke;
    /// <see cref="ErrorKind.StaleVersion"/>: the object changed while it was read (nothing of this read may be kept).</exception>
    public abstract ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}

/// <summary>What to list.</summary>
/// <param name="Prefix">Only names that begin with this; empty for all.</param>
/// <param name="Delimiter">Names are cut after its first occurrence behind the prefix and reported once as a prefix entry; null for a flat listing.</param>
/// <param name="After">Only names greater than this in UTF-8 byte order, prefix entries counted by their own name: after a prefix
/// entry <c>a/</c> no key below <c>a/</c> follows. Null from the beginning.</param>
/// <param name="MaxEntries">Most entries wanted, 1–1,000; the page may hold fewer and still be truncated.</param>
public sealed record ListQuery(string Prefix, string? Delimiter, string? After, int MaxEntries);

/// <summary>One page of a listing.</summary>
/// <param name="Entries">Objects and prefix entries together, in UTF-8 byte order of their names.</param>
/// <param name="IsTruncated">True when more names may follow the last entry; then <paramref name="Entries"/> is not empty
/// and the next query's <see cref="ListQuery.After"/> is the name of the last entry.</param>
public sealed record ListPage(IReadOnlyList<ListEntry> Entries, bool IsTruncated);

/// <summary>One name of a listing: an object, or a prefix that stands for all names below it.</summary>
/// <param name="Name">Full key, or full prefix that ends with the delimiter.</param>
/// <param name="Stat">The object (without headers); null for a prefix entry.</param>
public readonly record struct ListEntry(string Name, ObjectStat? Stat)
{
    /// <summary>True for a prefix entry.</summary>
    public bool IsPrefix => Stat is null;
}
