using Forebay.Caching.Eviction;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <summary>What <see cref="TierMover"/> needs of the tiers that it moves files between.</summary>
public sealed partial class Tier
{
    private const int VictimsPerSlice = 64;

    /// <summary>Uses after storing that earn a faster medium: one may be chance, the second proves a pattern (as the ghost list of S3-FIFO does).</summary>
    internal const int UsesToPromote = 2;

    /// <summary>Uses closer together count as one: a client that reads an object by ranges opens it many times (correlated references; LRU-K, O'Neil 1993).</summary>
    internal const int SecondsBetweenUses = 10;

    /// <summary>Share of the quota whose bytes may wait to go down, 1 / this: they keep their room until then, and fills need the rest. A single file may take twice as much.</summary>
    private const int LeavingShare = 8;

    private TierMover? _mover;
    private bool _promotes;
    private long _leavingBytes;
    private long _promotedBytes;
    private long _demotedBytes;

    /// <summary>Bytes copied into this tier from a slower one.</summary>
    public long PromotedBytes => Volatile.Read(ref _promotedBytes);

    /// <summary>Bytes moved from this tier to a slower one when they had to go; not counted as evicted.</summary>
    public long DemotedBytes => Volatile.Read(ref _demotedBytes);

    internal void Attach(TierMover mover, bool promotes)
    {
        _promotes = promotes;
        Volatile.Write(ref _mover, mover);
    }

    /// <summary>True while an object of so many bytes fits without making anything go. Takes no lock, for it is asked under another tier's: the number of objects may be off by a few.</summary>
    internal bool HasFreeRoom(long bytes) => UsedBytes + bytes <= Options.LowWatermark * Volatile.Read(ref _effectiveQuotaBytes) && _entries.Count <= LowObjects;

    /// <summary>True when a version may be stored here at all, now.</summary>
    internal bool Takes(ObjectVersion version) => version.Length > 0 && Fits(version) && !IsSuspended;

