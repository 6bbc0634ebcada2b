using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>What a mount point knew outlives its process: caches that come one after the other over one file.</summary>
public sealed class KeptStatsTests : KeptMetadataFixture
{
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
}
