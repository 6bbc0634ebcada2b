using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// Finds a reader that takes pieces at a constant distance (columns, records of a table, samples of a shard), forwards or backwards, and fetches the next pieces,
/// each as long as the last one. A piece may come as several reads, one behind the other.
/// </summary>
/// <remarks>
/// Not thread-safe but for the ends of fills. Two equal distances in a row make a stride; then 2, 4 and 8 pieces are fetched ahead, as the bounds of the reader
/// and free slots of the source allow. The first other distance ends it, and what it had under way stops unless others wait for it.
/// </remarks>
internal sealed class StrideReadAhead(FillTable fills, FillContext context, string? requestId)
{
    internal const int MostPiecesAhead = 8;
    private const int FewestRepeats = 2;
    private readonly Lock _lock = new();
    private readonly List<RangeFill> _running = [];
    private long _pieceStart = -1;
    private long _pieceEnd = -1;
    private long _stride;
    private int _repeats;
    private long _fetchedTo;

    /// <summary>Tells of one read.</summary>
    /// <returns>Bytes whose fetching was started.</returns>
    internal long Advance(CacheFile file, long start, long end)
    {
        if (start >= _pieceStart && start <= _pieceEnd)
        {
            _pieceEnd = Math.Max(_pieceEnd, end);
            return 0;
        }

        bool isFirst = _pieceStart < 0;
        long distance = start - _pieceStart;
        long pieceBytes = _pieceEnd - _pieceStart;
        (_pieceStart, _pieceEnd) = (start, end);
        if (isFirst)
        {
            return 0;
        }

        if (distance != _stride)
        {
            LeaveAll();
            (_stride, _repeats, _fetchedTo) = (distance, 1, start);
            return 0;
        }

        _repeats++;
        return _repeats < FewestRepeats ? 0 : Fetch(file, pieceBytes);
    }

    /// <summary>Forgets the stride.</summary>
    internal void Reset()
    {
        LeaveAll();
        (_pieceStart, _pieceEnd, _stride, _repeats) = (-1, -1, 0, 0);
    }

    private long Fetch(CacheFile file, long pieceBytes)
    {
        long bytes = Math.Min(pieceBytes, context.Options.MaxRangeBytes);
        int pieces = (int)Math.Min(Math.Min(1L << Math.Min(_repeats - 1, 10), MostPiecesAhead), Math.Max(1, file.MostAheadBytes / Math.Max(bytes, file.PageSizeBytes)));
        long started = 0;
        for (int i = 1; i <= pieces; i++)
        {
            long at = _pieceStart + (i * _stride);
            if (at < 0 || at >= file.Length)
            {
                break;
            }

            // What was fetched when the piece before was read is not looked at again.
            if (_stride > 0 ? at <= _fetchedTo : at >= _fetchedTo)
            {
                continue;
            }

            if (!TryFetch(file, at, Math.Min(at + bytes, file.Length), ref started))
            {
                break;
            }

            _fetchedTo = at;
        }

        return started;
    }

    /// <summary>False when there is no room for more at the moment.</summary>
    private bool TryFetch(CacheFile file, long start, long end, ref long started)
    {
        while (start < end)
        {
            if (file.IsPresent((int)(start / file.PageSizeBytes)))
            {
                start = ((start / file.PageSizeBytes) + 1) * file.PageSizeBytes;
                continue;
            }

            lock (_lock)
            {
                if (_running.Count >= context.Options.MaxRangesPerReader || !context.HasFreeSlots)
                {
                    return false;
                }
            }

            RangeFill? fill = fills.JoinOrStart(context, file, start, end, requestId, out bool isNew);
            if (fill is null)
            {
                continue;
            }

            started += isNew ? fill.Range.Length : 0;
            start = fill.Range.End;
            Keep(fill);
        }

        return true;
    }

    private void Keep(RangeFill fill)
    {
        lock (_lock)
        {
            _running.Add(fill);
        }

        _ = LeaveAtEndAsync(fill);
    }

    private async Task LeaveAtEndAsync(RangeFill fill)
    {
        try
        {
            await fill.WaitAsync(fill.Range.End - 1, CancellationToken.None);
        }
        catch (ForebayException)
        {
            // The reader meets the failure itself when it comes to these bytes.
        }

        bool isMine;
        lock (_lock)
        {
            isMine = _running.Remove(fill);
        }

        if (isMine)
        {
            fill.Leave();
        }
    }

    private void LeaveAll()
    {
        RangeFill[] left;
        lock (_lock)
        {
            left = [.. _running];
            _running.Clear();
        }

        foreach (RangeFill fill in left)
        {
            fill.Leave();
        }
    }
}
