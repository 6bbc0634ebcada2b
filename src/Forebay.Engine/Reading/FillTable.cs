using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// The ranges under way on this node: one fill per missing page, however many wait for it. Thread-safe; hits never come here.
/// Bounded by the slots of the mount points and by the readers that wait.
/// </summary>
internal sealed class FillTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<VersionId, VersionFills> _running = [];

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
    internal RangeFill JoinOrStart(FillContext context, CacheFile file, long offset, long end, string? requestId, out bool isNew)
    {
        RangeFill fill;
        lock (_lock)
        {
            VersionFills version = FillsOf(file.Version.Id);
            List<RangeFill> fills = version.Fills;
            foreach (RangeFill running in fills)
            {
                if (ReferenceEquals(running.File, file) && offset >= running.Range.Offset && offset < running.Range.End && running.TryJoin())
                {
                    isNew = false;
                    return running;
                }
            }

            ByteRange range = MissingRun(file, fills, offset, end);
            fill = new RangeFill(context, file, range, version.WriteTurn, firstRead: null, requestId, Remove);
            fills.Add(fill);
        }

        isNew = true;
        _ = Task.Run(fill.RunAsync);
        return fill;
    }

    /// <summary>Lets a read that was started before its version was known become the fill of its range. The caller has an interest in the result.</summary>
    internal RangeFill Adopt(FillContext context, CacheFile file, UnderStoreRead read, string? requestId)
    {
        RangeFill fill;
        lock (_lock)
        {
            VersionFills version = FillsOf(file.Version.Id);
            fill = new RangeFill(context, file, read.Range, version.WriteTurn, read, requestId, Remove);
            version.Fills.Add(fill);
        }

        _ = Task.Run(fill.RunAsync);
        return fill;
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
            if (ReferenceEquals(fill.File, file) && offset >= fill.Range.Offset && offset < fill.Range.End)
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
