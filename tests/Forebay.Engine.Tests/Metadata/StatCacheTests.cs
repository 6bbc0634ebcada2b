using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

public sealed class StatCacheTests : IDisposable
{
    private readonly ScriptedStore _store = new();
    private readonly SteppedTime _time = new();
    private readonly MetadataCache _cache;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(30));

    public StatCacheTests()
    {
        _cache = NewCache(new MountPointOptions { Name = "m", Source = "test://" });
    }

    public void Dispose()
    {
        _cache.Dispose();
        _deadline.Dispose();
    }

    [Fact]
    public async Task AStatIsAskedOnceUntilItsTtlEnds()
    {
        _store.Put(ScriptedStore.MakeStat("a"));

        StatEntry first = await GetAsync("a");
        _time.Advance(59.9);
        StatEntry second = await GetAsync("a");
        Assert.Same(first, second);
        Assert.Equal(1, _store.Stats);

        _time.Advance(0.1);
        Assert.Null(_cache.TryGet("a"));
        StatEntry third = await GetAsync("a");
        Assert.Same(first, third);
        Assert.Equal(2, _store.Stats);
        Assert.Equal((1, 2), (_cache.Hits, _cache.Misses));
    }

    [Fact]
    public async Task AHitAllocatesNothing()
    {
        var options = new MountPointOptions { Name = "m", Source = "test://", Prefix = "data/" };
        using MetadataCache cache = NewCache(options);
        _store.Put(ScriptedStore.MakeStat("data/a"));
        await cache.GetAsync("data/a", true, null, _deadline.Token);

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1_000; i++)
            {
                Assert.NotNull(cache.TryGet("data/a", requireHeaders: true));
                Assert.NotNull(cache.TryGetRelative("a", requireHeaders: true));
                ValueTask<StatEntry> hit = cache.GetAsync("data/a", true, null, default);
                Assert.True(hit.IsCompletedSuccessfully);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated();
        Assert.Equal(0, Allocated());
        Assert.Equal(6_000, cache.Hits);
    }

    [Fact]
    public async Task AMissingObjectIsBelievedForTheNegativeTtl()
    {
        StatEntry missing = await GetAsync("a");
        Assert.True(missing.IsNegative);
        _store.Put(ScriptedStore.MakeStat("a"));

        _time.Advance(4.9);
        Assert.True((await GetAsync("a")).IsNegative);
        Assert.Equal(1, _store.Stats);

        _time.Advance(0.2);
        Assert.False((await GetAsync("a")).IsNegative);
    }

    [Fact]
    public async Task ManyCallersShareOneQuestionAndOneThatLeavesHarmsNone()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var impatient = new CancellationTokenSource();

        Task<StatEntry> leaving = _cache.GetAsync("a", true, "r1", impatient.Token).AsTask();
        Task<StatEntry>[] staying = [.. Enumerable.Range(0, 50).Select(_ => GetAsync("a"))];
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        _store.Hold.SetResult();
        StatEntry[] entries = await Task.WhenAll(staying);

        Assert.Equal(1, _store.Stats);
        Assert.All(entries, entry => Assert.Same(entries[0], entry));
        Assert.Equal("r1", Assert.Single(_store.RequestIds));
    }

    [Fact]
    public async Task WhenAllCallersLeaveTheNextAsksAnew()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        _store.Hold = new TaskCompletionSource();
        using var impatient = new CancellationTokenSource();
        Task<StatEntry> leaving = _cache.GetAsync("a", true, null, impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);

        _store.Hold = null;
        Assert.False((await GetAsync("a")).IsNegative);
        Assert.Equal(2, _store.Stats);
    }

    [Fact]
    public async Task ATtlOfZeroAsksEveryTime()
    {
        using MetadataCache cache = NewCache(
            new MountPointOptions { Name = "m", Source = "", MetadataTtl = TimeSpan.Zero, NegativeTtl = TimeSpan.Zero });
        _store.Put(ScriptedStore.MakeStat("a"));
        for (int i = 0; i < 3; i++)
        {
            await cache.GetAsync("a", true, null, _deadline.Token);
            await cache.GetAsync("missing", true, null, _deadline.Token);
        }

        Assert.Equal(6, _store.Stats);
        Assert.Equal(1, cache.CachedStats);
    }

    [Fact]
    public async Task AnImmutableMountAsksOnlyAfterARefresh()
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", Immutable = true });
        _store.Put(ScriptedStore.MakeStat("a"));
        await cache.GetAsync("a", true, null, _deadline.Token);
        _time.Advance(1e8);
        Assert.NotNull(cache.TryGet("a"));

        cache.Refresh("");
        Assert.Null(cache.TryGet("a"));
        await cache.GetAsync("a", true, null, _deadline.Token);
        Assert.NotNull(cache.TryGet("a"));
    }

    [Fact]
    public async Task TheSameVersionKeepsItsEntryAndAttachmentAndAnotherDoesNot()
    {
        _store.Put(ScriptedStore.MakeStat("a", version: 1));
        StatEntry entry = await GetAsync("a");
        var file = new object();
        Assert.Null(entry.CompareExchangeAttachment(file, null));
        ObjectVersion version = entry.Version;
        Assert.Equal(new ObjectVersion(_store.Id, "a", entry.Stat!.Token, 10), version);
        Assert.Same(version, entry.Version);

        _time.Advance(61);
        StatEntry renewed = _cache.Put(ScriptedStore.MakeStat("a", version: 1, headers: true));
        Assert.Same(entry, renewed);
        Assert.Same(file, _cache.TryGet("a")!.Attachment);

        StatEntry replaced = _cache.Put(ScriptedStore.MakeStat("a", version: 2, headers: true));
        Assert.NotSame(entry, replaced);
        Assert.Null(replaced.Attachment);
        Assert.Equal(1, _cache.CachedStats);
    }

    [Fact]
    public async Task AnOldAnswerNeverReplacesANewerOne()
    {
        MetadataMoment early = _cache.Now();
        _store.Put(ScriptedStore.MakeStat("a", version: 2));
        StatEntry current = await GetAsync("a");

        StatEntry late = _cache.Put(ScriptedStore.MakeStat("a", version: 1, headers: true), early);

        Assert.NotSame(current, late);
        Assert.Equal(ScriptedStore.MakeStat("a", version: 1).Token, late.Stat!.Token);
        Assert.Same(current, _cache.TryGet("a"));
    }

    [Theory]
    [InlineData("dir/a", "dir/a", true)]
    [InlineData("dir/a", "dir/", true)]
    [InlineData("dir/a", "", true)]
    [InlineData("dir/a", "dir/b", false)]
    [InlineData("dir/a", "other/", false)]
    [InlineData("dir/a", "dir/a/", false)]
    public async Task ARefreshReachesWhatItCovers(string key, string refreshed, bool isReached)
    {
        _store.Put(ScriptedStore.MakeStat(key));
        StatEntry entry = await GetAsync(key);
        _cache.Refresh(refreshed);

        Assert.Equal(isReached, _cache.TryGet(key) is null);
        Assert.Equal(isReached, _cache.TryGetStale(key) is null);
        Assert.Same(entry, await GetAsync(key));
    }

    [Theory]
    [InlineData("dir/a")]
    [InlineData("dir/")]
    [InlineData("")]
    public async Task AnAnswerAskedForBeforeARefreshIsNotBelievedAfterIt(string refreshed)
    {
        _store.Put(ScriptedStore.MakeStat("dir/a", version: 1));
        TaskCompletionSource hold = _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<StatEntry> before = GetAsync("dir/a");
        _store.Put(ScriptedStore.MakeStat("dir/a", version: 2));
        _cache.Refresh(refreshed);

        _store.Hold = null;
        StatEntry after = await GetAsync("dir/a");
        hold.SetResult();

        Assert.Equal(ScriptedStore.MakeStat("dir/a", version: 1).Token, (await before).Stat!.Token);
        Assert.Equal(ScriptedStore.MakeStat("dir/a", version: 2).Token, after.Stat!.Token);
        Assert.Same(after, _cache.TryGet("dir/a"));
        Assert.Equal(2, _store.Stats);
    }

    [Fact]
    public async Task AnInvalidatedKeyIsForgottenWhole()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        _cache.Invalidate(await GetAsync("a"));
        Assert.Null(_cache.TryGet("a"));
        Assert.Null(_cache.TryGetStale("a"));
        Assert.Equal(0, _cache.CachedStats);
    }

    /// <summary>All who read an overwritten object find out: what the first of them made the cache learn must not be thrown away by the others.</summary>
    [Fact]
    public async Task ManyReadersOfOneOverwrittenVersionForgetItOnce()
    {
        _store.Put(ScriptedStore.MakeStat("a", version: 1));
        StatEntry old = await GetAsync("a");
        _store.Put(ScriptedStore.MakeStat("a", version: 2));
        int forgotten = 0;
        _cache.Forgotten = _ => forgotten++;
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        _cache.Invalidate(old);
        Task<StatEntry> asking = GetAsync("a");
        for (int i = 0; i < 500; i++)
        {
            _cache.Invalidate(old);
        }

        _store.Hold.SetResult();
        StatEntry fresh = await asking;
        Assert.Same(fresh, _cache.TryGet("a", requireHeaders: true));
        _cache.Invalidate(old);
        Assert.Same(fresh, _cache.TryGet("a", requireHeaders: true));
        Assert.Equal((2, 1), (_store.Stats, forgotten));
    }

    /// <summary>The entry may have left a full table while it was read; listings and what is kept still tell of it.</summary>
    [Fact]
    public async Task AVersionThatTheTableHasForgottenIsInvalidatedAllTheSame()
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", MaxCachedStats = 1 });
        StatEntry old = cache.Put(ScriptedStore.MakeStat("a", headers: true));
        cache.Put(ScriptedStore.MakeStat("b", headers: true));
        List<string> forgotten = [];
        cache.Forgotten = forgotten.Add;

        cache.Invalidate(old);
        cache.Invalidate(old);

        Assert.Equal(["a"], forgotten);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task OneNameThatIsRefreshedWithoutEndDoesNotMakeAllOthersStale()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        _store.Put(ScriptedStore.MakeStat("c"));
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        Task<StatEntry> asking = GetAsync("a");
        Task<StatEntry> refreshed = GetAsync("c");
        _cache.Refresh("c");
        for (int i = 0; i < 1_000; i++)
        {
            _cache.Refresh("b");
            _cache.Refresh("b/");
        }

        _store.Hold.SetResult();
        await Task.WhenAll(asking, refreshed);
        Assert.NotNull(_cache.TryGet("a"));
        Assert.Null(_cache.TryGet("c"));
    }

    [Fact]
    public async Task TheTableIsBoundedAndKeepsWhatIsUsed()
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", MaxCachedStats = 1_000 });
        for (int i = 0; i < 10_000; i++)
        {
            cache.Put(ScriptedStore.MakeStat($"key{i:D5}", headers: true));
            Assert.NotNull(cache.TryGet("key00000"));
            if (i % 3 == 0 && cache.TryGetStale($"key{i / 2 + 1:D5}") is { } known)
            {
                cache.Invalidate(known);
            }
        }

        Assert.InRange(cache.CachedStats, 900, 1_000);
        Assert.NotNull(cache.TryGet("key09999"));
        Assert.Null(cache.TryGet("key00002"));
        await Task.CompletedTask;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ASmallTableKeepsExactlyThatMany(int capacity)
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", MaxCachedStats = capacity });
        for (int i = 0; i < 100; i++)
        {
            cache.Put(ScriptedStore.MakeStat($"key{i:D2}", headers: true));
            Assert.NotNull(cache.TryGet($"key{i:D2}"));
        }

        Assert.Equal(capacity, cache.CachedStats);
    }

    [Fact]
    public async Task AnUnreachableStoreIsStoodInForByWhatIsKnown()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        StatEntry entry = await GetAsync("a");
        _time.Advance(100);
        _store.Failure = new ForebayException(ErrorKind.Unavailable, "down");

        Assert.Same(entry, await GetAsync("a"));
        Assert.True(entry.IsStale);
        Assert.Equal(2, _store.Stats);
        for (int i = 0; i < 100; i++)
        {
            Assert.Same(entry, await GetAsync("a"));
        }

        Assert.Equal(2, _store.Stats);
        ForebayException unknown = await Assert.ThrowsAsync<ForebayException>(() => GetAsync("unknown"));
        Assert.Equal(ErrorKind.Unavailable, unknown.Kind);

        _time.Advance(1.5);
        _store.Failure = null;
        Assert.Same(entry, await GetAsync("a"));
        await Until(() => !entry.IsStale);
        Assert.NotNull(_cache.TryGet("a"));
    }

    [Fact]
    public async Task OneProbeASecondAsksADeadStore()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        await GetAsync("a");
        _time.Advance(100);
        _store.Failure = new ForebayException(ErrorKind.Timeout, "slow");
        await GetAsync("a");
        int before = _store.Stats;
        for (int second = 0; second < 5; second++)
        {
            _time.Advance(1);
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync("a")));
        }

        Assert.InRange(_store.Stats - before, 1, 5);
    }

    [Fact]
    public async Task StaleIsNotServedWhereItIsNotWanted()
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", ServeStaleOnError = false });
        _store.Put(ScriptedStore.MakeStat("a"));
        await cache.GetAsync("a", true, null, _deadline.Token);
        await GetAsync("a");
        await GetAsync("gone");
        _time.Advance(100);
        _store.Failure = new ForebayException(ErrorKind.Unavailable, "down");

        await Assert.ThrowsAsync<ForebayException>(() => cache.GetAsync("a", true, null, _deadline.Token).AsTask());
        await Assert.ThrowsAsync<ForebayException>(() => GetAsync("gone"));
        _cache.Refresh("a");
        await Assert.ThrowsAsync<ForebayException>(() => GetAsync("a"));

        _store.Failure = new ForebayException(ErrorKind.AccessDenied, "no");
        ForebayException refused = await Assert.ThrowsAsync<ForebayException>(() => cache.GetAsync("a", true, null, _deadline.Token).AsTask());
        Assert.Equal(ErrorKind.AccessDenied, refused.Kind);
    }

    private static async Task Until(Func<bool> condition)
    {
        var limit = System.Diagnostics.Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(30), "The awaited state was not reached.");
            await Task.Yield();
        }
    }

    private MetadataCache NewCache(MountPointOptions options) => new(_store, options, _time);

    private Task<StatEntry> GetAsync(string key) => _cache.GetAsync(key, requireHeaders: true, null, _deadline.Token).AsTask();
}
