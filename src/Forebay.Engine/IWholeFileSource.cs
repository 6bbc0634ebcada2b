using Forebay.Core;

namespace Forebay.Engine;

/// <summary>Another process of this machine that may have whole cache files of a mount point and lends them. Thread-safe.</summary>
public interface IWholeFileSource
{
    /// <summary>False while nobody can be asked.</summary>
    bool IsAvailable { get; }

    /// <summary>Asks for the whole file of a version. Waits a bounded time; whatever goes wrong is as if it were not lent.</summary>
    /// <param name="stat">As for <see cref="IFileMountPoint.OpenVersion"/>.</param>
    /// <param name="cancellationToken">Ends this wait.</param>
    /// <returns>All bytes, open for reading only, in a file that is never changed, only unlinked: the caller disposes it. Or an empty one.</returns>
    ValueTask<FileSegment> BorrowAsync(ObjectStat stat, CancellationToken cancellationToken);
}