    /// <summary>The file of an entry, loaded if it must be; null when the entry is no longer the current one.</summary>
    internal CacheFile? FindForMove(TierEntry entry)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(entry.Id, out TierEntry? current) || !ReferenceEquals(current, entry))
            {
                return null;
            }

            if (entry.File is not null)
            {
                return entry.File;
            }
        }

        try
        {
            CacheFile? file = _index.Find(entry.Id) is { } found ? Find(found.Row.Version) : null;
            return file is not null && ReferenceEquals(file.Entry, entry) ? file : null;
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
            return null;
        }
    }

    /// <summary>Begins the hidden copy of a version that comes from another tier; null when there is a file of it already or none can be stored.</summary>
    internal CacheFile? BeginIncoming(ObjectVersion version, TierEntry source)
    {
        if (!_startupScanDone || !Takes(version) || Find(version) is not null)
        {
            return null;
        }

        Victims victims = default;
        CacheFile? copy;
        lock (_lock)
        {
            copy = _entries.ContainsKey(version.Id) || !MakePlaceLocked(ref victims) ? null : AddIncomingLocked(version, source);
        }

        DiscardVictims(victims.Nodes);
        return copy;
    }

    private CacheFile AddIncomingLocked(ObjectVersion version, TierEntry source)
    {
        var entry = new TierEntry(this, version.Id, 0, source.Owner)
        {
            Generation = FreeGenerationLocked(version.Id),
            IsPinned = _pins.Covers(version),
            UsedAtSeconds = source.UsedAtSeconds,
            IsIncoming = true,
            CountsForOwner = false,
            WasReused = source.WasReused,
            ObjectHash = source.ObjectHash,
        };
        entry.File = new CacheFile(this, entry, version, entry.Generation, new PageMap(version.Length, PageSizeBytes), isNew: true);
        AddLocked(entry);
        _policy.Add(entry);
        if (entry.WasReused)
        {
            // It has proved itself in the other tier.
            _policy.Touch(entry);
        }

        _openFiles.Opened(entry.File);
        return entry.File;
    }

    /// <summary>Shows a complete copy to readers and to the index.</summary>
    /// <returns>False when somebody began another file of the version meanwhile, or it was freed.</returns>
    internal bool TryPublish(CacheFile copy)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(copy.Version.Id, out TierEntry? current) || !ReferenceEquals(current, copy.Entry))
            {
                return false;
            }

            current.IsIncoming = false;
        }

        copy.MarkDirty();
        return true;
    }

    /// <summary>Takes an entry and its file away; readers that hold it finish.</summary>
    /// <returns>False when it was not the current one any more.</returns>
    internal bool Remove(TierEntry entry) => Remove(entry, isEvicted: false);

    /// <summary>Ends the wait of a victim that could not be moved.</summary>
    internal void EvictLeaving(TierEntry entry)
    {
        lock (_lock)
        {
            if (entry.IsPinned && entry.IsLeaving && _entries.TryGetValue(entry.Id, out TierEntry? current) && ReferenceEquals(current, entry))
            {
                // Pinned while it waited: it stays.
                entry.IsLeaving = false;
                _leavingBytes -= entry.SizeBytes;
                _policy.Add(entry);
                return;
            }
        }

        Remove(entry, isEvicted: true);
    }

    /// <summary>Makes some files go, if they must for so many bytes; those that are worth it wait to go down.</summary>
    /// <returns>True when room must be waited for.</returns>
    internal bool MakeRoomFor(long bytes)
    {
        EvictTo((Options.HighWatermark * Volatile.Read(ref _effectiveQuotaBytes)) - bytes);
        return Volatile.Read(ref _leavingBytes) > 0;
    }

    internal void CountMoved(bool isDemotion, long bytes) => Interlocked.Add(ref isDemotion ? ref _demotedBytes : ref _promotedBytes, bytes);

    /// <summary>Versions of which every page is here, at this moment.</summary>
    internal List<VersionId> WholeVersions()
    {
        lock (_lock)
        {
            return [.. _entries.Values.Where(IsVisiblyWhole).Select(entry => entry.Id)];
        }
    }

    internal bool HoldsWhole(VersionId id)
    {
        lock (_lock)
        {
            return _entries.TryGetValue(id, out TierEntry? entry) && IsVisiblyWhole(entry);
        }
    }

    private static bool IsVisiblyWhole(TierEntry entry) => !entry.IsIncoming && (entry.File?.IsWhole ?? entry.IsWhole);

    /// <summary>Evicts until no more is used than that, not counting what waits to go down. For maintenance only: readers and fills drop what must go.</summary>
    private void EvictTo(double targetBytes)
    {
        // In slices: the lock is held briefly, and room is given out again only about as fast as files are really unlinked.
        Victims victims;
        int chosen;
        do
        {
            victims = default;
            chosen = 0;
            lock (_lock)
            {
                while (chosen < VictimsPerSlice && UsedBytes - _leavingBytes - victims.SectionBytes > targetBytes && _policy.TryEvict(out EvictionNode? node))
                {
                    chosen++;
                    if (node is not TierEntry entry || !TrySendDownLocked(entry))
                    {
                        TakeVictimLocked(node, ref victims);
                    }
                }
            }

            DiscardVictims(victims.Nodes);
        }
        while (chosen == VictimsPerSlice && !_stop);
    }

    /// <summary>The policy has given the entry up; until it is moved it is served on and keeps its room.</summary>
    private bool TrySendDownLocked(TierEntry entry)
    {
        long mostBytes = Options.QuotaBytes / LeavingShare * (_leavingBytes == 0 ? 2 : 1);
        if (_mover is null || _stop || !_startupScanDone || _leavingBytes + entry.SizeBytes > mostBytes)
        {
            return false;
        }

        entry.IsLeaving = true;
        _leavingBytes += entry.SizeBytes;
        if (_mover.TryDemote(this, entry))
        {
            return true;
        }

        entry.IsLeaving = false;
        _leavingBytes -= entry.SizeBytes;
        return false;
    }

    private bool Remove(TierEntry entry, bool isEvicted)
    {
        long size;
        lock (_lock)
        {
            if (!_entries.TryGetValue(entry.Id, out TierEntry? current) || !ReferenceEquals(current, entry))
            {
                return false;
            }

            size = entry.SizeBytes;
            _evictedBytes += isEvicted ? size : 0;
            RemoveLocked(entry);
        }

        Discard(entry, entry.File, size);
        return true;
    }
}
