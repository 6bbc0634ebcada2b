using Forebay.Caching.Eviction;

namespace Forebay.Caching;

/// <summary>The number of objects that the tier remembers: each takes memory for as long as it is cached, whatever its size.</summary>
public sealed partial class Tier
{
    /// <summary>Most that one who wants a place makes go; where more is to go, maintenance does it.</summary>
    private const int MostEvictedForPlace = 8;

    /// <summary>Most objects that are remembered here. Beyond it the policy chooses who leaves; only pinned ones found at start may be more.</summary>
    public int MaxObjects => _owners.MaxObjects;

    /// <summary>While victims are chosen to lower the number of objects: sections of partial files do not. Guarded by the tier's lock.</summary>
    internal bool IsEvictingObjects { get; private set; }

    /// <summary>A little below the bound, so that readers mostly find a place: there background eviction starts, and at <see cref="LowObjects"/> it stops.</summary>
    private int HighObjects => MaxObjects - (MaxObjects / 64);

    private int LowObjects => MaxObjects - (MaxObjects / 32);

    /// <summary>Makes a place for one more object.</summary>
    /// <returns>False when all others are pinned or in use, or too many must go first.</returns>
    private bool MakePlaceLocked(ref Victims victims)
    {
        EvictObjectsLocked(MaxObjects - 1, MostEvictedForPlace, ref victims);
        return _entries.Count < MaxObjects;
    }

    /// <summary>At start, when fewer objects may be remembered than before.</summary>
    private void ForgetBeyondBoundLocked(ref Victims victims)
    {
        if (_entries.Count > MaxObjects)
        {
            _policy.EndFilling();
            EvictObjectsLocked(MaxObjects, MostEvictedForPlace, ref victims);
        }
    }

    private void EvictObjectsLocked(int most, int atOnce, ref Victims victims)
    {
        if (_entries.Count <= most)
        {
            return;
        }

        IsEvictingObjects = true;
        for (int i = 0; i < atOnce && _entries.Count > most && _policy.TryEvict(out EvictionNode? node); i++)
        {
            TakeVictimLocked(node, ref victims);
        }

        IsEvictingObjects = false;
    }

    /// <summary>For maintenance. Nothing goes down to a slower tier for this: that has no more places.</summary>
    private void EvictObjectsBeyondBound()
    {
        if (Objects <= HighObjects)
        {
            return;
        }

        Victims victims;
        do
        {
            victims = default;
            lock (_lock)
            {
                EvictObjectsLocked(LowObjects, VictimsPerSlice, ref victims);
            }

            DiscardVictims(victims.Nodes);
        }
        while (victims.Nodes is not null && !_stop);
    }

    /// <summary>What was read at start and had to leave again is not held in memory by the list of what was read.</summary>
    private void DropEvicted(List<TierEntry> found)
    {
        if (found.Count <= 2L * MaxObjects)
        {
            return;
        }

        lock (_lock)
        {
            found.RemoveAll(entry => !entry.IsTracked);
        }
    }
}
