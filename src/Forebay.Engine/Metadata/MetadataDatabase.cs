using System.Text;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Engine.Metadata;

/// <summary>
/// The tables of a <see cref="MetadataFile"/> in SQLite (WAL): stats by mount point and key, and a log of listings. Row numbers rise with each write, so that
/// their order is the order of writing. A row carries the CRC-32C of what it says: what was damaged below SQLite is not found.
/// </summary>
/// <remarks>Not thread-safe, but <see cref="Find"/> has a connection of its own and may run beside the rest. Throws <see cref="SqliteException"/>.</remarks>
internal sealed partial class MetadataDatabase : IDisposable
{
    internal const int SchemaVersion = 2;
    private const int CheckpointPages = 512;

    private readonly SqliteConnection _writer;
    private readonly SqliteConnection _reader;
    private readonly SqliteCommand _put;
    private readonly SqliteCommand _delete;
    private readonly SqliteCommand _deleteBelow;
    private readonly SqliteCommand _find;
    private readonly SqliteCommand _log;
    private readonly SqliteCommand _deleteCovered;
    private SqliteTransaction? _transaction;

    private MetadataDatabase(SqliteConnection writer, SqliteConnection reader)
    {
        _writer = writer;
        _reader = reader;
        _put = Command(writer, "INSERT OR REPLACE INTO stat(mount, key, value, checksum) VALUES ($mount, $key, $value, $checksum)", "$mount", "$key", "$value", "$checksum");
        _delete = Command(writer, "DELETE FROM stat WHERE mount = $mount AND key = $key", "$mount", "$key");
        _deleteBelow = Command(writer, "DELETE FROM stat WHERE mount = $mount AND key >= $from AND ($to IS NULL OR key < $to)", "$mount", "$from", "$to");
        _log = Command(
            writer,
            "INSERT INTO listing(mount, kind, delimiter, prefix, lower, upper, entries, bytes, checksum) VALUES ($mount, $kind, $delimiter, $prefix, $lower, $upper, $entries, $bytes, $checksum)",
            "$mount", "$kind", "$delimiter", "$prefix", "$lower", "$upper", "$entries", "$bytes", "$checksum");
        _deleteCovered = Command(
            writer,
            "DELETE FROM listing WHERE mount = $mount AND delimiter IS $delimiter AND prefix = $prefix AND lower >= $lower AND lower < coalesce($upper, x'FF') AND ($upper IS NULL OR upper <= $upper)",
            "$mount", "$delimiter", "$prefix", "$lower", "$upper");
        _find = Command(reader, "SELECT value, checksum FROM stat WHERE mount = $mount AND key = $key", "$mount", "$key");
    }

