using System.Text;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Keeps the stats of all mount points of a node over a restart, in one SQLite file beside the cached bytes (docs/ON_DISK_LAYOUT.md). Everything in it can be
/// asked again: a file that cannot be read is set aside and begun anew, one that cannot be opened or written is tried again later, and no failure
/// of it reaches a reader or the start of a node.
/// </summary>
/// <remarks>Changes are gathered and written in one transaction by a thread of its own. Locks: <c>_writing</c>, then those of the parts; <c>_opening</c> guards look-ups and which database is open.</remarks>
internal sealed class StatFile : IDisposable
{
    private const int GatherMilliseconds = 20;
    private const int RetryMilliseconds = 10_000;
    private const int MostTrimmed = 4_096;
    private const int LeastLookedAt = 256;
    private static readonly string[] Suffixes = ["", "-wal", "-shm"];

    private readonly string _path;
    private readonly long _maxBytes;
    private readonly Lock _writing = new();
    private readonly Lock _opening = new();
    private readonly List<KeptStats> _mounts = [];
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly ManualResetEvent _stopping = new(initialState: false);
    private Thread? _writer;
    private StatDatabase? _database;
    private volatile bool _isDamaged;
    private volatile bool _stop;

    private StatFile(string path, long maxBytes)
    {
        _path = path;
        _maxBytes = maxBytes;
    }

    /// <summary>Why nothing is kept at the moment; null when all is well.</summary>
    internal string? Fault { get; private set; }

    /// <summary>Takes a file; it is opened by <see cref="Start"/>.</summary>
    /// <param name="path">In a directory that only this process uses.</param>
    /// <param name="maxBytes">What the database may hold; the oldest rows go first.</param>
    internal static StatFile At(string path, long maxBytes) => new(path, maxBytes);

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
    internal KeptStats For(string identity, int capacity, Func<string, bool> isCached)
    {
        var kept = new KeptStats(this, identity, capacity, isCached);
        _mounts.Add(kept);
        return kept;
    }

    /// <summary>Opens the file and starts the thread that writes.</summary>
    internal void Start()
    {
        lock (_writing)
        {
            TryOpen();
        }

        _writer = new Thread(Run) { IsBackground = true, Name = "metadata writer" };
        _writer.Start();
    }

    internal void Wake() => _wake.Set();

    internal byte[]? Find(KeptStats mount, byte[] key)
    {
        lock (_opening)
        {
            try
            {
                return _database?.Find(mount.Number, key);
            }
            catch (SqliteException error)
            {
                if (IsDamage(error))
                {
                    _isDamaged = true;
                    Wake();
                }

                return null;
            }
        }
    }

    /// <summary>Writes what waits, now.</summary>
    /// <returns>False when it could not be written; it waits on.</returns>
    internal bool Flush()
    {
        lock (_writing)
        {
            return Commit();
        }
    }

    /// <summary>Writes what waits and closes the file.</summary>
    public void Dispose()
    {
        _stop = true;
        _stopping.Set();
        _wake.Set();
        _writer?.Join();
        Flush();
        Close();
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
        List<(KeptStats Mount, KeptStats.Changes Changes)> batch = [];
        foreach (KeptStats mount in _mounts)
        {
            if (mount.BeginCommit() is { } changes)
            {
                batch.Add((mount, changes));
            }
        }

        bool isWritten = false;
        try
        {
            isWritten = TryOpen() && (batch.Count == 0 || Write(batch));
        }
        finally
        {
            foreach ((KeptStats mount, _) in batch)
            {
                mount.EndCommit(isWritten);
            }
        }

        return isWritten;
    }

    private bool Write(List<(KeptStats Mount, KeptStats.Changes Changes)> batch)
    {
        StatDatabase database = _database!;
        try
        {
            database.Begin();
            foreach ((KeptStats mount, KeptStats.Changes changes) in batch)
            {
                Write(database, mount, changes);
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

    private static void Write(StatDatabase database, KeptStats mount, KeptStats.Changes changes)
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
                mount.PutsSinceCount++;
            }
        }
    }

    private void Trim(StatDatabase database)
    {
        bool isTooLarge = database.UsedBytes() > _maxBytes;
        foreach (KeptStats mount in _mounts)
        {
            // Counting reads an index: not after every handful of rows.
            if (!isTooLarge && mount.PutsSinceCount <= mount.Capacity / 64)
            {
                continue;
            }

            long count = database.Count(mount.Number);
            mount.PutsSinceCount = 0;
            long excess = Math.Max(count - mount.Capacity, isTooLarge ? (count + 7) / 8 : 0);
            if (excess > 0)
            {
                TrimMount(database, mount, (int)Math.Min(excess + (mount.Capacity / 64), MostTrimmed));
            }
        }
    }

    /// <summary>
    /// Drops rows of a mount point, those first whose object is not cached: they would help a HEAD, not a GET. Looks at few more than must go: where
    /// all that was read is cached, each look would write every row anew.
    /// </summary>
    private static void TrimMount(StatDatabase database, KeptStats mount, int excess)
    {
        List<long> deleted = [];
        List<long> cached = [];
        foreach ((long number, string key) in database.Oldest(mount.Number, Math.Clamp(2 * excess, LeastLookedAt, MostTrimmed)))
        {
            if (deleted.Count < excess)
            {
                (mount.IsCached(key) ? cached : deleted).Add(number);
            }
        }

        int missing = Math.Min(excess - deleted.Count, cached.Count);
        database.DeleteAndRenew([.. deleted, .. cached[..missing]], cached[missing..]);
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

            StatDatabase database;
            try
            {
                database = Prepare(StatDatabase.Open(_path));
            }
            catch (Exception error) when (error is ForebayException || (error is SqliteException sqlite && IsDamage(sqlite)))
            {
                SetAside();
                database = Prepare(StatDatabase.Open(_path));
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

    private StatDatabase Prepare(StatDatabase database)
    {
        try
        {
            database.Begin();
            foreach (KeptStats mount in _mounts)
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
        foreach (KeptStats mount in _mounts)
        {
            mount.BeginAnew();
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

    private void Abandon(StatDatabase database)
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

    /// <summary>SQLITE_ERROR (a table is missing), SQLITE_CORRUPT, SQLITE_NOTADB.</summary>
    private static bool IsDamage(SqliteException error) => error.SqliteErrorCode is 1 or 11 or 26;
}
