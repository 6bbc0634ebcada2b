namespace Forebay.Fuse;

/// <summary>
/// Ids of interrupted requests that nobody works on yet: one thread can read an INTERRUPT before another has begun with the request
/// it read earlier. Bounded: the oldest is overwritten, and all are dropped after some requests, since most are for requests that
/// were just answered. Thread-safe.
/// </summary>
internal sealed class FuseEarlyInterrupts
{
    private const int Capacity = 64;
    private const int ChecksUntilDropped = 1024;
    private const ulong RepeatedBit = 1UL << 63;

    private readonly Lock _lock = new();
    private readonly ulong[] _ids = new ulong[Capacity];
    private int _next;
    private int _checksLeft;

    internal void Add(ulong unique)
    {
        lock (_lock)
        {
            _ids[_next] = unique & ~RepeatedBit;
            _next = (_next + 1) % Capacity;
            Volatile.Write(ref _checksLeft, ChecksUntilDropped);
        }
    }

    internal void Remove(ulong unique)
    {
        lock (_lock)
        {
            _ids.AsSpan().Replace(unique & ~RepeatedBit, 0UL);
        }
    }

    /// <summary>True when an interrupt for this id came before; costs one read while there are none.</summary>
    internal bool Contains(ulong unique)
    {
        if (Volatile.Read(ref _checksLeft) == 0)
        {
            return false;
        }

        lock (_lock)
        {
            bool found = _ids.AsSpan().Contains(unique & ~RepeatedBit);
            if (_checksLeft > 0 && --_checksLeft == 0)
            {
                _ids.AsSpan().Clear();
            }

            return found;
        }
    }
}
