using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <summary>What a thread does behind a start: reads all rows into the eviction queues, then removes files without a row.</summary>
public sealed partial class Tier
{
    private const int RowsOrderedPerSlice = 256;

    private void ScanAtStartup()
    {
        List<TierEntry> found = [];
        bool isComplete = TryReadRows(found);
        OrderByUse(found);
        lock (_lock)
        {
            _startupScanDone = true;
            _removedDuringScan.Clear();
        }

        WakeMaintenance();
        LoadLargePartials(found);
        if (isComplete)
        {
            RemoveOrphans();
        }

        _startupEnded = true;
    }

    /// <returns>False when files without a row may still have one.</returns>
    private bool TryReadRows(List<TierEntry> found)
    {
        try
        {
            foreach (ScannedRow row in _index.ScanUnordered())
            {
                if (_stop)
                {
                    return false;
                }

                Victims victims = default;
                lock (_lock)
                {
                    if (!row.IsUsable)
                    {
                        // Damaged in itself, in an index that is not: its file is an orphan.
                        _pendingDeletes.Add(row.Id);
                    }
                    else if (!_entries.ContainsKey(row.Id) && !_removedDuringScan.Contains(row.Id))
                    {
                        found.Add(RegisterLocked(row));
                        ForgetBeyondBoundLocked(ref victims);
                    }
                }

                if (victims.Nodes is not null)
                {
                    DiscardVictims(victims.Nodes);
                    DropEvicted(found);
                }
            }

            return true;
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);

            // Files whose rows could not be read look like orphans; they are, if the index is damaged.
            return TierIndex.IsDamage(e);
        }
    }

    /// <summary>
    /// The rows come in the order of the table: sorting them in SQLite would write all of them to a temporary file first. What was added
    /// meanwhile is newer than all of them.
    /// </summary>
    private void OrderByUse(List<TierEntry> found)
    {
        TierEntry[] entries = [.. found];
        int[] used = Array.ConvertAll(entries, entry => entry.SavedUseSeconds);
        Array.Sort(used, entries);
        for (int last = entries.Length; last > 0 && !_stop; last -= RowsOrderedPerSlice)
        {
            lock (_lock)
            {
                for (int i = last - 1; i >= Math.Max(0, last - RowsOrderedPerSlice); i--)
                {
                    _policy.MakeOldest(entries[i]);
                }
            }
        }
    }

    /// <summary>A partial file with much in it can leave by parts only once it is loaded.</summary>
    private void LoadLargePartials(List<TierEntry> found)
    {
        try
        {
            foreach (TierEntry entry in found)
            {
                if (_stop)
                {
                    return;
                }

                if (!entry.IsWhole && entry.SizeBytes > UnfoldBytes && _index.Find(entry.Id) is { } saved)
                {
                    LoadIfLargeAndPartial(saved.Row);
                }
            }
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
        }
    }

    /// <summary>Data files without a row: left by a death between two commits. Files in use always have an entry.</summary>
    private void RemoveOrphans()
    {
        try
        {
            foreach (string folder in Directory.EnumerateDirectories(_directory.ObjectsPath))
            {
                foreach (string path in Directory.EnumerateFiles(folder))
                {
                    if (_stop)
                    {
                        return;
                    }

                    RemoveIfOrphan(path);
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            // The directory vanished: whoever stores next finds and reports it; there are no orphans to remove.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Interlocked.Increment(ref _ioErrors);
        }
    }

    private void RemoveIfOrphan(string path)
    {
        if (!TierDirectory.TryParseDataName(System.IO.Path.GetFileName(path.AsSpan()), out VersionId id, out int generation))
        {
            return;
        }

        var dataFile = (Id: id, Generation: generation);
        lock (_lock)
        {
            if ((_entries.TryGetValue(dataFile.Id, out TierEntry? entry) && entry.Generation == generation) || !_unlinking.Add(dataFile))
            {
                return;
            }
        }

        try
        {
            LocalFile.Unlink(path);
        }
        finally
        {
            lock (_lock)
            {
                _unlinking.Remove(dataFile);
            }
        }
    }
}
