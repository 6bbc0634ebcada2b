namespace Forebay.Caching.Eviction;

/// <summary>
/// Remembers the newest evicted object versions by 32-bit fingerprint, in order of eviction. Bounded: 12 bytes per entry of
/// the array size, which starts small and doubles up to the bound. A fingerprint collides with probability entries / 2³²
/// (0.02 % at 1 Mi entries); a collision only admits one newcomer too generously.
/// </summary>
/// <remarks>Not thread-safe. Allocates only when it doubles.</remarks>
internal sealed class GhostList
{
    private const int InitialCapacity = 1 << 10;
    private const uint Empty = 0;

    // _ring[i & mask] is the fingerprint of eviction number i, Empty once forgotten; _table is open addressing with linear
    // probing from fingerprint to ring slot + 1, at most half full.
    private readonly int _maxEntries;
    private uint[] _ring;
    private int[] _table;
    private long _head;
    private long _tail;

    public GhostList(int maxEntries)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEntries, 1);
        _maxEntries = maxEntries;
        _ring = new uint[InitialCapacity];
        _table = new int[InitialCapacity * 2];
    }

    public int Count { get; private set; }

    /// <summary>Remembers one eviction and forgets the oldest beyond <paramref name="limit"/>.</summary>
    public void Add(ulong keyHash, int limit)
    {
        limit = Math.Clamp(limit, 1, _maxEntries);
        uint fingerprint = Fingerprint(keyHash);
        TryRemove(fingerprint);
        while (_head - _tail >= limit)
        {
            ForgetOldest();
        }

        if (_head - _tail == _ring.Length)
        {
            Grow();
        }

        int slot = (int)(_head & (_ring.Length - 1));
        _ring[slot] = fingerprint;
        Insert(fingerprint, slot);
        _head++;
        Count++;
    }

    /// <summary>Tells whether the version was evicted lately, and forgets it.</summary>
    public bool TryRemove(ulong keyHash) => TryRemove(Fingerprint(keyHash));

    private static uint Fingerprint(ulong keyHash)
    {
        uint folded = (uint)(keyHash ^ (keyHash >> 32));
        return folded == Empty ? 1 : folded;
    }

    private bool TryRemove(uint fingerprint)
    {
        int mask = _table.Length - 1;
        for (int at = Home(fingerprint); _table[at] != 0; at = (at + 1) & mask)
        {
            int slot = _table[at] - 1;
            if (_ring[slot] == fingerprint)
            {
                _ring[slot] = Empty;
                Unlink(at);
                Count--;
                return true;
            }
        }

        return false;
    }

    private void ForgetOldest()
    {
        uint fingerprint = _ring[(int)(_tail & (_ring.Length - 1))];
        if (fingerprint != Empty)
        {
            TryRemove(fingerprint);
        }

        _tail++;
    }

    private void Insert(uint fingerprint, int slot)
    {
        int at = Home(fingerprint);
        while (_table[at] != 0)
        {
            at = (at + 1) & (_table.Length - 1);
        }

        _table[at] = slot + 1;
    }

    // Backward-shift deletion: no tombstones, so probes stay short for ever.
    private void Unlink(int hole)
    {
        int mask = _table.Length - 1;
        for (int at = (hole + 1) & mask; _table[at] != 0; at = (at + 1) & mask)
        {
            int home = Home(_ring[_table[at] - 1]);
            if (((at - home) & mask) >= ((at - hole) & mask))
            {
                _table[hole] = _table[at];
                hole = at;
            }
        }

        _table[hole] = 0;
    }

    private void Grow()
    {
        uint[] old = _ring;
        _ring = new uint[old.Length * 2];
        _table = new int[_ring.Length * 2];
        long newest = _head;
        _head = 0;
        for (long i = _tail; i < newest; i++)
        {
            uint fingerprint = old[(int)(i & (old.Length - 1))];
            if (fingerprint != Empty)
            {
                _ring[(int)_head] = fingerprint;
                Insert(fingerprint, (int)_head);
                _head++;
            }
        }

        _tail = 0;
    }

    private int Home(uint fingerprint) => (int)((fingerprint * 0x9E3779B97F4A7C15UL) >> 32) & (_table.Length - 1);
}
