using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Forebay.Caching.Eviction;
using Forebay.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Work of the tier's own threads: index commits, eviction to the low watermark, closing idle files, start-up scan, orphans.</summary>
public sealed partial class Tier
{
    private const int SuspendSeconds = 10;
    private const int CommitDelayMilliseconds = 20;
    private const int MostChangesPerCommit = 4096;

    /// <summary>Rows that wait to be deleted, beyond which nothing is stored while the index cannot be written.</summary>
    internal const int MostPendingDeletes = 8_192;

    private readonly ConcurrentQueue<CacheFile> _dirty = new();
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly OpenFiles _openFiles;
    private readonly Lock _commit = new();
    private readonly CancellationTokenSource _stopping = new();
    private Thread? _maintenance;
    private Thread? _startup;
    private volatile bool _startupScanDone;
    private volatile bool _startupEnded;
    private volatile bool _stop;
    private long _nextHousekeeping;

    /// <summary>True when queues are loaded and orphans removed; hits and fills do not wait for it.</summary>
    public bool IsStartupScanDone => _startupEnded;

    internal void EnqueueDirty(CacheFile file)
    {
        _dirty.Enqueue(file);
        WakeMaintenance();
    }

    internal void WakeMaintenance() => _wake.Set();

    /// <summary>Writes all pending changes to the index now.</summary>
    internal void FlushIndex()
    {
        lock (_commit)
        {
            while (CommitBatch())
            {
            }
        }
    }

    /// <summary>Replaces a whole file that turned out to hold a corrupt page: its good pages go to a new file of the next generation.</summary>
    internal void Replace(CacheFile damaged)
    {
        if (!damaged.TryAcquire(out SafeFileHandle? handle))
        {
            return;
        }

        try
        {
            if (ExchangeForFresh(damaged) is { } fresh)
            {
                CopyGoodPages(damaged, handle!, fresh);
            }
        }
        finally
        {
            damaged.Release();
        }
    }

    /// <summary>Puts an empty file in the place of a damaged one, which is retired before anything is copied: whoever reads it goes to the new one.</summary>
    /// <returns>Null when somebody else did so.</returns>
    private CacheFile? ExchangeForFresh(CacheFile damaged)
    {
        CacheFile fresh;
        TierEntry old;
        lock (_lock)
        {
            if (!_entries.TryGetValue(damaged.Version.Id, out old!) || !ReferenceEquals(old.File, damaged))
            {
                return null;
            }

            RemoveLocked(old);
            var entry = new TierEntry(this, damaged.Version.Id, 0, old.Owner)
            {
                Generation = FreeGenerationLocked(damaged.Version.Id),
                IsPinned = old.IsPinned,
                UsedAtSeconds = old.UsedAtSeconds,
                WasReused = old.WasReused,
            };
            fresh = new CacheFile(this, entry, damaged.Version, entry.Generation, new PageMap(damaged.Length, PageSizeBytes), isNew: true);
            entry.File = fresh;
            entry.ObjectHash = old.ObjectHash;
            AddLocked(entry);
            _policy.Add(entry);
            _openFiles.Opened(fresh);
        }

        Discard(old, damaged, old.SizeBytes);
        return fresh;
    }

    private void CopyGoodPages(CacheFile damaged, SafeFileHandle from, CacheFile fresh)
    {
        if (!fresh.TryAcquire(out _))
        {
            return;
        }

        try
        {
            byte[] buffer = GC.AllocateUninitializedArray<byte>(damaged.PageSizeBytes);
            for (int page = 0; page < damaged.PageCount; page++)
            {
                Span<byte> bytes = buffer.AsSpan(0, damaged.LengthOf(page));
                uint checksum = damaged.Pages.ChecksumOf(page);
                bool good = LocalFile.Read(from, bytes, damaged.Pages.OffsetOf(page)) == bytes.Length && Crc32C.Compute(bytes) == checksum;
                if (!good)
                {
                    CountCorruptPage();
                }
                else if (fresh.Reserve(page) == ReserveStatus.Reserved && fresh.Write(damaged.Pages.OffsetOf(page), bytes))
                {
                    fresh.Commit(page, checksum);
                }
            }
        }
        catch (TierIOException e)
        {
            // What was not copied is fetched again.
            ReportFailure(e);
        }
        finally
        {
            fresh.Release();
        }
    }

    private void StartMaintenance()
    {
        MeasureIndex();
        _maintenance = new Thread(Maintain) { IsBackground = true, Name = "tier maintenance" };
        _maintenance.Start();
        _startup = new Thread(ScanAtStartup) { IsBackground = true, Name = "tier start-up scan" };
        _startup.Start();
    }

    private void StopMaintenance()
    {
        _stop = true;
        _stopping.Cancel();
        _wake.Set();
        _startup?.Join();
        _maintenance?.Join();
        EndPunching();
        FlushIndex();
        SaveAllUses();
        _stopping.Dispose();
        _wake.Dispose();
    }

    private void Maintain()
    {
        while (!_stop)
        {
            _wake.WaitOne(_dirty.IsEmpty ? 1000 : 0);
            if (!_stop)
            {
                // Gather for a moment: one transaction for many pages. Woken early only by the end.
                _stopping.Token.WaitHandle.WaitOne(CommitDelayMilliseconds);
            }

            MaintainOnce();
        }
    }

