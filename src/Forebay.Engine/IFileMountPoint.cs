using Forebay.Core;

namespace Forebay.Engine;

/// <summary>
/// One mount point as a file system sees it: names are files or directories, answers say how long they may be believed, and a version that was
/// once named is opened without asking anybody. Paths are keys below the mount point's prefix, without a trailing slash. Thread-safe.
/// Errors are <see cref="ForebayException"/> as documented at <see cref="IUnderStore"/>.
/// </summary>
public interface IFileMountPoint : IMountPoint
{
    /// <summary>The under-store, for people; holds no secret.</summary>
    string Source { get; }

    /// <summary>Tells whenever metadata was forgotten because it was refreshed or proved wrong.</summary>
    /// <param name="watcher">Gets a path, or with a trailing <c>/</c> or empty everything below. Called on the thread that did it, under no lock;
    /// must not block. It is kept for the life of the mount point.</param>
    void WatchForgotten(Action<string> watcher);

    /// <summary>What a name means, from what is known and fresh; asks nobody.</summary>
    /// <param name="path">Path without a trailing slash, not empty.</param>
    /// <param name="detail">What must be known of a file.</param>
    /// <param name="answer">Set only on true.</param>
    bool TryResolve(string path, NameDetail detail, out ResolvedName answer);

    /// <summary>What a name means, asking the under-store where it is not known. <see cref="ErrorKind.NotFound"/> is never thrown: see
    /// <see cref="ResolvedName.Exists"/>.</summary>
    ValueTask<ResolvedName> ResolveAsync(string path, NameDetail detail, string? requestId, CancellationToken cancellationToken);

    /// <summary>The marker of a directory, the object <c>path/</c>, from what is known and fresh; asks nobody.</summary>
    /// <param name="path">The directory, with its trailing slash.</param>
    /// <param name="marker">Set only on true: with headers, or no object where there is none.</param>
    bool TryResolveMarker(string path, out ResolvedName marker);

    /// <summary>The marker of a directory, asking the under-store where it is not known; in an outage, as it was known. <see cref="ErrorKind.NotFound"/> is never thrown.</summary>
    ValueTask<ResolvedName> ResolveMarkerAsync(string path, string? requestId, CancellationToken cancellationToken);

    /// <summary>Lists what lies directly in a directory, in UTF-8 byte order of keys (a directory counts with its trailing slash).</summary>
    /// <param name="prefix">Empty for the root, else the directory's path with a trailing slash.</param>
    /// <param name="after">Only keys greater than this (with prefix; a directory with its slash); null from the beginning.</param>
    /// <param name="maxEntries">1–1,000.</param>
    /// <param name="requestId">Passed on to the under-store.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    ValueTask<DirectoryPage> ListDirectoryAsync(string prefix, string? after, int maxEntries, string? requestId, CancellationToken cancellationToken);

    /// <summary>Opens exactly the version a stat names, whatever is known of the key now. Asks nobody.</summary>
    /// <param name="stat">From this mount point, or rebuilt with the same key, token and length; headers may be missing. Length &gt; 0.</param>
    /// <param name="requestId">Passed on to the under-store by fills.</param>
    IFileReader OpenVersion(ObjectStat stat, string? requestId);

    /// <summary>Gives the whole cache file of a version when every byte of it is there and verified. Asks nobody, brings nothing.</summary>
    /// <param name="stat">As for <see cref="OpenVersion"/>.</param>
    /// <param name="file">On true, all bytes with a reference that keeps the file and its quota; the caller disposes it. The file is never
    /// changed afterwards, only unlinked.</param>
    bool TryTakeWhole(ObjectStat stat, out FileSegment file);

    /// <summary>Bytes of a version that are in the cache.</summary>
    long CachedBytesOf(ObjectStat stat);

    /// <summary>Brings all bytes of a version into the cache without giving them to anybody.</summary>
    /// <returns>Bytes that were fetched for it; 0 when it was there.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NoSpace"/>: it cannot be stored.</exception>
    ValueTask<long> BringAsync(ObjectStat stat, CancellationToken cancellationToken);
}

/// <summary>What must be known of a file before a name counts as resolved.</summary>
public enum NameDetail
{
    /// <summary>Size, version and time, as a listing tells them.</summary>
    Listed,

    /// <summary>As <see cref="Listed"/>; where the under-store must be asked anyway, its headers are asked for at the same time.</summary>
    HeadersIfAsked,

    /// <summary>Headers too, at the price of a question for each file.</summary>
    Headers,
}

/// <summary>What a name means. A directory wins over an object of the same name.</summary>
/// <param name="Object">The object of that name, also where a directory hides it and it is known; its key is the path.</param>
/// <param name="IsDirectory">Keys lie below <c>path/</c>.</param>
/// <param name="FreshFor">How long it may be believed from now; zero when that is unknown, <see cref="TimeSpan.MaxValue"/> for ever.</param>
public readonly record struct ResolvedName(ObjectStat? Object, bool IsDirectory, TimeSpan FreshFor)
{
    /// <summary>False when there is neither object nor directory.</summary>
    public bool Exists => IsDirectory || Object is not null;
}

/// <summary>One page of a directory.</summary>
/// <param name="Entries">Objects and prefix entries; the object <c>prefix</c> itself (a directory marker) is among them.</param>
/// <param name="IsTruncated">More may follow the last entry.</param>
/// <param name="FreshFor">As <see cref="ResolvedName.FreshFor"/>.</param>
public sealed record DirectoryPage(IReadOnlyList<ListEntry> Entries, bool IsTruncated, TimeSpan FreshFor);

/// <summary>
/// Positional reads of one version by many at once. It serves bytes of that version only, or fails with <see cref="ErrorKind.StaleVersion"/>.
/// Thread-safe. Reads ahead for up to four sequential streams, also when their reads arrive out of order, and for reads at a constant distance. Dispose it when no read is under way.
/// </summary>
public interface IFileReader : IDisposable
{
    /// <summary>Gives bytes that are there and verified, as a piece of a local file. Neither waits, nor asks, nor allocates.</summary>
    /// <param name="offset">First byte wanted, 0 ≤ offset &lt; length.</param>
    /// <param name="length">Bytes wanted, &gt; 0; clipped at the end of the object.</param>
    /// <param name="segment">On true, exactly the wanted bytes; the caller disposes it.</param>
    bool TryGetSegment(long offset, long length, out FileSegment segment);

    /// <summary>Copies bytes, filling on a miss, until the destination is full or the object ends.</summary>
    /// <param name="offset">First byte wanted, ≥ 0.</param>
    /// <param name="destination">Caller-owned; written only in [0, result).</param>
    /// <param name="cancellationToken">Ends this wait, not the shared fill.</param>
    /// <returns>Bytes copied; fewer than asked only at the end of the object.</returns>
    ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken);

    /// <summary>Tells that a segment's file failed while it was read: it is given up and fetched anew.</summary>
    void ReportUnreadable();
}
