using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

public sealed class ListingCacheTests : IDisposable
{
    private readonly ScriptedStore _store = new();
    private readonly SteppedTime _time = new();
    private readonly MetadataCache _cache;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(60));

    public ListingCacheTests()
    {
        _cache = NewCache(new MountPointOptions { Name = "m", Source = "test://" });
    }

    public void Dispose()
    {
        _cache.Dispose();
        _deadline.Dispose();
    }

    [Fact]
    public async Task AColdPageAsksOnceAndAWarmOneNotAtAll()
    {
        Fill("d/", 5_000);
        var query = new ListQuery("d/", null, null, 1_000);
        ListPage cold = await ListAsync(query);
        Assert.Equal(1, _store.Lists);

        ListPage warm = await ListAsync(query);
        Assert.Equal(cold.Entries, warm.Entries);
        Assert.True(warm.IsTruncated);
        Assert.Equal(1, _store.Lists);

        _time.Advance(60);
        await ListAsync(query);
        Assert.Equal(2, _store.Lists);
    }

    [Fact]
    public async Task AFlatListingAnswersEveryDelimitedOneBelowIt()
    {
        Fill("d/a/", 50);
        Fill("d/b/c/", 50);
        Fill("d/", 10);
        await ListAsync(new ListQuery("d/", null, null, 1_000));
        ListPage top = await ListAsync(new ListQuery("d/", "/", null, 1_000));
        ListPage deep = await ListAsync(new ListQuery("d/b/", "/", null, 1_000));

        Assert.Equal(12, top.Entries.Count);
        Assert.Equal("d/b/c/", Assert.Single(deep.Entries).Name);
        Assert.Equal(1, _store.Lists);
    }

    [Fact]
    public async Task IdenticalColdListingsShareOneQuestion()
    {
        Fill("d/", 10);
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ListPage>[] callers = [.. Enumerable.Range(0, 20).Select(_ => ListAsync(new ListQuery("d/", "/", null, 1_000)))];
        _store.Hold.SetResult();
        ListPage[] pages = await Task.WhenAll(callers);
        Assert.All(pages, page => Assert.Equal(10, page.Entries.Count));
        Assert.Equal(1, _store.Lists);
    }

    [Fact]
    public async Task ASequentialPagerFindsItsNextPagesRead()
    {
        Fill("d/", 20_000);
        ListPage page = await ListAsync(new ListQuery("", null, null, 1_000));
        page = await ListAsync(new ListQuery("", null, page.Entries[^1].Name, 1_000));
        while (_store.Lists < 4)
        {
            await Task.Yield();
            _deadline.Token.ThrowIfCancellationRequested();
        }

        Assert.Equal(4, _store.Lists);
        int keys = 2_000;
        while (page.IsTruncated)
        {
            page = await ListAsync(new ListQuery("", null, page.Entries[^1].Name, 1_000));
            keys += page.Entries.Count;
        }

        Assert.Equal(20_000, keys);
        Assert.Equal(20, _store.Lists);
        Assert.Equal(20_000L * 10, _cache.TotalBytes);
    }

    [Fact]
    public async Task AFreshListingAnswersStatsBelowIt()
    {
        Fill("d/", 10);
        Fill("d/sub/", 3);
        await ListAsync(new ListQuery("d/", "/", null, 1_000));

        StatEntry listed = await _cache.GetAsync("d/0000003", requireHeaders: false, null, _deadline.Token);
        StatEntry absent = await _cache.GetAsync("d/nothing", requireHeaders: true, null, _deadline.Token);
        StatEntry directory = await _cache.GetAsync("d/sub", requireHeaders: true, null, _deadline.Token);
        Assert.Equal(10, listed.Stat!.Length);
        Assert.True(absent.IsNegative);
        Assert.True(directory.IsNegative);
        Assert.Equal(0, _store.Stats);

        StatEntry whole = await _cache.GetAsync("d/0000003", requireHeaders: true, null, _deadline.Token);
        Assert.Same(listed, whole);
        Assert.NotNull(whole.Stat!.Headers);
        Assert.Equal(1, _store.Stats);

        _store.Put(ScriptedStore.MakeStat("d/new"));
        _time.Advance(6);
        StatEntry late = await _cache.GetAsync("d/new", requireHeaders: true, null, _deadline.Token);
        Assert.False(late.IsNegative);
    }

    [Fact]
    public async Task AStatThatContradictsAListingDropsIt()
    {
        Fill("d/", 10);
        await ListAsync(new ListQuery("d/", null, null, 1_000));
        await _cache.GetAsync("d/0000003", requireHeaders: true, null, _deadline.Token);

        _store.Put(ScriptedStore.MakeStat("d/0000003", length: 99, version: 7));
        _cache.Put(ScriptedStore.MakeStat("d/0000003", length: 99, version: 7, headers: true));

        ListPage page = await ListAsync(new ListQuery("d/", null, null, 1_000));
        Assert.Equal(99, page.Entries[3].Stat!.Length);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("/")]
    public async Task AnObjectThatAListingDoesNotShowDropsIt(string? delimiter)
    {
        Fill("d/", 10);
        Fill("d/sub/", 1);
        var query = new ListQuery("d/", delimiter, null, 1_000);
        await ListAsync(query);
        _store.Put(ScriptedStore.MakeStat("d/new"));
        _cache.Put(ScriptedStore.MakeStat("d/new", headers: true));
        Assert.Equal("d/new", (await ListAsync(query)).Entries[10].Name);

        await ListAsync(query);
        _cache.Put(ScriptedStore.MakeStat("d/new", headers: true));
        await ListAsync(query);
        Assert.Equal(2, _store.Lists);
    }

    /// <summary>Who has read a new object must not be shown the listing without it, whatever else is known by then.</summary>
    [Fact]
    public async Task AnObjectThatOnlyTheOlderOfTwoListingsDoesNotShowDropsIt()
    {
        var whole = new ListQuery("d/", null, null, 1_000);
        _store.Put(ScriptedStore.MakeStat("d/new-x/a"));
        await ListAsync(whole);
        _time.Advance(6);
        _store.Put(ScriptedStore.MakeStat("d/new"));
        Assert.NotNull((await _cache.ResolveAsync("d/new", NameDetail.Listed, null, _deadline.Token)).Object);
        Assert.Single((await ListAsync(whole)).Entries);

        await _cache.GetAsync("d/new", requireHeaders: true, null, _deadline.Token);

        Assert.Equal(["d/new", "d/new-x/a"], (await ListAsync(whole)).Entries.Select(entry => entry.Name));
    }

    [Fact]
    public async Task ConcurrentUseLeavesTheBoundsAndSumsWhole()
    {
        _store.Turns = 1;
        Fill("a/", 400);
        Fill("a/b/", 400);
        Fill("c/", 400);
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", MaxListingBytes = 20_000, MaxCachedStats = 1_000 });
        string[] prefixes = ["", "a/", "a/b/", "c/"];

        async Task UseAsync(int seed)
        {
            var random = new Random(seed);
            for (int i = 0; i < 1_500; i++)
            {
                string prefix = prefixes[random.Next(4)];
                string key = $"{prefix}{random.Next(400):D7}";
                switch (random.Next(8))
                {
                    case 0:
                        cache.Refresh(random.Next(10) == 0 ? prefix : key);
                        break;
                    case 1:
                        if (cache.TryGetStale(key) is { } known)
                        {
                            cache.Invalidate(known);
                        }

                        break;
                    case 2:
                        await cache.GetAsync(key, requireHeaders: random.Next(2) == 0, null, _deadline.Token);
                        break;
                    default:
                        var query = new ListQuery(prefix, random.Next(2) == 0 ? "/" : null, random.Next(2) == 0 ? key : null, random.Next(1, 300));
                        ListPage page = await cache.ListAsync(query, null, _deadline.Token);
                        ListPage model = _store.Model(query);
                        Assert.Equal(model.Entries.Take(page.Entries.Count), page.Entries);
                        break;
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(1, 4).Select(seed => Task.Run(() => UseAsync(seed))));

        Assert.InRange(cache.ListingBytes, 0, 20_000);
        Assert.InRange(cache.CachedStats, 0, 1_000);
        cache.Refresh("");
        while (cache.ListingBytes != 0)
        {
            // Read-ahead that was under way may still have stored a page asked for after the refresh.
            await Task.Yield();
            cache.Refresh("");
            _deadline.Token.ThrowIfCancellationRequested();
        }
    }

    [Fact]
    public async Task ListingsStayWithinTheirBound()
    {
        using MetadataCache cache = NewCache(new MountPointOptions { Name = "m", Source = "", MaxListingBytes = 1 << 20 });
        Fill("d/", 60_000);
        string? after = null;
        bool more = true;
        while (more)
        {
            ListPage page = await cache.ListAsync(new ListQuery("", null, after, 1_000), null, _deadline.Token);
            after = page.Entries[^1].Name;
            more = page.IsTruncated;
            Assert.InRange(cache.ListingBytes, 1, 1 << 20);
        }

        cache.Refresh("");
        Assert.Equal(0, cache.ListingBytes);
    }

    [Fact]
    public async Task AListingAskedForBeforeARefreshIsNotKept()
    {
        Fill("d/", 3);
        TaskCompletionSource hold = _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ListPage> before = ListAsync(new ListQuery("d/", "/", null, 1_000));
        _store.Put(ScriptedStore.MakeStat("d/new"));
        _cache.Refresh("d/new");
        _store.Hold = null;
        Task<ListPage> after = ListAsync(new ListQuery("d/", "/", null, 1_000));
        hold.SetResult();

        Assert.Equal(3, (await before).Entries.Count);
        Assert.Equal(4, (await after).Entries.Count);
        Assert.Equal(4, (await ListAsync(new ListQuery("d/", "/", null, 1_000))).Entries.Count);
        Assert.Equal(2, _store.Lists);
    }

    [Theory]
    [InlineData("d/new")]
    [InlineData("d/")]
    [InlineData("")]
    public async Task AListingThatArrivesAfterARefreshIsNotKept(string refreshed)
    {
        Fill("d/", 3);
        TaskCompletionSource hold = _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ListPage> before = ListAsync(new ListQuery("d/", "/", null, 1_000));
        _store.Put(ScriptedStore.MakeStat("d/new"));
        _cache.Refresh(refreshed);
        _store.Hold = null;
        hold.SetResult();

        Assert.Equal(3, (await before).Entries.Count);
        Assert.Equal(4, (await ListAsync(new ListQuery("d/", "/", null, 1_000))).Entries.Count);
    }

    [Fact]
    public async Task ARefreshOfAPrefixReachesDelimitedListingsBelowIt()
    {
        Fill("d/a/x-", 3);
        var query = new ListQuery("d/a/", "-", null, 1_000);
        await ListAsync(query);
        Fill("d/a/y-", 3);
        _cache.Refresh("d/");
        Assert.Equal(2, (await ListAsync(query)).Entries.Count);
    }

    [Fact]
    public async Task AnUnreachableStoreIsStoodInForByOldListings()
    {
        Fill("d/", 10);
        var query = new ListQuery("d/", "/", null, 1_000);
        await ListAsync(query);
        _time.Advance(1_000);
        _store.Failure = new ForebayException(ErrorKind.Unavailable, "down");

        Assert.Equal(10, (await ListAsync(query)).Entries.Count);
        await Assert.ThrowsAsync<ForebayException>(() => ListAsync(new ListQuery("e/", null, null, 10)));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("", 8)]
    [InlineData("deep/", 8)]
    public async Task AWalkMeetsEveryObjectOnce(string prefix, int parallelism)
    {
        _store.PageSize = 50;
        Fill("deep/er/one/", 700);
        Fill("deep/er/two/", 700);
        Fill("deep/x", 120);
        for (int i = 0; i < 300; i++)
        {
            Fill($"many/{i:D3}/", 3);
        }

        Fill("top", 75);

        var seen = new List<string>();
        await foreach (ObjectStat stat in _cache.WalkAsync(prefix, parallelism, _deadline.Token))
        {
            seen.Add(stat.Key);
        }

        seen.Sort(KeyOrder.Instance);
        int expected = prefix.Length == 0 ? 700 + 700 + 120 + 900 + 75 : 1_520;
        Assert.Equal(expected, seen.Count);
        Assert.Equal(expected, seen.Distinct().Count());
        Assert.Equal(prefix.Length == 0 ? expected * 10L : null, _cache.TotalBytes);
    }

    [Fact]
    public async Task AWalkListsSeveralPlacesAtTheSameTime()
    {
        const int Parallelism = 8;
        _store.PageSize = 100;
        for (int i = 0; i < 100; i++)
        {
            Fill($"{i:D3}/", 100);
        }

        // Only the first page and the directories to cut at are asked one after the other. Of what follows, nothing is answered before
        // every worker waits for an answer; no page that could start read-ahead has come by then, so the questions are the workers'.
        int open = 0;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.HoldList = query =>
        {
            if (query.After is null || query.Delimiter is not null)
            {
                return Task.CompletedTask;
            }

            if (Interlocked.Increment(ref open) == Parallelism)
            {
                all.SetResult();
            }

            return all.Task;
        };

        int objects = 0;
        try
        {
            await foreach (ObjectStat stat in _cache.WalkAsync("", Parallelism, _deadline.Token))
            {
                objects++;
            }
        }
        catch (OperationCanceledException) when (!all.Task.IsCompleted)
        {
            Assert.Fail($"The walk stood still with {open} of {Parallelism} questions open.");
        }

        Assert.Equal(10_000, objects);
        Assert.True(_store.Lists < 200, $"{_store.Lists} questions for 100 pages.");
    }

    [Fact]
    public async Task AFailedWalkEndsWithTheError()
    {
        Fill("d/", 10);
        _store.Failure = new ForebayException(ErrorKind.AccessDenied, "no");
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(async () =>
        {
            await foreach (ObjectStat stat in _cache.WalkAsync("", 4, _deadline.Token))
            {
                Assert.Fail("Nothing can be listed.");
            }
        });
        Assert.Equal(ErrorKind.AccessDenied, error.Kind);
        Assert.Null(_cache.TotalBytes);
    }

    private void Fill(string prefix, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"{prefix}{i:D7}"));
        }
    }

    private MetadataCache NewCache(MountPointOptions options) => new(_store, options, _time);

    private Task<ListPage> ListAsync(ListQuery query) => _cache.ListAsync(query, null, _deadline.Token).AsTask();
}
