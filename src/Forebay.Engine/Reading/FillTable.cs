using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// The ranges under way on this node: one fill per missing page, however many wait for it. Thread-safe; hits never come here.
/// Bounded by the slots of the mount points and by the readers that wait.
/// </summary>
internal sealed class FillTable : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<VersionId, VersionFills> _running = [];
    private bool _isStopped;

    /// <summary>
    /// Joins the fill that covers <paramref name="offset"/>, or starts one there that ends where the next present or already wanted page begins.
    /// The caller has an interest in the result and gives it back by <see cref="RangeFill.Leave"/>.
    /// </summary>
    /// <param name="context">Store and bounds.</param>
    /// <param name="file">Where the bytes go.</param>
    /// <param name="offset">A missing byte.</param>
    /// <param name="end">Most that a new fill should bring, an offset &gt; <paramref name="offset"/>.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    /// <param name="isNew">True when the fill was started here.</param>
    /// <returns>Null when the page came in meanwhile: look at the file again.</returns>
    internal RangeFill? JoinOrStart(FillContext context, CacheFile file, long offset, long end, string? requestId, out bool isNew)
    {
        RangeFill fill;
        isNew = false;
        lock (_lock)
        {
            if (file.IsPresent((int)(offset / file.PageSizeBytes)))
            {
                // A fill leaves this table only after its last page is in the file.
                return null;
            }

            ThrowIfStopped();
            VersionFills version = FillsOf(file.Version.Id);
            List<RangeFill> fills = version.Fills;
            foreach (RangeFill running in fills)
            {
                if (ReferenceEquals(running.File, file) && offset >= running.Range.Offset && offset < running.Range.End && running.TryJoin())
                {
                    return running;
                }
            }

            ByteRange range = MissingRun(file, fills, offset, end);
            fill = new RangeFill(context, file, range, version.WriteTurn, firstRead: null, requestId, Remove);
            fills.Add(fill);
            fill.Start();
        }

        isNew = true;
        return fill;
    }

    /// <summary>
    /// Lets a read that was started before its version was known become the fill of its range. The caller has an interest in the result. Null, and the read
    /// stays the caller's, when the first page is there by now or another fill brings some of them: two that write one page might write it from two versions.
    /// </summary>
    internal RangeFill? Adopt(FillContext context, CacheFile file, UnderStoreRead read, string? requestId)
    {
        RangeFill fill;
        lock (_lock)
        {
            ThrowIfStopped();
            if (file.IsPresent((int)(read.Range.Offset / file.PageSizeBytes)))
            {
                return null;
            }

            VersionFills version = FillsOf(file.Version.Id);
            if (version.Fills.Exists(running => ReferenceEquals(running.File, file) && running.IsJoinable && running.Range.Offset < read.Range.End && read.Range.Offset < running.Range.End))
            {
                return null;
            }

            fill = new RangeFill(context, file, read.Range, version.WriteTurn, read, requestId, Remove);
            version.Fills.Add(fill);
            fill.Start();
        }

        return fill;
    }

    /// <summary>Stops all fills and waits for their end; nothing starts any more.</summary>
    public async ValueTask DisposeAsync()
    {
        RangeFill[] left;
        lock (_lock)
        {
            _isStopped = true;
            left = [.. _running.Values.SelectMany(version => version.Fills)];
        }

        foreach (RangeFill fill in left)
        {
            fill.Stop();
        }

        await Task.WhenAll(left.Select(fill => fill.Running));
    }

    private void ThrowIfStopped()
    {
        if (_isStopped)
        {
            throw new ForebayException(ErrorKind.Unavailable, "The node is stopping.");
        }
    }

    private VersionFills FillsOf(VersionId id)
    {
        if (!_running.TryGetValue(id, out VersionFills? fills))
        {
            fills = new VersionFills();
            _running.Add(id, fills);
        }

        return fills;
    }

    private static ByteRange MissingRun(CacheFile file, List<RangeFill> fills, long offset, long end)
    {
        int pageSize = file.PageSizeBytes;
        int first = (int)(offset / pageSize);
        int last = first + 1;
        while (last < file.PageCount && (long)last * pageSize < end && !file.IsPresent(last) && !IsWanted(file, fills, (long)last * pageSize))
        {
            last++;
        }

        return ByteRange.FromBounds((long)first * pageSize, Math.Min((long)last * pageSize, file.Length));
    }

    private static bool IsWanted(CacheFile file, List<RangeFill> fills, long offset)
    {
        foreach (RangeFill fill in fills)
        {
            if (ReferenceEquals(fill.File, file) && offset >= fill.Range.Offset && offset < fill.Range.End && fill.IsJoinable)
            {
                return true;
            }
        }

        return false;
    }

    private void Remove(RangeFill fill)
    {
        lock (_lock)
        {
            if (_running.TryGetValue(fill.File.Version.Id, out VersionFills? version) && version.Fills.Remove(fill) && version.Fills.Count == 0)
            {
                _running.Remove(fill.File.Version.Id);
            }
        }
    }

    /// <summary>What runs for one version.</summary>
#pragma warning disable CA1001 // A semaphore whose wait handle is never asked for holds nothing.
    private sealed class VersionFills
#pragma warning restore CA1001
    {
        internal List<RangeFill> Fills { get; } = [];

        /// <summary>
        /// The kernel lets one thread at a time write a file, and lets the others spin meanwhile (22 % of the processor time of a cold read with 32
        /// ranges was that): ranges of one version take turns without holding a thread.
        /// </summary>
        internal SemaphoreSlim WriteTurn { get; } = new(1, 1);
    }
}
