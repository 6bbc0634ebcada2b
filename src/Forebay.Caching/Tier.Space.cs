using Forebay.Caching.Eviction;
using Forebay.Core;

namespace Forebay.Caching;

/// <summary>Room in the tier: who gets it, who has to leave, and the sums that the quota is compared with.</summary>
public sealed partial class Tier
{
    /// <summary>Others may take the room that was made for a reservation; then it tries again, so often at most.</summary>
    private const int MostReserveRounds = 16;

    /// <summary>Takes room for a file, evicting others if there is none.</summary>
    /// <param name="entry">The file.</param>
    /// <param name="bytes">Whole blocks.</param>
    /// <param name="section">Section of a partial file that the bytes are for; -1 else.</param>
    internal bool TryReserve(TierEntry entry, long bytes, int section = -1)
    {
        // Gone already: nothing else may have to go for it.
        bool isThere = entry.IsTracked || section >= 0;
        bool counts = entry.CountsForOwner;
        if (IsSuspended || !isThere || (counts && !_owners.TryTake(entry.Owner, bytes)))
        {
            return false;
        }

        bool granted = false;
        bool mayGrant = true;
        for (int round = 0; round < MostReserveRounds && mayGrant && !granted && !IsSuspended; round++)
        {
            Victims victims = default;
            lock (_lock)
            {
                mayGrant = IsCurrentLocked(entry) && !entry.IsLeaving && !_isClosing
                    && MakeRoomLocked(_effectiveQuotaBytes - bytes, ref victims);

                // The room of sections is there when they are punched, that of files is given out as they are unlinked.
                granted = mayGrant && (victims.SectionBytes == 0 || UsedBytes <= _effectiveQuotaBytes - bytes);
                if (granted)
                {
                    GrowLocked(entry, bytes);
                    if (section >= 0)
                    {
                        GrowSectionLocked(entry, section, bytes);
                    }
                }
            }

            DiscardVictims(victims.Nodes);
        }

        if (counts && !granted)
        {
            _owners.Add(entry.Owner, -bytes);
        }

        if (UsedBytes > Options.HighWatermark * Volatile.Read(ref _effectiveQuotaBytes))
        {
            WakeMaintenance();
        }

        return granted;
    }

    private void Suspend() => Suspend(TimeSpan.FromSeconds(SuspendSeconds));

    /// <summary>A longer rest that goes on already is not cut short.</summary>
    private void Suspend(TimeSpan time)
    {
        lock (_lock)
        {
            Volatile.Write(ref _suspendedUntil, Math.Max(_suspendedUntil, _time.After(time)));
        }
    }

    private bool IsSuspended => _time.GetTimestamp() < Volatile.Read(ref _suspendedUntil);

    private bool MakeRoomLocked(double targetBytes, ref Victims victims)
    {
        while (UsedBytes - victims.SectionBytes > targetBytes)
        {
            if (!_policy.TryEvict(out EvictionNode? node))
            {
                return false;
            }

            TakeVictimLocked(node, ref victims);
        }

        return true;
    }

    private void TakeVictimLocked(EvictionNode node, ref Victims victims)
    {
        if (node is Section section)
        {
            TakeSectionLocked(section, ref victims);
            return;
        }

        var entry = (TierEntry)node;
        RemoveLocked(entry);
        _evictedBytes += entry.SizeBytes;
        victims.Add(entry);
    }

    /// <summary>Takes an entry out of every table; its file is unlinked by <see cref="Discard"/> afterwards, outside the lock.</summary>
    private void RemoveLocked(TierEntry entry)
    {
        _policy.Remove(entry);
        RemoveSectionsLocked(entry.File);
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

    private void DiscardVictims(List<EvictionNode>? victims)
    {
        foreach (EvictionNode victim in victims ?? [])
        {
            if (victim is Section section)
            {
                Punch(section);
                continue;
            }

            var entry = (TierEntry)victim;
            Discard(entry, entry.File, entry.SizeBytes);
        }
    }

    internal void OnRetiredFileClosed(TierEntry entry) => Interlocked.Add(ref _heldBytes, -entry.SizeBytes);

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
