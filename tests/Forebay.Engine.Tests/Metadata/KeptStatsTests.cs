using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>What a mount point knew outlives its process: caches that come one after the other over one file.</summary>
public sealed class KeptStatsTests : IDisposable
{
    private static readonly ForebayException Down = new(ErrorKind.Unavailable, "down");

    private readonly TempDirectory _directory = new();
    private readonly ScriptedStore _store = new();
    private readonly SteppedTime _time = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(30));
    private readonly HashSet<string> _cached = new(StringComparer.Ordinal);

    private string FilePath => _directory["metadata.db"];

    public void Dispose()
    {
        _deadline.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task AfterARestartKeptStatsStandInForAStoreThatIsDown()
    {
        var headers = new ObjectHeaders
        {
            ContentType = "text/plain; charset=utf-8", ContentEncoding = "gzip", CacheControl = "no-cache", StorageClass = "GLACIER", VersionId = "v1",
            UserMetadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["mode"] = "33188", ["name"] = "Zo\u00eb \"quoted\"\n" },
        };
        ObjectStat told = ScriptedStore.MakeStat("dir/käse 😀", length: 5L << 40) with { Headers = headers };
        _store.Put(told);
        using (Life life = Begin())
        {
            await life.GetAsync(told.Key);
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.Null(next.Cache.TryGet(told.Key));
        StatEntry entry = await next.GetAsync(told.Key);

        Assert.True(entry.IsStale);
        Assert.Equal(told with { Headers = null }, entry.Stat! with { Headers = null });
        Assert.Equal(headers with { UserMetadata = ObjectHeaders.Empty.UserMetadata }, entry.Stat.Headers! with { UserMetadata = ObjectHeaders.Empty.UserMetadata });
        Assert.Equal(headers.UserMetadata, entry.Stat.Headers!.UserMetadata);
        await FailsAsync(next, "unknown");
    }

    [Fact]
    public async Task AStoreThatAnswersIsBelievedAndNotTheFile()
    {
        _store.Put(ScriptedStore.MakeStat("a", version: 1));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
        }

        _store.Put(ScriptedStore.MakeStat("a", version: 2));
        using Life next = Begin();
        StatEntry entry = await next.GetAsync("a");

        Assert.Equal(ScriptedStore.MakeStat("a", version: 2).ETag, entry.Stat!.ETag);
        Assert.False(entry.IsStale);
    }

    [Fact]
    public async Task WhereStaleIsNotServedAnOutageShowsAlsoAfterARestart()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
        }

        _store.Failure = Down;
        using Life next = Begin(options => options with { ServeStaleOnError = false });
        await FailsAsync(next, "a");
    }

    [Fact]
    public async Task AnImmutableMountPointAsksNothingAfterARestart()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("a");
        }

        int asked = _store.Stats;
        using Life next = Begin(Immutable);
        StatEntry entry = await next.GetAsync("a");
        _time.Advance(1e6);

        Assert.Same(entry, next.Cache.TryGet("a", requireHeaders: true));
        Assert.Equal(asked, _store.Stats);
        Assert.False(entry.IsStale);
    }

    [Theory]
    [InlineData("dir/a")]
    [InlineData("dir/")]
    [InlineData("")]
    public async Task WhatWasRefreshedIsNotBelievedAfterARestart(string refreshed)
    {
        _store.Put(ScriptedStore.MakeStat("dir/a"));
        _store.Put(ScriptedStore.MakeStat("dir0"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("dir/a");
            await life.GetAsync("dir0");
        }

        using (Life life = Begin(Immutable))
        {
            life.Cache.Refresh(refreshed);
            Task written = life.Cache.WrittenAsync(_deadline.Token);
            _store.Failure = Down;
            await FailsAsync(life, "dir/a");
            await written;
            life.LoseWhatWaits();
        }

        using Life next = Begin(Immutable);
        await FailsAsync(next, "dir/a");
        if (refreshed.Length > 0)
        {
            Assert.NotNull(await next.GetAsync("dir0"));
        }
    }

    [Fact]
    public async Task WhatIsToldAfterARefreshIsKeptAgain()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("a");
            life.Cache.Refresh("");
            await life.GetAsync("a");
            life.Cache.Refresh("a");
            await life.GetAsync("a");
        }

        _store.Failure = Down;
        using Life next = Begin(Immutable);
        Assert.False((await next.GetAsync("a")).IsNegative);
    }

    [Fact]
    public async Task AnObjectThatIsGoneDoesNotComeBack()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        _store.Put(ScriptedStore.MakeStat("b"));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
            StatEntry b = await life.GetAsync("b");
            _time.Advance(61);
            _store.Delete("a");
            await life.GetAsync("a");
            life.Cache.Invalidate(b);
        }

        _store.Failure = Down;
        using Life next = Begin();
        await FailsAsync(next, "a");
        await FailsAsync(next, "b");
    }

    [Theory]
    [InlineData("other name")]
    [InlineData("other rights")]
    public async Task OtherRightsSeeNothingOfIt(string identity)
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("a");
        }

        _store.Failure = Down;
        using (Life other = Begin(Immutable, identity))
        {
            await FailsAsync(other, "a");
        }

        using Life first = Begin(Immutable);
        await FailsAsync(first, "a");
    }

    [Fact]
    public async Task WhatDidNotChangeIsNotWrittenAgain()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using Life life = Begin();
        StatEntry entry = await life.GetAsync("a");
        life.File.Flush();
        long mark = entry.KeptMark;

        _time.Advance(61);
        await life.GetAsync("a");
        Assert.Equal(2, _store.Stats);
        Assert.NotEqual(0, mark);
        Assert.Equal(mark, entry.KeptMark);
        Assert.Null(life.Kept.BeginCommit());

        _store.Put(ScriptedStore.MakeStat("a") with { Headers = new ObjectHeaders { ContentType = "x/y" } });
        _time.Advance(61);
        await life.GetAsync("a");
        Assert.NotEqual(mark, entry.KeptMark);
    }

    [Fact]
    public async Task AListedObjectTakesItsHeadersFromWhatWasKept()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
        }

        using Life next = Begin();
        await next.Cache.ListAsync(new ListQuery("", null, null, 10), null, _deadline.Token);
        Assert.False((await next.Cache.GetAsync("a", requireHeaders: false, null, _deadline.Token)).HasHeaders);
        _store.Failure = Down;

        Assert.True((await next.GetAsync("a")).HasHeaders);
    }

    [Fact]
    public async Task RowsAreBoundedAndThoseOfCachedObjectsOutliveOthers()
    {
        const int Capacity = 1_000;
        for (int i = 0; i < 3 * Capacity; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"key-{i:d5}"));
        }

        for (int i = 0; i < 100; i++)
        {
            _cached.Add($"key-{i:d5}");
        }

        using (Life life = Begin(options => options with { MaxCachedStats = Capacity }))
        {
            for (int i = 0; i < 3 * Capacity; i++)
            {
                await life.GetAsync($"key-{i:d5}");
                if (i % 100 == 0)
                {
                    Assert.True(life.File.Flush());
                }
            }
        }

        Assert.InRange(Rows(), Capacity / 2, Capacity + 200);
        _store.Failure = Down;
        using Life next = Begin();
        foreach (string key in _cached)
        {
            Assert.NotNull(await next.GetAsync(key));
        }

        Assert.NotNull(await next.GetAsync($"key-{(3 * Capacity) - 1:d5}"));
    }

    [Fact]
    public async Task BytesAreBounded()
    {
        string large = new('x', 2_000);
        using Life life = Begin(maxBytes: 1 << 20);
        for (int i = 0; i < 3_000; i++)
        {
            string key = $"key-{i:d5}";
            _store.Put(ScriptedStore.MakeStat(key) with { Headers = new ObjectHeaders { ContentDisposition = large } });
            await life.GetAsync(key);
            if (i % 50 == 0)
            {
                Assert.True(life.File.Flush());
            }
        }

        Assert.True(life.File.Flush());
        Assert.InRange(new FileInfo(FilePath).Length, 1 << 19, 3 << 19);
    }

    [Theory]
    [InlineData("no database")]
    [InlineData("a torn page")]
    [InlineData("a newer schema")]
    [InlineData("a missing table")]
    public async Task AFileThatCannotBeReadIsSetAside(string damage)
    {
        for (int i = 0; i < 500; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"key-{i}"));
        }

        using (Life life = Begin(Immutable))
        {
            for (int i = 0; i < 500; i++)
            {
                await life.GetAsync($"key-{i}");
            }
        }

        Damage(damage);
        using (Life life = Begin(Immutable))
        {
            for (int i = 0; i < 500; i++)
            {
                Assert.False((await life.GetAsync($"key-{i}")).IsNegative);
            }

            life.File.Flush();
            life.File.Flush();
        }

        Assert.True(File.Exists(FilePath + ".damaged"), "the damaged file is not there for a look");
        _store.Failure = Down;
        using Life next = Begin(Immutable);
        Assert.Null(next.File.Fault);
        Assert.False((await next.GetAsync("key-499")).IsNegative);
    }

    [Fact]
    public async Task ADamagedRowIsNotBelieved()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("a");
        }

        Run("UPDATE stat SET value = replace(value, '\"Length\":10', '\"Length\":11')");
        _store.Failure = Down;
        using Life next = Begin(Immutable);
        await FailsAsync(next, "a");
    }

    /// <summary>A damaged row may hold what its column cannot: SQLite does not check what it reads.</summary>
    [Fact]
    public async Task ARowWithoutAValueIsNotBelieved()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
        }

        Run("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', ''); PRAGMA writable_schema = RESET; UPDATE stat SET value = NULL");
        using Life next = Begin();

        Assert.Null(next.Kept.Find("a", out _));
        Assert.Null(next.File.Fault);
    }

    [Fact]
    public async Task AFileThatIsGoneWhenItsDamageIsFoundIsBegunAnew()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using Life life = Begin();
        await life.GetAsync("a");
        Assert.True(life.File.Flush());
        Run("DROP TABLE stat");
        foreach (string suffix in new[] { "", "-wal", "-shm" })
        {
            File.Delete(FilePath + suffix);
        }

        Assert.Null(life.Kept.Find("a", out _));
        life.Kept.Keep(ScriptedStore.MakeStat("b", headers: true), 0);
        SpinWait.SpinUntil(() => life.File.Flush() && Rows() == 1, TimeSpan.FromSeconds(20));
        Assert.Null(life.File.Fault);
        Assert.Equal(1, Rows());
    }

    [Fact]
    public async Task AFileThatCannotBeMadeHarmsNothingAndIsTriedAgain()
    {
        string folder = _directory["folder"];
        _store.Put(ScriptedStore.MakeStat("a"));
        using Life life = Begin(path: Path.Combine(folder, "metadata.db"));
        Assert.NotNull(life.File.Fault);
        Assert.False((await life.GetAsync("a")).IsNegative);
        Assert.False(life.File.Flush());

        Directory.CreateDirectory(folder);
        Assert.True(life.File.Flush());
        Assert.Null(life.File.Fault);
        Assert.NotNull(life.Kept.Find("a", out _));
    }

    [Fact]
    public void WhatCannotBeWrittenWaitsWithinItsBoundAndDeletionsAreNeverLost()
    {
        string folder = _directory["folder"];
        using Life stuck = Begin(path: Path.Combine(folder, "metadata.db"));
        int kept = 0;
        for (int i = 0; i < 100_000; i++)
        {
            kept += stuck.Kept.Keep(Stat($"key-{i}"), 0) == 0 ? 0 : 1;
        }

        Assert.InRange(kept, 1_000, 50_000);
        for (int i = 0; i < 100_000; i++)
        {
            stuck.Kept.Forget($"key-{i}");
        }

        Assert.Null(stuck.Kept.Find("key-0", out _));
        Assert.Null(stuck.Kept.Find("key-99999", out _));
        Directory.CreateDirectory(folder);
        Assert.True(stuck.File.Flush());
        Assert.Null(stuck.Kept.Find("key-0", out _));

        static ObjectStat Stat(string key) => ScriptedStore.MakeStat(key, headers: true);
    }

    private static MountPointOptions Immutable(MountPointOptions options) => options with { Immutable = true };

    private Life Begin(Func<MountPointOptions, MountPointOptions>? change = null, string identity = "first", string? path = null, long maxBytes = 64 << 20)
    {
        var options = new MountPointOptions { Name = "m", Source = "test://" };
        return new Life(this, change is null ? options : change(options), identity, path ?? FilePath, maxBytes);
    }

    private static async Task FailsAsync(Life life, string key)
        => Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => life.GetAsync(key))).Kind);

    private void Damage(string how)
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
                Run($"PRAGMA user_version = {StatDatabase.SchemaVersion + 1}");
                break;
            default:
                Run("DROP TABLE stat");
                break;
        }
    }

    private long Rows()
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM stat";
        return (long)command.ExecuteScalar()!;
    }

    private void Run(string text)
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // texts of this file
        command.CommandText = text;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = FilePath, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    /// <summary>One process: a cache and the file it keeps its stats in.</summary>
    private sealed class Life : IDisposable
    {
        private readonly KeptStatsTests _test;

        internal Life(KeptStatsTests test, MountPointOptions options, string identity, string path, long maxBytes)
        {
            _test = test;
            File = StatFile.At(path, maxBytes);
            Kept = File.For(identity, options.MaxCachedStats, test._cached.Contains);
            File.Start();
            Cache = new MetadataCache(test._store, options, test._time, Kept);
        }

        internal StatFile File { get; }

        internal KeptStats Kept { get; }

        internal MetadataCache Cache { get; }

        internal Task<StatEntry> GetAsync(string key) => Cache.GetAsync(key, requireHeaders: true, null, _test._deadline.Token).AsTask();

        /// <summary>As a kill does: what waits is lost.</summary>
        internal void LoseWhatWaits()
        {
            if (Kept.BeginCommit() is not null)
            {
                Kept.EndCommit(isWritten: true);
            }
        }

        public void Dispose()
        {
            Cache.Dispose();
            File.Dispose();
        }
    }
}
