using Forebay.Caching.Eviction;
using Forebay.Core;

namespace Forebay.Caching;

/// <summary>Room in the tier: who gets it, who has to leave, and the sums that the quota is compared with.</summary>
public sealed partial class Tier
{
    /// <summary>Takes room for a file, evicting others if there is none.</summary>
    internal bool TryReserve(TierEntry entry, long bytes)
    {
        // Gone already: nothing else may have to go for it.
        bool counts = entry.CountsForOwner;
        if (IsSuspended || !entry.IsTracked || (counts && !_owners.TryTake(entry.Owner, bytes)))
        {
            return false;
        }

        List<TierEntry>? victims = null;
        bool granted;
        lock (_lock)
        {
            granted = _entries.TryGetValue(entry.Id, out TierEntry? current) && ReferenceEquals(current, entry) && !entry.IsLeaving;
            granted = granted && MakeRoomLocked(_effectiveQuotaBytes - bytes, ref victims);
            if (granted)
            {
                _policy.Resize(entry, entry.SizeBytes + bytes);
                _storedBytes += bytes;
                AddOwnerBytesLocked(entry, bytes);
            }
        }

        if (counts && !granted)
        {
            _owners.Add(entry.Owner, -bytes);
        }

        DiscardVictims(victims);
        if (UsedBytes > Options.HighWatermark * Volatile.Read(ref _effectiveQuotaBytes))
        {
            WakeMaintenance();
        }

        return granted;
    }

    private void Suspend() => Volatile.Write(ref _suspendedUntil, _time.GetTimestamp() + (_time.TimestampFrequency * SuspendSeconds));

    private bool IsSuspended => _time.GetTimestamp() < Volatile.Read(ref _suspendedUntil);

    private bool MakeRoomLocked(double targetBytes, ref List<TierEntry>? victims)
    {
        while (UsedBytes > targetBytes)
        {
            if (!_policy.TryEvict(out EvictionNode? node))
            {
                return false;
            }

            TakeVictimLocked((TierEntry)node, ref victims);
        }

        return true;
    }

    private void TakeVictimLocked(TierEntry entry, ref List<TierEntry>? victims)
    {
        RemoveLocked(entry);
        _evictedBytes += entry.SizeBytes;
        (victims ??= []).Add(entry);
    }

    /// <summary>Takes an entry out of every table; its file is unlinked by <see cref="Discard"/> afterwards, outside the lock.</summary>
    private void RemoveLocked(TierEntry entry)
    {
        _policy.Remove(entry);
        _entries.Remove(entry.Id);
        int versions = _keys[entry.ObjectHash] - 1;
        if (versions == 0)
        {
            _keys.Remove(entry.ObjectHash);
        }
        else
        {
            _keys[entry.ObjectHash] = versions;
        }

        _pendingDeletes.Add(entry.Id);
        _unlinking.Add((entry.Id, entry.Generation));
        if (!_startupScanDone)
        {
            _removedDuringScan.Add(entry.Id);
        }

        _storedBytes -= entry.SizeBytes;
        _leavingBytes -= entry.IsLeaving ? entry.SizeBytes : 0;
        if (entry.CountsForOwner)
        {
            AddOwnerBytesLocked(entry, -entry.SizeBytes);
            _owners.Add(entry.Owner, -entry.SizeBytes);
        }
    }

    private void AddLocked(TierEntry entry)
    {
        _entries.Add(entry.Id, entry);
        _keys[entry.ObjectHash] = _keys.GetValueOrDefault(entry.ObjectHash) + 1;
    }

    /// <summary>32 bits of a key: a collision only costs a stat that could have been spared.</summary>
    private static int ObjectHash(UnderStoreId store, string key) => HashCode.Combine(store.Value, key);

    private int FreeGenerationLocked(VersionId id)
    {
        int generation = 0;
        while (_unlinking.Contains((id, generation)))
        {
            generation++;
        }

        return generation;
    }

    private void DiscardVictims(List<TierEntry>? victims)
    {
        foreach (TierEntry victim in victims ?? [])
        {
            Discard(victim, victim.File, victim.SizeBytes);
        }
    }

    private void Discard(TierEntry entry, CacheFile? file, long size)
    {
        Interlocked.Add(ref _heldBytes, size);
        if (file is null || file.Retire())
        {
            Interlocked.Add(ref _heldBytes, -size);
        }

        try
        {
            LocalFile.Unlink(_directory.DataPath(entry.Id, entry.Generation));
        }
        catch (TierIOException e)
        {
            ReportFailure(e);
        }

        lock (_lock)
        {
            _unlinking.Remove((entry.Id, entry.Generation));
        }

        WakeMaintenance();
    }
}
