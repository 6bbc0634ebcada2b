using Forebay.Caching;

namespace Forebay.Engine.Reading;

/// <summary>
/// Finds the sequential streams among the reads of one open file and reads ahead for each, and for reads at a constant distance. The kernel's own read-ahead sends the reads of one
/// stream out of order and several at a time: a read a little ahead of its stream waits here until the gap before it is read.
/// </summary>
/// <remarks>Not thread-safe. Bounded: <see cref="MostStreams"/> streams with <see cref="MostEarly"/> early reads each.</remarks>
internal sealed class ReadStreams(FillTable fills, FillContext context, string? requestId) : IDisposable
{
    internal const int MostStreams = 4;
    internal const int MostEarly = 8;

    // Two requests of the largest size in flight beside the one that is late.
    private const long ReorderBytes = 4 << 20;

    // From a page to 16 ranges of 8 MiB within five reads; a reader that stops early has wasted at most four times what it read.
    private const int Growth = 4;
    private readonly List<Stream> _streams = new(MostStreams);
    private StrideReadAhead? _strides;
    private long _uses;

    /// <summary>Tells of one read.</summary>
    /// <returns>Bytes whose fetching was started since the last call.</returns>
    internal long Advance(CacheFile file, long start, long end)
    {
        Stream stream = Find(start) ?? Add(file, start);
        stream.LastUse = ++_uses;
        stream.Advance(start, end);
        _strides ??= new StrideReadAhead(fills, context, requestId);
        long started = _strides.Advance(file, start, end);
        foreach (Stream any in _streams)
        {
            started += any.ReadAhead.TakeStartedBytes();
        }

        return started;
    }

    /// <summary>Forgets all streams; what they had under way stops unless others wait for it.</summary>
    internal void Reset()
    {
        foreach (Stream stream in _streams)
        {
            stream.ReadAhead.Dispose();
        }

        _streams.Clear();
        _strides?.Reset();
    }

    public void Dispose() => Reset();

    private Stream? Find(long start)
    {
        Stream? nearest = null;
        long distance = ReorderBytes + 1;
        foreach (Stream stream in _streams)
        {
            long away = Math.Abs(start - stream.Position);
            if (away < distance)
            {
                nearest = stream;
                distance = away;
            }
        }

        return nearest;
    }

    private Stream Add(CacheFile file, long start)
    {
        if (_streams.Count == MostStreams)
        {
            Stream oldest = _streams.MinBy(stream => stream.LastUse)!;
            oldest.ReadAhead.Dispose();
            _streams.Remove(oldest);
        }

        var added = new Stream(new ReadAhead(fills, context, file, start, wantedEnd: null, requestId, Growth), start);
        _streams.Add(added);
        return added;
    }

    private sealed class Stream(ReadAhead readAhead, long position)
    {
        private readonly List<(long Start, long End)> _early = new(MostEarly);

        internal ReadAhead ReadAhead { get; } = readAhead;

        /// <summary>Everything the stream has read so far ends here, early reads not counted.</summary>
        internal long Position { get; private set; } = position;

        internal long LastUse { get; set; }

        internal void Advance(long start, long end)
        {
            if (start > Position)
            {
                if (_early.Count < MostEarly)
                {
                    _early.Add((start, end));
                    return;
                }

                // The gap is not being read: the stream goes on behind it.
                _early.Clear();
                Position = start;
            }
            else if (end <= Position)
            {
                return;
            }

            long from = Position;
            Position = end;
            while (Absorb())
            {
            }

            ReadAhead.Advance(from, Position);
        }

        private bool Absorb()
        {
            for (int i = 0; i < _early.Count; i++)
            {
                if (_early[i].Start <= Position)
                {
                    Position = Math.Max(Position, _early[i].End);
                    _early.RemoveAt(i);
                    return true;
                }
            }

            return false;
        }
    }
}
