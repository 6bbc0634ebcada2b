using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <summary>
/// Reads the index of a tier whose lock is held, and leaves every file of it as it is. SQLite itself cannot do that for an index with a
/// write-ahead log: even a read-only connection makes a <c>-shm</c> file, and one that skips the log misses what was committed before a kill.
/// So an index without a log (the process ended in good order) is opened as immutable where it lies; one with a log is copied, log and all,
/// to a private temporary directory, and the copy is read.
/// </summary>
internal sealed class TierIndexSnapshot : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly string? _copy;

    private TierIndexSnapshot(SqliteConnection connection, string? copy)
    {
        _connection = connection;
        _copy = copy;
    }

    /// <summary>Opens a snapshot of an existing index.</summary>
    /// <exception cref="SqliteException">The file is damaged or unreadable.</exception>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: it was written by a newer build.</exception>
    /// <exception cref="IOException">There is no room for the copy.</exception>
    internal static TierIndexSnapshot Open(string indexPath)
    {
        var log = new FileInfo(indexPath + "-wal");
        string? copy = log is { Exists: true, Length: > 0 } ? Copy(indexPath) : null;
        SqliteConnection? connection = null;
        try
        {
            connection = copy is null
                ? Connect($"file:{Uri.EscapeDataString(indexPath)}?immutable=1", SqliteOpenMode.ReadOnly)
                : Connect(Path.Combine(copy, "index.db"), SqliteOpenMode.ReadWrite);
            var snapshot = new TierIndexSnapshot(connection, copy);
            long version = snapshot.SchemaVersion;
            return version <= TierIndex.SchemaVersion
                ? snapshot
                : throw new ForebayException(ErrorKind.InvalidArgument, $"{indexPath} has schema {version}, this build reads up to {TierIndex.SchemaVersion}. Run the newer Forebay that made it, or remove the cache directory.");
        }
        catch
        {
            connection?.Dispose();
            Remove(copy);
            throw;
        }
    }

    /// <summary>0 when the process died before it made the tables.</summary>
    internal long SchemaVersion => Scalar("PRAGMA user_version");

    /// <summary>False when the process died before it made the tables.</summary>
    internal bool HasTables => Scalar("SELECT count(*) FROM sqlite_master WHERE name IN ('object', 'extent', 'pin')") == 3;

    /// <summary>What SQLite finds wrong with the file's structure; at most ten sentences.</summary>
    internal List<string> StructureFaults()
    {
        List<string> faults = [];
        using SqliteCommand command = Command("PRAGMA quick_check(10)");
        using SqliteDataReader found = command.ExecuteReader();
        while (found.Read())
        {
            if (found.GetString(0) is var text && !string.Equals(text, "ok", StringComparison.Ordinal))
            {
                faults.Add(text);
            }
        }

        return faults;
    }

    /// <summary>Objects and the bytes that their rows claim.</summary>
    internal (long Objects, long Bytes) Totals() => (Scalar("SELECT count(*) FROM object"), Scalar("SELECT ifnull(sum(stored), 0) FROM object"));

    /// <summary>Extents whose object has no row.</summary>
    internal long LooseExtents() => Scalar("SELECT count(*) FROM extent WHERE id NOT IN (SELECT id FROM object)");

    /// <summary>All rows with the id they are stored under; null for one that does not read as a row.</summary>
    internal IEnumerable<(byte[] Id, ObjectRow? Row)> Rows()
    {
        using SqliteCommand command = Command($"SELECT {TierIndex.RowColumns}, id FROM object");
        using SqliteDataReader found = command.ExecuteReader();
        while (found.Read())
        {
            yield return (found.GetValue(found.FieldCount - 1) as byte[] ?? [], TierIndex.TryReadRow(found));
        }
    }

    /// <summary>Extents of one object.</summary>
    internal List<ExtentRow> Extents(byte[] id)
    {
        List<ExtentRow> extents = [];
        using SqliteCommand command = Command("SELECT extent, present, checksums FROM extent WHERE id = $id");
        command.Parameters.AddWithValue("$id", id);
        using SqliteDataReader found = command.ExecuteReader();
        while (found.Read())
        {
            extents.Add(new ExtentRow(found.GetInt32(0), found.GetValue(1) as byte[] ?? [], found.GetValue(2) as byte[] ?? []));
        }

        return extents;
    }

    public void Dispose()
    {
        _connection.Dispose();
        Remove(_copy);
    }

    private static string Copy(string indexPath)
    {
        string directory = Directory.CreateTempSubdirectory("forebay-fsck-").FullName;
        try
        {
            File.Copy(indexPath, Path.Combine(directory, "index.db"));
            File.Copy(indexPath + "-wal", Path.Combine(directory, "index.db-wal"));
            return directory;
        }
        catch
        {
            Remove(directory);
            throw;
        }
    }

    private static void Remove(string? copy)
    {
        if (copy is not null)
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    private static SqliteConnection Connect(string source, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = source, Mode = mode, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    private SqliteCommand Command(string text)
    {
        SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // every text is a constant of this file
        command.CommandText = text;
#pragma warning restore CA2100
        return command;
    }

    private long Scalar(string text)
    {
        using SqliteCommand command = Command(text);
        return (long)command.ExecuteScalar()!;
    }
}