    /// <summary>One round of maintenance. Under the commit lock: a file must not be unloaded between taking its changes and writing them.</summary>
    internal void MaintainOnce()
    {
        lock (_commit)
        {
            Volatile.Write(ref _nowSeconds, (int)_time.GetUtcNow().ToUnixTimeSeconds());
            CommitBatch();
            EvictToLowWatermark();
            EvictObjectsBeyondBound();
            CloseIdleFiles();
            Housekeep();
        }
    }

    /// <returns>True when there may be more.</returns>
    private bool CommitBatch()
    {
        var changes = new List<IndexChange>();
        var files = new List<CacheFile>();
        List<VersionId> deletes;
        lock (_lock)
        {
            deletes = _pendingDeletes.Take(MostChangesPerCommit).ToList();
            _pendingDeletes.ExceptWith(deletes);
        }

        foreach (VersionId id in deletes)
        {
            changes.Add(new IndexChange(id, null, [], ReplacesAll: true));
        }

        while (changes.Count < MostChangesPerCommit && _dirty.TryDequeue(out CacheFile? file))
        {
            try
            {
                IndexChange? change = file.TakeIndexChange(_bootId);
                if (change is not null)
                {
                    if (change.Value.ReplacesAll)
                    {
                        // The row of a former file of this version is replaced now; a delete that still waits would hit the new one.
                        lock (_lock)
                        {
                            if (_entries.TryGetValue(change.Value.Id, out TierEntry? current) && ReferenceEquals(current.File, file))
                            {
                                _pendingDeletes.Remove(change.Value.Id);
                            }
                        }
                    }

                    changes.Add(change.Value);
                    files.Add(file);
                }
            }
            catch (TierIOException e)
            {
                file.EndCommit();
                ReportFailure(e);
            }
        }

        if (changes.Count == 0)
        {
            return false;
        }

        try
        {
            _index.Commit(changes);
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
            if (TierIndex.IsDamage(e))
            {
                // It would fail for ever, and hold up what comes after it: what this batch says is known until its files are unloaded.
                files.ForEach(file => file.EndCommit());
                return true;
            }

            foreach (CacheFile file in files)
            {
                file.RestoreDirty();
            }

            lock (_lock)
            {
                _pendingDeletes.UnionWith(deletes.Where(id => !_entries.ContainsKey(id)));
                if (_pendingDeletes.Count >= MostPendingDeletes)
                {
                    // What is stored makes others go, and the index cannot be told of them: no more until it can.
                    Suspend();
                }
            }

            if (!_stop)
            {
                _stopping.Token.WaitHandle.WaitOne(1000);
            }

            return false;
        }

        files.ForEach(file => file.OnCommitted());
        return changes.Count >= MostChangesPerCommit;
    }

    private void ReportIndexFailure(SqliteException error)
    {
        Interlocked.Increment(ref _ioErrors);
        if (TierIndex.IsDamage(error))
        {
            ReportIndexDamage();
            return;
        }

        _problem = $"the index fails ({error.Message}): what is stored now may be fetched again after a restart";
    }

    private void EvictToLowWatermark()
    {
        long quota = Volatile.Read(ref _effectiveQuotaBytes);
        if (UsedBytes - Volatile.Read(ref _leavingBytes) > Options.HighWatermark * quota)
        {
            EvictTo(Options.LowWatermark * quota);
        }
    }

    private void Housekeep()
    {
        long now = _time.GetTimestamp();
        if (now < _nextHousekeeping)
        {
            return;
        }

        _nextHousekeeping = now + _time.TimestampFrequency;
        MeasureIndex();
        SaveUses();
        if (_problem.Length > 0 && !IsSuspended && _dirty.IsEmpty)
        {
            _problem = "";
            lock (_lock)
            {
                _effectiveQuotaBytes = Options.QuotaBytes;
            }
        }

        ObeyFreeSpace();
        DropExpired();
        EvictBeyondOwnerQuotas();
    }

    private void DropExpired()
    {
        if (!_owners.HasTtl || !_startupScanDone || _nowSeconds < _nextExpirySeconds)
        {
            return;
        }

        _nextExpirySeconds = _nowSeconds + 10;
        List<EvictionNode>? victims = null;
        lock (_lock)
        {
            foreach (TierEntry entry in _entries.Values)
            {
                if (_owners.TtlSecondsOf(entry.Owner) is int ttl && entry.UsedAtSeconds < _nowSeconds - ttl && entry.CanEvict)
                {
                    (victims ??= []).Add(entry);
                }
            }

            foreach (EvictionNode victim in victims ?? [])
            {
                RemoveLocked((TierEntry)victim);
                _evictedBytes += victim.SizeBytes;
            }
        }

        DiscardVictims(victims);
    }

    private int _nextExpirySeconds;

    private void MeasureIndex()
    {
        long bytes = 0;
        foreach (string suffix in (ReadOnlySpan<string>)["", "-wal", "-shm"])
        {
            bytes += LengthOf(_directory.IndexPath + suffix) + LengthOf(MetadataPath + suffix);
        }

        Volatile.Write(ref _indexBytes, bytes);

        static long LengthOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
    }
}
