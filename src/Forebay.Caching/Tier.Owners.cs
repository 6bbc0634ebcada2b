using Forebay.Caching.Eviction;

namespace Forebay.Caching;

/// <summary>What the tier counts for mount points, and what it gives up when one of them is over its quota.</summary>
public sealed partial class Tier
{
    /// <summary>While victims are chosen for one mount point's quota: its index; else -1. Guarded by the tier's lock.</summary>
    internal int EvictingOwner { get; private set; } = -1;

    /// <summary>Cached bytes here that count for one mount point.</summary>
    public long BytesOf(int owner) => Volatile.Read(ref _ownerBytes[owner]);

    /// <summary>Makes one file of a mount point go, or one section of a partial file.</summary>
    /// <returns>False when none may.</returns>
    internal bool TryEvictOf(int owner)
    {
        if (BytesOf(owner) <= 0)
        {
            return false;
        }

        Victims victims = default;
        lock (_lock)
        {
            EvictingOwner = owner;
            if (_policy.TryEvict(out EvictionNode? node))
            {
                TakeVictimLocked(node, ref victims);
            }

            EvictingOwner = -1;
        }

        DiscardVictims(victims.Nodes);
        return victims.Nodes is not null;
    }

    /// <summary>Takes a moved entry and its file away; the mount point's bytes go on counting, for the copy.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="takenBytes">Bytes that <see cref="AdoptOwnerBytes"/> of the copy's tier must be told of.</param>
    /// <returns>False when it was not the current one any more.</returns>
    internal bool RemoveMoved(TierEntry entry, out long takenBytes)
    {
        takenBytes = 0;
        lock (_lock)
        {
            if (!_entries.TryGetValue(entry.Id, out TierEntry? current) || !ReferenceEquals(current, entry))
            {
                return false;
            }

            takenBytes = entry.SizeBytes;
            AddOwnerBytesLocked(entry, -takenBytes);
            entry.CountsForOwner = false;
            RemoveLocked(entry);
        }

        Discard(entry, entry.File, entry.SizeBytes);
        return true;
    }

    /// <summary>The published copy of a moved file counts for its mount point from now on, in the place of the source.</summary>
    internal void AdoptOwnerBytes(TierEntry copy, long takenBytes)
    {
        if (copy.Owner < 0)
        {
            return;
        }

        long bytes = 0;
        lock (_lock)
        {
            if (_entries.TryGetValue(copy.Id, out TierEntry? current) && ReferenceEquals(current, copy))
            {
                copy.CountsForOwner = true;
                bytes = copy.SizeBytes;
                AddOwnerBytesLocked(copy, bytes);
            }
        }

        _owners.Add(copy.Owner, bytes - takenBytes);
    }

    /// <summary>This tier's share of an owner's bytes; the sum over all tiers is kept by <see cref="TierOwners"/>.</summary>
    private void AddOwnerBytesLocked(TierEntry entry, long bytes)
    {
        if (entry.CountsForOwner)
        {
            _ownerBytes[entry.Owner] += bytes;
        }
    }

    /// <summary>A quota that was lowered holds soon after the start, not only at the next fill.</summary>
    private void EvictBeyondOwnerQuotas()
    {
        for (int owner = 0; owner < _owners.Count; owner++)
        {
            while (_owners.IsOverQuota(owner) && !_stop && TryEvictOf(owner))
            {
            }
        }
    }

    private void LeaveOwners()
    {
        _owners.Leave(this);
        for (int owner = 0; owner < _ownerBytes.Length; owner++)
        {
            _owners.Add(owner, -_ownerBytes[owner]);
        }
    }
}
