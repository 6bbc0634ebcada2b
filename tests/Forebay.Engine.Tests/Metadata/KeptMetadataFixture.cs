using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>Caches that come one after the other over one file, as processes do.</summary>
public abstract class KeptMetadataFixture : IDisposable
{
    private protected static readonly ForebayException Down = new(ErrorKind.Unavailable, "down");

    private protected readonly TempDirectory _directory = new();
    private protected readonly ScriptedStore _store = new();
    private protected readonly SteppedTime _time = new();
    private protected readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(30));
    private protected readonly HashSet<string> _cached = new(StringComparer.Ordinal);

    private protected string FilePath => _directory["metadata.db"];

    public void Dispose()
    {
        _deadline.Dispose();
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static MountPointOptions Immutable(MountPointOptions options) => options with { Immutable = true };

    private protected Life Begin(Func<MountPointOptions, MountPointOptions>? change = null, string identity = "first", string? path = null, long maxBytes = 64 << 20)
    {
        var options = new MountPointOptions { Name = "m", Source = "test://" };
        return new Life(this, change is null ? options : change(options), identity, path ?? FilePath, maxBytes);
    }

    private protected static async Task FailsAsync(Life life, string key)
        => Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => life.GetAsync(key))).Kind);

    private protected void Damage(string how)
    {
        switch (how)
        {
            case "no database":
                File.WriteAllText(FilePath, new string('?', 10_000));
                break;
            case "a torn page":
                byte[] bytes = File.ReadAllBytes(FilePath);
                bytes.AsSpan(4096).Fill(0xA5);
                File.WriteAllBytes(FilePath, bytes);
                break;
            case "a newer schema":
                Run($"PRAGMA user_version = {MetadataDatabase.SchemaVersion + 1}");
                break;
            default:
                Run("DROP TABLE stat");
                break;
        }
    }

    private protected long Rows() => Number("SELECT count(*) FROM stat");

    private protected long Number(string text)
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // texts of this file and its tests
        command.CommandText = text;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    private protected void Run(string text)
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // texts of this file
        command.CommandText = text;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private protected SqliteConnection Connect()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = FilePath, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    /// <summary>One process: a cache and the file it keeps its stats in.</summary>
    private protected sealed class Life : IDisposable
    {
        private readonly KeptMetadataFixture _test;

        internal Life(KeptMetadataFixture test, MountPointOptions options, string identity, string path, long maxBytes)
        {
            _test = test;
            File = MetadataFile.At(path, maxBytes);
            KeptMetadata kept = File.For(identity, new KeptBounds(options.MaxCachedStats, options.MaxListingBytes), test._cached.Contains);
            (Kept, Listings) = (kept.Stats, kept.Listings);
            File.Start();
            Cache = new MetadataCache(test._store, options, test._time, kept);
        }

        internal MetadataFile File { get; }

        internal KeptStats Kept { get; }

        internal KeptListings Listings { get; }

        internal MetadataCache Cache { get; }

        internal Task<StatEntry> GetAsync(string key) => Cache.GetAsync(key, requireHeaders: true, null, _test._deadline.Token).AsTask();

        /// <summary>As a kill does: what waits is lost.</summary>
        internal void LoseWhatWaits()
        {
            if (Kept.BeginCommit() is not null)
            {
                Kept.EndCommit(isWritten: true);
            }

            if (Listings.BeginCommit() is not null)
            {
                Listings.EndCommit(isWritten: true);
            }
        }

        public void Dispose()
        {
            Cache.Dispose();
            File.Dispose();
        }
    }
}