    /// <summary>Opens the file, making it (for its owner only) if it is missing.</summary>
    /// <exception cref="SqliteException">It is damaged or cannot be used.</exception>
    /// <exception cref="ForebayException">It was written by a newer build.</exception>
    internal static MetadataDatabase Open(string path)
    {
        if (!File.Exists(path))
        {
            // The other files of the database get its mode from SQLite.
            new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }).Dispose();
        }

        SqliteConnection writer = Connect(path);
        try
        {
            Execute(writer, $"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {CheckpointPages}; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY");
            long version = Scalar(writer, "PRAGMA user_version");
            if (version is < 0 or > SchemaVersion)
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"{path} has schema {version}, this build reads up to {SchemaVersion}.");
            }

            // Each step takes the file from one schema to the next; a new file takes them all.
            string[] steps =
            [
                """
                CREATE TABLE mount(id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
                CREATE TABLE stat(number INTEGER PRIMARY KEY, mount INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL, UNIQUE(mount, key));
                """,
                """
                CREATE TABLE listing(number INTEGER PRIMARY KEY, mount INTEGER NOT NULL, kind INTEGER NOT NULL, delimiter BLOB, prefix BLOB NOT NULL, lower BLOB, upper BLOB, entries BLOB,
                    bytes INTEGER NOT NULL, checksum INTEGER NOT NULL);
                CREATE INDEX listing_place ON listing(mount, delimiter, prefix, lower, upper, kind, bytes);
                """,
            ];
            if (version < SchemaVersion)
            {
                Execute(writer, $"BEGIN; {string.Concat(steps[(int)version..])} PRAGMA user_version = {SchemaVersion}; COMMIT;");
            }

            SqliteConnection reader = Connect(path);
            try
            {
                Execute(reader, "PRAGMA cache_size = -2048; PRAGMA query_only = ON");
                return new MetadataDatabase(writer, reader);
            }
            catch
            {
                reader.Dispose();
                throw;
            }
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>The value of a row; null when there is none or it is damaged.</summary>
    internal byte[]? Find(long mount, byte[] key)
    {
        _find.Parameters[0].Value = mount;
        _find.Parameters[1].Value = key;
        using SqliteDataReader found = _find.ExecuteReader();
        if (!found.Read())
        {
            return null;
        }

        return found.GetValue(0) is byte[] value && found.GetValue(1) is long checksum && Checksum(key, value) == checksum ? value : null;
    }

    /// <summary>The number of a mount point, given at its first call.</summary>
    internal long MountNumber(string identity)
    {
        using SqliteCommand insert = Writing("INSERT OR IGNORE INTO mount(identity) VALUES ($identity)", "$identity");
        insert.Parameters[0].Value = identity;
        insert.ExecuteNonQuery();
        using SqliteCommand select = Writing("SELECT id FROM mount WHERE identity = $identity", "$identity");
        select.Parameters[0].Value = identity;
        return Number(select);
    }

    /// <summary>Drops what belongs to mount points that are no more.</summary>
    internal void RemoveOthers(IReadOnlyCollection<long> mounts)
    {
        List<long> known = [];
        using (SqliteCommand all = Writing("SELECT id FROM mount"))
        using (SqliteDataReader found = all.ExecuteReader())
        {
            while (found.Read())
            {
                known.Add(found.GetInt64(0));
            }
        }

        foreach (long number in known.Except(mounts))
        {
            using SqliteCommand remove = Writing("DELETE FROM stat WHERE mount = $mount; DELETE FROM listing WHERE mount = $mount; DELETE FROM mount WHERE id = $mount", "$mount");
            remove.Parameters[0].Value = number;
            remove.ExecuteNonQuery();
        }
    }

    internal void Begin()
    {
        _transaction = _writer.BeginTransaction();
        _put.Transaction = _delete.Transaction = _deleteBelow.Transaction = _log.Transaction = _deleteCovered.Transaction = _transaction;
    }

    internal void Commit()
    {
        _transaction!.Commit();
        _transaction.Dispose();
        _transaction = null;
    }

    /// <summary>Undoes what was begun and not committed.</summary>
    internal void Abandon()
    {
        _transaction?.Dispose();
        _transaction = null;
    }

    internal void Put(long mount, byte[] key, byte[] value)
    {
        _put.Parameters[0].Value = mount;
        _put.Parameters[1].Value = key;
        _put.Parameters[2].Value = value;
        _put.Parameters[3].Value = Checksum(key, value);
        _put.ExecuteNonQuery();
    }

    internal void Delete(long mount, byte[] key)
    {
        _delete.Parameters[0].Value = mount;
        _delete.Parameters[1].Value = key;
        _delete.ExecuteNonQuery();
    }

    /// <summary>Deletes all keys that begin with a prefix.</summary>
    internal void DeleteBelow(long mount, byte[] prefix)
    {
        _deleteBelow.Parameters[0].Value = mount;
        _deleteBelow.Parameters[1].Value = prefix;
        _deleteBelow.Parameters[2].Value = (object?)KeyBytes.EndOfPrefix(prefix) ?? DBNull.Value;
        _deleteBelow.ExecuteNonQuery();
    }

    internal long Count(long mount)
    {
        using SqliteCommand count = Writing("SELECT count(*) FROM stat WHERE mount = $mount", "$mount");
        count.Parameters[0].Value = mount;
        return Number(count);
    }

    /// <summary>Bytes of the database that hold something; its log comes on top.</summary>
    internal long UsedBytes()
    {
        return (Pragma("page_count") - Pragma("freelist_count")) * Pragma("page_size");

        long Pragma(string name)
        {
            using SqliteCommand command = Writing($"PRAGMA {name}");
            return Number(command);
        }
    }

    /// <summary>The rows of a mount point that were not written for longest.</summary>
    internal List<(long Number, string Key)> Oldest(long mount, int most)
    {
        using SqliteCommand select = Writing("SELECT number, key FROM stat WHERE mount = $mount ORDER BY number LIMIT $most", "$mount", "$most");
        select.Parameters[0].Value = mount;
        select.Parameters[1].Value = most;
        using SqliteDataReader found = select.ExecuteReader();
        List<(long Number, string Key)> rows = [];
        while (found.Read())
        {
            // What is no key belongs to nothing that is cached.
            rows.Add((found.GetInt64(0), Encoding.UTF8.GetString(found.GetValue(1) as byte[] ?? [])));
        }

        return rows;
    }

    /// <summary>Deletes some rows and makes others the newest.</summary>
    internal void DeleteAndRenew(IEnumerable<long> deleted, IEnumerable<long> renewed)
    {
        using SqliteCommand delete = Writing("DELETE FROM stat WHERE number = $number", "$number");
        using SqliteCommand renew = Writing("UPDATE stat SET number = (SELECT max(number) + 1 FROM stat) WHERE number = $number", "$number");
        Run(delete, deleted);
        Run(renew, renewed);

        static void Run(SqliteCommand command, IEnumerable<long> numbers)
        {
            foreach (long number in numbers)
            {
                command.Parameters[0].Value = number;
                command.ExecuteNonQuery();
            }
        }
    }

    public void Dispose()
    {
        _transaction?.Dispose();
        _reader.Dispose();
        _writer.Dispose();
    }

    private static void Set(SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        }
    }

    private static long Checksum(byte[] key, byte[] value) => Crc32C.Compute([.. key, .. value]);

    /// <summary>A command of the writer, inside the transaction if there is one.</summary>
    private SqliteCommand Writing(string text, params ReadOnlySpan<string> parameters)
    {
        SqliteCommand command = Command(_writer, text, parameters);
        command.Transaction = _transaction;
        return command;
    }

    private static SqliteConnection Connect(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString());
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
        return Number(command);
    }

    /// <summary>The one number that a command gives.</summary>
    private static long Number(SqliteCommand command) => Number(command.ExecuteScalar());

    /// <summary>What must be a number; if it is none, that is damage which SQLite has not seen.</summary>
    private static long Number(object? value)
    {
        const int Corrupt = 11;
        return value is long number ? number : throw new SqliteException("A number is missing or is none.", Corrupt);
    }
}
