using System.Runtime.InteropServices;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <summary>What the index knows of one data file.</summary>
/// <param name="Version">The object version it holds bytes of.</param>
/// <param name="Generation">Raised when a damaged whole file was replaced; part of the file's name.</param>
/// <param name="StoredBytes">Bytes that count against the quota: present pages and those being written, rounded up to blocks.</param>
/// <param name="IsWhole">The file was complete once: it is never punched, truncated or rewritten again.</param>
/// <param name="Identity">Identity of the file after the last page of this row was written.</param>
/// <param name="BootId">Boot in which that was.</param>
/// <param name="UsedAtSeconds">Last use, Unix seconds, coarse.</param>
/// <param name="IsFrequent">Used since it was stored: belongs to the main queue.</param>
internal sealed record ObjectRow(
    ObjectVersion Version,
    int Generation,
    long StoredBytes,
    bool IsWhole,
    FileIdentity Identity,
    string BootId,
    long UsedAtSeconds,
    bool IsFrequent);

/// <summary>What a start needs of a row; its id is believed here, and compared with the version when the row is used.</summary>
internal readonly record struct ScannedRow(VersionId Id, string Store, string Key, int Generation, long StoredBytes, bool IsWhole, int UsedAtSeconds, bool IsFrequent)
{
    /// <summary>False for values that no row has.</summary>
    internal bool IsUsable => Generation >= 0 && StoredBytes >= 0;

    internal static ScannedRow Of(ObjectRow row)
        => new(row.Version.Id, row.Version.UnderStore.Value, row.Version.Key, row.Generation, row.StoredBytes, row.IsWhole, (int)row.UsedAtSeconds, row.IsFrequent);
}

/// <summary>
/// The index of one tier directory: a SQLite file in WAL mode. A commit is safe against the death of this process at once and against
/// the death of the machine from the next checkpoint on; data pages themselves are guarded by their checksums, never by fsync.
/// </summary>
/// <remarks>
/// Lock order: <c>_writing</c> and <c>_reading</c> are never held together. Commits come from one thread, look-ups from any. After a failed
/// commit nothing of the batch is in the index; the caller marks the files dirty again.
/// </remarks>
internal sealed class TierIndex : IDisposable
{
    internal const int SchemaVersion = 1;

    /// <summary>Columns as <see cref="TryReadRow"/> reads them.</summary>
    internal const string RowColumns = "store, key, token, length, generation, stored, whole, inode, size, modified, changed, boot, used, frequent";

    private readonly Lock _writing = new();
    private readonly Lock _reading = new();
    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly SqliteCommand _putObject;
    private readonly SqliteCommand _putExtent;
    private readonly SqliteCommand _deleteObject;
    private readonly SqliteCommand _deleteExtents;
    private readonly SqliteCommand _saveUse;
    private readonly SqliteCommand _findObject;
    private readonly SqliteCommand _findExtents;

    private TierIndex(SqliteConnection writer, SqliteConnection reader)
    {
        _writer = writer;
        _reader = reader;
        _putObject = Command(
            writer,
            """
            INSERT OR REPLACE INTO object(id, generation, store, key, token, length, stored, whole, inode, size, modified, changed, boot, used, frequent)
            VALUES ($id, $generation, $store, $key, $token, $length, $stored, $whole, $inode, $size, $modified, $changed, $boot, $used, $frequent)
            """,
            "$id", "$generation", "$store", "$key", "$token", "$length", "$stored", "$whole", "$inode", "$size", "$modified", "$changed", "$boot", "$used", "$frequent");
        _putExtent = Command(writer, "INSERT OR REPLACE INTO extent(id, extent, present, checksums) VALUES ($id, $extent, $present, $checksums)", "$id", "$extent", "$present", "$checksums");
        _deleteObject = Command(writer, "DELETE FROM object WHERE id = $id", "$id");
        _deleteExtents = Command(writer, "DELETE FROM extent WHERE id = $id", "$id");
        _saveUse = Command(writer, "UPDATE object SET used = $used, frequent = $frequent WHERE id = $id", "$used", "$frequent", "$id");
        _findObject = Command(reader, $"SELECT {RowColumns} FROM object WHERE id = $id", "$id");
        _findExtents = Command(reader, "SELECT extent, present, checksums FROM extent WHERE id = $id", "$id");
    }

