using System.Diagnostics;
using Forebay.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>From the index to memory: what a start finds again.</summary>
public sealed partial class Tier
{
    /// <summary>Rows of everything cached here, for listings of the cache; in no useful order.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the index fails.</exception>
    internal IEnumerable<ObjectRow> Rows()
    {
        FlushIndex();
        using IEnumerator<ObjectRow> rows = _index.Scan().GetEnumerator();
        while (MoveNext(rows))
        {
            yield return rows.Current;
        }
    }

    private bool MoveNext(IEnumerator<ObjectRow> rows)
    {
        try
        {
            return rows.MoveNext();
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
            throw new ForebayException(ErrorKind.Unavailable, $"The index of {Path} cannot be read to its end: {e.Message}. Restart the node: a damaged index is begun anew.", e);
        }
    }

    /// <summary>Loads a file by its row. When <paramref name="expected"/> was dropped or made anew meanwhile, the row is of the past and not used.</summary>
    private CacheFile? LoadFromIndex(ObjectVersion version, TierEntry? expected)
    {
        (ObjectRow Row, List<ExtentRow> Extents)? found;
        try
        {
            found = _index.Find(version.Id);
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
            if (!TierIndex.IsDamage(e))
            {
                // Not "nothing is cached": nothing new may take the place of what cannot be read just now.
                Suspend();
            }

            return null;
        }

        if (found is null || found.Value.Row.Version != version)
        {
            return null;
        }

        ObjectRow row = found.Value.Row;
        PageMap? pages = ReadPages(row, found.Value.Extents);
        long diskBytes = pages is not null && IsPartial(row, _owners.OwnerOf(version.UnderStore, version.Key)) ? DiskBytesOf(row) : 0;
        CacheFile? file;
        lock (_lock)
        {
            if (!_entries.TryGetValue(version.Id, out TierEntry? entry))
            {
                if (_startupScanDone || pages is null || _removedDuringScan.Contains(version.Id))
                {
                    return null;
                }

                entry = RegisterLocked(ScannedRow.Of(row));
            }
            else if (expected is not null && !ReferenceEquals(entry, expected))
            {
                return entry.IsIncoming ? null : entry.File;
            }

            if (entry.File is null && pages is not null)
            {
                AttachLoadedLocked(entry, row, pages, diskBytes);
            }

            file = entry.IsIncoming ? null : entry.File;
        }

        if (file?.Sections is { StrayBytes: > 0 })
        {
            PunchStray(file);
        }

        return file;
    }

    /// <summary>Pages of a row; verified when the file is as the index last saw it, in the same boot. Null when the file is missing or of another size.</summary>
    private PageMap? ReadPages(ObjectRow row, List<ExtentRow> extents)
    {
        try
        {
            using SafeFileHandle handle = LocalFile.Open(_directory.DataPath(row.Version.Id, row.Generation), create: false, writable: false);
            FileIdentity identity = LocalFile.Identify(handle);
            if (identity.SizeBytes != row.Version.Length)
            {
                return null;
            }

            bool verified = identity == row.Identity && string.Equals(row.BootId, _bootId, StringComparison.Ordinal);
            var pages = new PageMap(row.Version.Length, PageSizeBytes);
            foreach (ExtentRow extent in extents)
            {
                pages.Restore(extent, verified);
            }

            return pages;
        }
        catch (TierIOException e)
        {
            if (e.Errno != Native.NoSuchFile)
            {
                ReportFailure(e);
            }

            return null;
        }
    }

    private TierEntry RegisterLocked(ScannedRow row)
    {
        var store = new UnderStoreId(row.Store);
        var entry = new TierEntry(this, row.Id, row.StoredBytes, _owners.OwnerOf(store, row.Key))
        {
            Generation = row.Generation,
            IsPinned = _pins.Covers(row.Store, row.Key),
            UsedAtSeconds = row.UsedAtSeconds,
            IsWhole = row.IsWhole,
            WasReused = row.IsFrequent,
            SavedUseSeconds = row.UsedAtSeconds,
            IsSavedAsFrequent = row.IsFrequent,
        };
        entry.ObjectHash = ObjectHash(store, row.Key);
        AddLocked(entry);
        _policy.Restore(entry, row.IsFrequent);
        _storedBytes += entry.SizeBytes;
        if (entry.CountsForOwner)
        {
            AddOwnerBytesLocked(entry, entry.SizeBytes);
            _owners.Add(entry.Owner, entry.SizeBytes);
        }

        return entry;
    }

    /// <summary>From now on the index is read and written as far as it goes; the next start begins it anew.</summary>
    private void ReportIndexDamage()
    {
        if (_indexIsDamaged)
        {
            return;
        }

        _indexIsDamaged = true;
        try
        {
            _directory.MarkIndexDamaged();
        }
        catch (TierIOException e)
        {
            ReportFailure(e);
        }
    }

    private static TierIndex OpenIndex(TierDirectory directory, TimeProvider time)
    {
        try
        {
            if (directory.IsIndexMarkedDamaged)
            {
                directory.SetIndexAside(time.GetUtcNow());
            }

            try
            {
                return OpenReadable(directory.IndexPath);
            }
            catch (SqliteException e) when (TierIndex.IsDamage(e) || e.SqliteErrorCode == 1)
            {
                // 1: SQLITE_ERROR, a table is missing. The cached bytes cannot be told apart without it; the data files become orphans and are
                // removed in the background.
                directory.SetIndexAside(time.GetUtcNow());
                return TierIndex.Open(directory.IndexPath);
            }
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"The index {directory.IndexPath} cannot be opened: {e.Message}", e);
        }
    }

    private static TierIndex OpenReadable(string path)
    {
        TierIndex index = TierIndex.Open(path);
        try
        {
            _ = index.Pins();
            return index;
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    internal static string ReadBootId()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (IOException)
        {
            Debug.Fail("no boot id");
            return Guid.NewGuid().ToString();
        }
    }
}
