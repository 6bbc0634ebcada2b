using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// Keeps ranges ahead of one sequential reader under way: as many as the reader's share allows, up to the end of what it said it wants, or, where it
/// said nothing, up to a window that grows while it reads on and closes when it jumps. Whenever a range ends the next one starts, also while the reader waits.
/// </summary>
/// <remarks>Thread-safe. Holds an interest in each fill it started or joined until that ends or it is disposed.</remarks>
internal sealed class ReadAhead : IDisposable
{
    private const int SmallestRangeBytes = 1 << 20;
    private readonly Lock _lock = new();
    private readonly FillTable _fills;
    private readonly FillContext _context;
    private readonly CacheFile _file;
    private readonly string? _requestId;
    private readonly long _wantedEnd;
    private readonly bool _isHinted;
    private readonly int _growth;
    private readonly List<RangeFill> _running = [];
    private long _position;
    private long _frontier;
    private long _windowBytes;
    private long _startedBytes;
    private bool _isDisposed;

    /// <summary>Creates it; nothing starts before the first <see cref="Advance"/>.</summary>
    /// <param name="fills">The node's ranges under way.</param>
    /// <param name="context">Store and bounds.</param>
    /// <param name="file">Where the bytes go.</param>
    /// <param name="position">The reader's position.</param>
    /// <param name="wantedEnd">End of what the reader will read; null when unknown.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    /// <param name="growth">What the window of a reader that goes on is multiplied with, &gt; 1.</param>
    internal ReadAhead(FillTable fills, FillContext context, CacheFile file, long position, long? wantedEnd, string? requestId, int growth = 2)
    {
        _growth = growth;
        _fills = fills;
        _context = context;
        _file = file;
        _requestId = requestId;
        _position = position;
        _frontier = position - (position % file.PageSizeBytes);
        _wantedEnd = wantedEnd ?? file.Length;
        _isHinted = wantedEnd is not null;
        _windowBytes = _isHinted ? LargestWindowBytes : 0;
    }

    private long LargestWindowBytes => Math.Min((long)_context.Options.MaxRangeBytes * _context.Options.MaxRangesPerReader, _file.MostAheadBytes);

    private long LargestRangeBytes => Math.Min(_context.Options.MaxRangeBytes, Math.Max(_file.PageSizeBytes, _file.MostAheadBytes / 4));

    /// <summary>Bytes of the ranges started here, since the last call.</summary>
    internal long TakeStartedBytes() => Interlocked.Exchange(ref _startedBytes, 0);

    /// <summary>Tells what the reader reads now, [start, end); starts what the window allows.</summary>
    internal void Advance(long start, long end)
    {
        lock (_lock)
        {
            long pageSize = _file.PageSizeBytes;
            long firstPage = start / pageSize;
            if (!_isHinted)
            {
                long pages = firstPage - (_position / pageSize);
                if (pages is < 0 or > 1)
                {
                    // A jump: a random reader gets its page and nothing more.
                    _windowBytes = 0;
                    _frontier = firstPage * pageSize;
                }
                else if (pages == 1 || end / pageSize > firstPage)
                {
                    _windowBytes = Math.Min(Math.Max(pageSize, _windowBytes * _growth), LargestWindowBytes);
                }
            }

            _position = end;
            _frontier = Math.Max(_frontier, firstPage * pageSize);
        }

        Pump();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        RangeFill[] left;
        lock (_lock)
        {
            _isDisposed = true;
            left = [.. _running];
            _running.Clear();
        }

        foreach (RangeFill fill in left)
        {
            fill.Leave();
        }
    }

    private void Pump()
    {
        lock (_lock)
        {
            while (!_isDisposed && _running.Count < _context.Options.MaxRangesPerReader && (_running.Count == 0 || _context.HasFreeSlots))
            {
                long windowEnd = Math.Min(_wantedEnd, _position + _windowBytes);
                SkipPresent(windowEnd);
                long rangeBytes = RangeBytes();
                long room = windowEnd - _frontier;
                if (room <= 0 || (windowEnd < _wantedEnd && room < Math.Min(rangeBytes, _windowBytes / 2)))
                {
                    // Not a small range for each page that the window moves on.
                    return;
                }

                RangeFill? fill = _fills.JoinOrStart(_context, _file, _frontier, _frontier + Math.Min(room, rangeBytes), _requestId, out bool isNew);
                if (fill is null)
                {
                    continue;
                }

                if (isNew)
                {
                    Interlocked.Add(ref _startedBytes, fill.Range.Length);
                }

                _frontier = fill.Range.End;
                _running.Add(fill);
                _ = WatchAsync(fill);
            }
        }
    }

    /// <summary>Smaller ranges towards the end, so that all connections finish together.</summary>
    private long RangeBytes()
    {
        long share = (_wantedEnd - _frontier) / (2L * _context.Options.MaxRangesPerReader);
        long bytes = Math.Clamp(share, Math.Min(SmallestRangeBytes, LargestRangeBytes), LargestRangeBytes);
        return Math.Max(bytes - (bytes % _file.PageSizeBytes), _file.PageSizeBytes);
    }

    private void SkipPresent(long windowEnd)
    {
        while (_frontier < windowEnd && _file.IsPresent((int)(_frontier / _file.PageSizeBytes)))
        {
            _frontier += _file.PageSizeBytes;
        }
    }

    private async Task WatchAsync(RangeFill fill)
    {
        try
        {
            await fill.WaitAsync(fill.Range.End - 1, CancellationToken.None);
        }
        catch (ForebayException)
        {
            // The reader meets the failure itself when it comes to these bytes; until it moves on nothing more is started.
            lock (_lock)
            {
                _running.Remove(fill);
            }

            return;
        }

        lock (_lock)
        {
            if (!_running.Remove(fill))
            {
                return;
            }
        }

        fill.Leave();
        Pump();
    }
}