    /// <summary>Opens the index, making it if it is missing.</summary>
    /// <exception cref="SqliteException">The file is damaged or unreadable.</exception>
    /// <exception cref="ForebayException">It was written by a newer build.</exception>
    internal static TierIndex Open(string path)
    {
        SqliteConnection writer = Connect(path, SqliteOpenMode.ReadWriteCreate);
        try
        {
            Execute(writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY");
            long version = Scalar(writer, "PRAGMA user_version");
            if (version > SchemaVersion)
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"{path} has schema {version}, this build reads up to {SchemaVersion}. Run the newer Forebay that made it, or remove the cache directory.");
            }

            if (version == 0)
            {
                Execute(
                    writer,
                    $"""
                    BEGIN;
                    CREATE TABLE object(
                      id BLOB PRIMARY KEY, generation INTEGER NOT NULL, store TEXT NOT NULL, key TEXT NOT NULL, token TEXT NOT NULL, length INTEGER NOT NULL,
                      stored INTEGER NOT NULL, whole INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
                      changed INTEGER NOT NULL, boot TEXT NOT NULL, used INTEGER NOT NULL, frequent INTEGER NOT NULL) WITHOUT ROWID;
                    CREATE TABLE extent(id BLOB NOT NULL, extent INTEGER NOT NULL, present BLOB NOT NULL, checksums BLOB NOT NULL, PRIMARY KEY(id, extent)) WITHOUT ROWID;
                    CREATE TABLE pin(store TEXT NOT NULL, prefix TEXT NOT NULL, PRIMARY KEY(store, prefix)) WITHOUT ROWID;
                    PRAGMA user_version = {SchemaVersion};
                    COMMIT;
                    """);
            }

            SqliteConnection reader = Connect(path, SqliteOpenMode.ReadWrite);
            Execute(reader, "PRAGMA cache_size = -4096; PRAGMA query_only = ON");
            return new TierIndex(writer, reader);
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>True when SQLite says that the file itself is damaged (SQLITE_CORRUPT, SQLITE_NOTADB).</summary>
    internal static bool IsDamage(SqliteException error) => error.SqliteErrorCode is 11 or 26;

    /// <summary>Finds the row and the extents of one version; null when unknown, or when the row does not read as one.</summary>
    internal (ObjectRow Row, List<ExtentRow> Extents)? Find(VersionId id)
    {
        byte[] key = id.ToByteArray();
        lock (_reading)
        {
            _findObject.Parameters[0].Value = key;
            ObjectRow? row;
            using (SqliteDataReader found = _findObject.ExecuteReader())
            {
                row = found.Read() ? TryReadRow(found) : null;
            }

            if (row is null)
            {
                return null;
            }

            List<ExtentRow> extents = [];
            _findExtents.Parameters[0].Value = key;
            using (SqliteDataReader found = _findExtents.ExecuteReader())
            {
                while (found.Read())
                {
                    // No file has that many extents: what is more is damage, and belongs to none.
                    extents.Add(new ExtentRow((int)Math.Clamp(found.GetInt64(0), -1, int.MaxValue), found.GetValue(1) as byte[] ?? [], found.GetValue(2) as byte[] ?? []));
                }
            }

            return (row, extents);
        }
    }

    /// <summary>All rows that read as such, through a connection of its own; for operators.</summary>
    internal IEnumerable<ObjectRow> Scan()
    {
        using SqliteConnection connection = Connect(_writer.DataSource, SqliteOpenMode.ReadWrite);
        using SqliteCommand command = Command(connection, $"SELECT {RowColumns} FROM object");
        using SqliteDataReader found = command.ExecuteReader();
        while (found.Read())
        {
            if (TryReadRow(found) is { } row)
            {
                yield return row;
            }
        }
    }

    /// <summary>What a start needs of all rows, in the order of the table, through a connection of its own. Rows that are stored under no id at all are left out.</summary>
    internal IEnumerable<ScannedRow> ScanUnordered()
    {
        using SqliteConnection connection = Connect(_writer.DataSource, SqliteOpenMode.ReadWrite);
        using SqliteCommand command = Command(connection, "SELECT id, store, key, generation, stored, whole, used, frequent FROM object");
        using SqliteDataReader found = command.ExecuteReader();
        byte[] id = new byte[16];
        while (found.Read())
        {
            if (!found.IsDBNull(0) && found.GetBytes(0, 0, null, 0, 0) == id.Length)
            {
                found.GetBytes(0, 0, id, 0, id.Length);
                yield return ReadScanned(found, VersionId.FromBytes(id));
            }
        }
    }

    /// <summary>Pinned prefixes: under-store id and key prefix.</summary>
    internal List<(string Store, string Prefix)> Pins()
    {
        lock (_reading)
        {
            using SqliteCommand command = Command(_reader, "SELECT store, prefix FROM pin");
            using SqliteDataReader found = command.ExecuteReader();
            List<(string Store, string Prefix)> pins = [];
            while (found.Read())
            {
                pins.Add((found.GetString(0), found.GetString(1)));
            }

            return pins;
        }
    }

    /// <summary>Adds or removes pinned prefixes: all of them or, if it fails, none.</summary>
    internal void SetPins(string store, IReadOnlyCollection<string> prefixes, bool pinned)
    {
        lock (_writing)
        {
            using SqliteTransaction transaction = _writer.BeginTransaction();
            using SqliteCommand command = Command(_writer, pinned ? "INSERT OR REPLACE INTO pin(store, prefix) VALUES ($store, $prefix)" : "DELETE FROM pin WHERE store = $store AND prefix = $prefix", "$store", "$prefix");
            command.Transaction = transaction;
            command.Parameters[0].Value = store;
            foreach (string prefix in prefixes)
            {
                command.Parameters[1].Value = prefix;
                command.ExecuteNonQuery();
            }

            transaction.Commit();
        }
    }

    /// <summary>Writes a batch in one transaction.</summary>
    internal void Commit(IReadOnlyList<IndexChange> changes)
    {
        lock (_writing)
        {
            using SqliteTransaction transaction = _writer.BeginTransaction();
            _putObject.Transaction = _putExtent.Transaction = _deleteObject.Transaction = _deleteExtents.Transaction = transaction;
            foreach (IndexChange change in changes)
            {
                Apply(change);
            }

            transaction.Commit();
        }
    }

    /// <summary>Notes uses of objects in one transaction; an object without a row is passed over.</summary>
    internal void SaveUses(ReadOnlySpan<SavedUse> uses)
    {
        lock (_writing)
        {
            using SqliteTransaction transaction = _writer.BeginTransaction();
            _saveUse.Transaction = transaction;
            foreach (SavedUse use in uses)
            {
                _saveUse.Parameters[0].Value = use.UsedAtSeconds;
                _saveUse.Parameters[1].Value = use.IsFrequent ? 1 : 0;
                _saveUse.Parameters[2].Value = use.Entry.Id.ToByteArray();
                _saveUse.ExecuteNonQuery();
            }

            transaction.Commit();
        }
    }

    public void Dispose()
    {
        lock (_writing)
        {
            _writer.Dispose();
        }

        lock (_reading)
        {
            _reader.Dispose();
        }
    }

    private void Apply(IndexChange change)
    {
        byte[] id = change.Id.ToByteArray();
        if (change.Row is null || change.ReplacesAll)
        {
            _deleteExtents.Parameters[0].Value = id;
            _deleteExtents.ExecuteNonQuery();
        }

        if (change.Row is null)
        {
            _deleteObject.Parameters[0].Value = id;
            _deleteObject.ExecuteNonQuery();
            return;
        }

        ObjectRow row = change.Row;
        SqliteParameterCollection p = _putObject.Parameters;
        p[0].Value = id;
        p[1].Value = row.Generation;
        p[2].Value = row.Version.UnderStore.Value;
        p[3].Value = row.Version.Key;
        p[4].Value = row.Version.Token.Value;
        p[5].Value = row.Version.Length;
        p[6].Value = row.StoredBytes;
        p[7].Value = row.IsWhole ? 1 : 0;
        p[8].Value = row.Identity.Inode;
        p[9].Value = row.Identity.SizeBytes;
        p[10].Value = row.Identity.ModifiedNanoseconds;
        p[11].Value = row.Identity.ChangedNanoseconds;
        p[12].Value = row.BootId;
        p[13].Value = row.UsedAtSeconds;
        p[14].Value = row.IsFrequent ? 1 : 0;
        _putObject.ExecuteNonQuery();
        foreach (ExtentRow extent in change.Extents)
        {
            _putExtent.Parameters[0].Value = id;
            _putExtent.Parameters[1].Value = extent.Extent;
            _putExtent.Parameters[2].Value = extent.Present;
            _putExtent.Parameters[3].Value = extent.Checksums;
            _putExtent.ExecuteNonQuery();
        }
    }

    /// <summary>Reads <see cref="RowColumns"/>; null for what is no row: damage that SQLite cannot see.</summary>
    internal static ObjectRow? TryReadRow(SqliteDataReader r)
    {
        try
        {
            var version = new ObjectVersion(new UnderStoreId(r.GetString(0)), r.GetString(1), new VersionToken(r.GetString(2)), r.GetInt64(3));
            var identity = new FileIdentity(r.GetInt64(7), r.GetInt64(8), r.GetInt64(9), r.GetInt64(10));
            var row = new ObjectRow(version, r.GetInt32(4), r.GetInt64(5), r.GetInt64(6) != 0, identity, r.GetString(11), r.GetInt64(12), r.GetInt64(13) != 0);
            return row.Generation >= 0 && row.StoredBytes >= 0 ? row : null;
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return null;
        }
    }

    private static ScannedRow ReadScanned(SqliteDataReader r, VersionId id)
    {
        var unusable = new ScannedRow(id, "", "", -1, 0, IsWhole: false, 0, IsFrequent: false);
        try
        {
            for (int column = 1; column < r.FieldCount; column++)
            {
                if (r.IsDBNull(column))
                {
                    return unusable;
                }
            }

            return new ScannedRow(id, r.GetString(1), r.GetString(2), r.GetInt32(3), r.GetInt64(4), r.GetInt64(5) != 0, r.GetInt32(6), r.GetInt64(7) != 0);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return unusable;
        }
    }

    /// <summary>What the library says of a value that is not of its column's kind: damage that SQLite cannot see.</summary>
    private static bool IsUnreadable(Exception e) => e is InvalidCastException or InvalidOperationException or ArgumentException or OverflowException or FormatException;

    private static SqliteConnection Connect(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    private static SqliteCommand Command(SqliteConnection connection, string text, params ReadOnlySpan<string> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // every text is a constant of this file
        command.CommandText = text;
#pragma warning restore CA2100
        foreach (string name in parameters)
        {
            command.Parameters.Add(new SqliteParameter(name, null));
        }

        return command;
    }

    private static void Execute(SqliteConnection connection, string text)
    {
        using SqliteCommand command = Command(connection, text);
        command.ExecuteNonQuery();
    }

    private static long Scalar(SqliteConnection connection, string text)
    {
        using SqliteCommand command = Command(connection, text);
        return (long)command.ExecuteScalar()!;
    }
}

/// <summary>One change of a batch.</summary>
/// <param name="Id">The version concerned.</param>
/// <param name="Row">The new row; null removes the object.</param>
/// <param name="Extents">Changed extents.</param>
/// <param name="ReplacesAll">Drop the extents stored before (a new generation of the file).</param>
internal readonly record struct IndexChange(VersionId Id, ObjectRow? Row, IReadOnlyList<ExtentRow> Extents, bool ReplacesAll);
