using System.Text;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Keeps the stats and listings of all mount points of a node over a restart, in one SQLite file beside the cached bytes (docs/ON_DISK_LAYOUT.md). Everything in it can be
/// asked again: a file that cannot be read is set aside and begun anew, one that cannot be opened or written is tried again later, and no failure
/// of it reaches a reader or the start of a node.
/// </summary>
/// <remarks>Changes are gathered and written in one transaction by a thread of its own. Locks: <c>_writing</c>, then those of the parts; <c>_opening</c> guards look-ups and which database is open.</remarks>
internal sealed partial class MetadataFile : IDisposable
{
    private const int GatherMilliseconds = 20;
    private const int RetryMilliseconds = 10_000;
    private static readonly string[] Suffixes = ["", "-wal", "-shm"];

    private readonly string _path;
    private readonly long _maxBytes;
    private readonly Lock _writing = new();
    private readonly Lock _opening = new();
    private readonly List<KeptMetadata> _mounts = [];
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly ManualResetEvent _stopping = new(initialState: false);
    private Thread? _writer;
    private MetadataDatabase? _database;
    private volatile bool _isDamaged;
    private volatile bool _stop;
    private bool _isClosed;

    private MetadataFile(string path, long maxBytes)
    {
        _path = path;
        _maxBytes = maxBytes;
    }

    /// <summary>Why nothing is kept at the moment; null when all is well.</summary>
    internal string? Fault { get; private set; }

    /// <summary>Takes a file; it is opened by <see cref="Start"/>.</summary>
    /// <param name="path">In a directory that only this process uses.</param>
    /// <param name="maxBytes">What the database may hold; the oldest rows go first.</param>
    internal static MetadataFile At(string path, long maxBytes) => new(path, maxBytes);

    /// <summary>Removes a file that no node keeps up to date: what it says may have been refreshed away since.</summary>
    internal static void Remove(string path)
    {
        try
        {
            foreach (string suffix in Suffixes)
            {
                File.Delete(path + suffix);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It would be read only if this directory became the first one, on a disk that takes writes again.
        }
    }

    /// <summary>The part of one mount point; only before <see cref="Start"/>.</summary>
    internal KeptMetadata For(string identity, KeptBounds bounds, Func<string, bool> isCached)
    {
        var kept = new KeptMetadata(this, identity, bounds, isCached);
        _mounts.Add(kept);
        return kept;
    }

    /// <summary>Opens the file and starts the thread that writes.</summary>
    internal void Start()
    {
        // Stats are worth more: without them no cached byte is served.
        foreach (KeptMetadata mount in _mounts)
        {
            mount.Listings.MaxBytes = Math.Min(mount.Listings.MaxBytes, _maxBytes / 2 / _mounts.Count);
        }

        lock (_writing)
        {
            TryOpen();
        }

        _writer = new Thread(Run) { IsBackground = true, Name = "metadata writer" };
        _writer.Start();
    }

    internal void Wake() => _wake.Set();

    internal byte[]? Find(KeptMetadata mount, byte[] key)
    {
        lock (_opening)
        {
            try
            {
                return _database?.Find(mount.Number, key);
            }
            catch (SqliteException error)
            {
                NoteDamage(error);
                return null;
            }
        }
    }

    /// <summary>What is in the log of a mount point's listings, with what waited, as far as it has room; null when it cannot be told.</summary>
    internal ListingTable? ReplayListings(KeptMetadata mount, long maxBytes, out long latest)
    {
        latest = 0;

        // What could not be written may say that something is dropped.
        if (!Flush())
        {
            return null;
        }

        var table = new ListingTable(maxBytes);
        try
        {
            foreach (KeptListing entry in MetadataDatabase.ReadLog(_path, mount.Number))
            {
                switch (entry.Kind)
                {
                    case KeptListingKind.Listing:
                        latest = entry.Segment!.AsOf.Sequence;
                        table.Insert(entry.Delimiter, entry.Prefix, entry.Segment);
                        break;
                    case KeptListingKind.KeyDropped:
                        table.DropKey(entry.Prefix);
                        break;
                    default:
                        table.DropPrefix(entry.Prefix);
                        break;
                }
            }

            return table;
        }
        catch (SqliteException error)
        {
            NoteDamage(error);
            return null;
        }
    }

    /// <summary>Writes what waits, now.</summary>
    /// <returns>False when it could not be written; it waits on.</returns>
    internal bool Flush()
    {
        lock (_writing)
        {
            return !_isClosed && Commit();
        }
    }

    /// <summary>Writes what waits and closes the file.</summary>
    public void Dispose()
    {
        _stop = true;
        _stopping.Set();
        _wake.Set();
        _writer?.Join();
        lock (_writing)
        {
            Commit();
            _isClosed = true;
            Close();
        }

        _wake.Dispose();
        _stopping.Dispose();
    }

    private void Run()
    {
        while (!_stop)
        {
            _wake.WaitOne();

            // Gather for a moment: one transaction for many stats. Woken early only by the end.
            _stopping.WaitOne(GatherMilliseconds);
            if (!Flush() && !_stop)
            {
                _stopping.WaitOne(RetryMilliseconds);
                _wake.Set();
            }
        }
    }

    private bool Commit()
    {
        List<Batch> batch = [];
        foreach (KeptMetadata mount in _mounts)
        {
            var changes = new Batch(mount, mount.Stats.BeginCommit(), mount.Listings.BeginCommit());
            if (changes is not { Stats: null, Listings: null })
            {
                batch.Add(changes);
            }
        }

        bool isWritten = false;
        try
        {
            isWritten = TryOpen() && (batch.Count == 0 || Write(batch));
        }
        finally
        {
            foreach ((KeptMetadata mount, KeptStats.Changes? stats, KeptListings.Changes? listings) in batch)
            {
                if (stats is not null)
                {
                    mount.Stats.EndCommit(isWritten);
                }

                if (listings is not null)
                {
                    mount.Listings.EndCommit(isWritten);
                }
            }
        }

        return isWritten;
    }

    private bool Write(List<Batch> batch)
    {
        MetadataDatabase database = _database!;
        try
        {
            database.Begin();
            foreach ((KeptMetadata mount, KeptStats.Changes? stats, KeptListings.Changes? listings) in batch)
            {
                if (stats is not null)
                {
                    Write(database, mount, stats);
                }

                foreach (KeptListing change in listings?.Log ?? [])
                {
                    mount.Listings.BytesSinceMeasured += database.Log(mount.Number, change);
                    mount.Listings.DropsSinceMeasured += change.Kind == KeptListingKind.Listing ? 0 : 1;
                }
            }

            Trim(database);
            database.Commit();
            Fault = null;
            return true;
        }
        catch (SqliteException error)
        {
            Fault = $"{_path}: {error.Message}";
            _isDamaged |= IsDamage(error);
            Abandon(database);
            return false;
        }
    }

    private static void Write(MetadataDatabase database, KeptMetadata mount, KeptStats.Changes changes)
    {
        foreach (string prefix in changes.Prefixes)
        {
            database.DeleteBelow(mount.Number, Encoding.UTF8.GetBytes(prefix));
        }

        foreach ((string key, byte[]? value) in changes.Ops)
        {
            byte[] name = Encoding.UTF8.GetBytes(key);
            if (value is null)
            {
                database.Delete(mount.Number, name);
            }
            else
            {
                database.Put(mount.Number, name, value);
                mount.Stats.PutsSinceCount++;
            }
        }
    }

    /// <summary>Makes sure that a database is open that is not known to be damaged.</summary>
    private bool TryOpen()
    {
        if (_database is not null && !_isDamaged)
        {
            return true;
        }

        try
        {
            if (_isDamaged)
            {
                SetAside();
            }

            MetadataDatabase database;
            try
            {
                database = Prepare(MetadataDatabase.Open(_path));
            }
            catch (Exception error) when (error is ForebayException || (error is SqliteException sqlite && IsDamage(sqlite)))
            {
                SetAside();
                database = Prepare(MetadataDatabase.Open(_path));
            }

            lock (_opening)
            {
                _database = database;
            }

            Fault = null;
            return true;
        }
        catch (Exception error) when (error is SqliteException or IOException or UnauthorizedAccessException or ForebayException)
        {
            Fault = $"{_path}: {error.Message}";
            return false;
        }
    }

    private MetadataDatabase Prepare(MetadataDatabase database)
    {
        try
        {
            database.Begin();
            foreach (KeptMetadata mount in _mounts)
            {
                mount.Number = database.MountNumber(mount.Identity);
            }

            database.RemoveOthers([.. _mounts.Select(mount => mount.Number)]);
            database.Commit();
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private void SetAside()
    {
        Close();
        if (File.Exists(_path))
        {
            File.Move(_path, _path + ".damaged", overwrite: true);
        }

        Remove(_path);
        foreach (KeptMetadata mount in _mounts)
        {
            mount.Stats.BeginAnew();
            mount.Listings.BeginAnew();
        }

        _isDamaged = false;
    }

    private void Close()
    {
        lock (_opening)
        {
            _database?.Dispose();
            _database = null;
        }
    }

    private void Abandon(MetadataDatabase database)
    {
        try
        {
            database.Abandon();
        }
        catch (SqliteException)
        {
            // SQLite has undone it by itself, or the connection is of no use: open it anew.
            Close();
        }
    }

    private void NoteDamage(SqliteException error)
    {
        if (IsDamage(error))
        {
            _isDamaged = true;
            Wake();
        }
    }

    /// <summary>SQLITE_ERROR (a table is missing), SQLITE_CORRUPT, SQLITE_NOTADB.</summary>
    private static bool IsDamage(SqliteException error) => error.SqliteErrorCode is 1 or 11 or 26;

    /// <summary>What is written of one mount point in one transaction.</summary>
    private readonly record struct Batch(KeptMetadata Mount, KeptStats.Changes? Stats, KeptListings.Changes? Listings);
}
