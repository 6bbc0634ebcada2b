using System.Collections.Concurrent;
using System.Globalization;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>Directories that are listed one after another are answered from pages of the tree; what is listed is the same as without.</summary>
public sealed class TreeWalkTests : IDisposable
{
    private readonly SteppedTime _time = new();
    private readonly ConcurrentQueue<ListQuery> _asked = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(60));
    private readonly List<MetadataCache> _caches = [];

    public void Dispose()
    {
        _caches.ForEach(cache => cache.Dispose());
        _deadline.Dispose();
    }

    [Fact]
    public async Task AWalkAsksForPagesOfTheTree()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        List<string> seen = await WalkAsync(cache, "t/");

        Assert.Equal(5_000, seen.Count);
        Assert.Equal(store.Model(new ListQuery("t/", null, null, int.MaxValue)).Entries.Select(e => e.Name), seen);

        // The root, the two that tell of a walk (the third counts as the second step), five pages of 1,000 less what was known.
        Assert.True(store.Lists <= 1 + 2 + 6, $"{store.Lists} questions");
        Assert.Equal(3, _asked.Count(query => query.Delimiter is not null));
    }

    [Fact]
    public async Task NestedDirectoriesAreOneWalk()
    {
        ScriptedStore store = NewNestedStore();
        Assert.Equal(8_000, (await WalkAsync(NewCache(store), "t/")).Count);

        // 821 directories.
        Assert.True(store.Lists <= 30, $"{store.Lists} questions");
    }

    [Fact]
    public async Task AnUpperDirectoryThatAPageEndsInIsAskedForItself()
    {
        ScriptedStore store = NewNestedStore();
        Func<ListQuery, Task> note = store.HoldList!;
        store.HoldList = query =>
        {
            _ = note(query);

            // Each page that is needed is followed by one ahead, which fails: the walk comes to where the first ends.
            return query.Delimiter is null && _asked.Count(asked => asked.Delimiter is null) % 2 == 0
                ? Task.FromException(new ForebayException(ErrorKind.InvalidRange, "not now"))
                : Task.CompletedTask;
        };
        Assert.Equal(8_000, (await WalkAsync(NewCache(store), "t/")).Count);
        Assert.Contains(_asked, query => query is { Delimiter: not null, After: not null });
        Assert.DoesNotContain(_asked, query => query.Delimiter is null && query.After!.EndsWith('/'));
    }

    [Fact]
    public async Task TheNextPageIsOnItsWayBeforeItIsNeeded()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        await ListEachAsync(cache, 0, 3);

        // The third was answered by a page of the tree; when the next step is on it too, the page behind is asked for without anybody needing it.
        Assert.Equal(3, store.Lists);
        await ListAsync(cache, Directory(3));
        ListQuery[] pages = [.. _asked.Where(query => query.Delimiter is null)];
        Assert.Equal(["t/0002.\U0010FFFF", "t/0021/049"], pages.Select(query => query.After));

        // Not the one behind that before the walk has come there.
        await ListEachAsync(cache, 4, 22);

        Assert.Equal(4, store.Lists);
        await ListAsync(cache, Directory(22));
        Assert.Equal("t/0041/049", _asked.Last().After);
        Assert.Equal(5, store.Lists);
    }

    [Fact]
    public async Task WhoComesToAPageOnItsWayWaitsForIt()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        TaskCompletionSource arrival = HoldPageBehind(store, "t/0021/049");
        await ListEachAsync(cache, 0, 21);

        // Its names are all there, but not yet that they are all.
        Task<ListPage> next = ListAsync(cache, Directory(21));
        Assert.False(next.IsCompleted);
        Assert.Equal(4, store.Lists);
        arrival.SetResult();
        Assert.Equal(50, (await next).Entries.Count);

        Assert.Equal(4, store.Lists);
    }

    [Fact]
    public async Task WalksSideBySideAreHelpedToo()
    {
        ScriptedStore store = NewStore(directories: 400, filesEach: 50);
        MetadataCache cache = NewCache(store);
        const int Walks = 8;
        for (int i = 0; i < 50; i++)
        {
            for (int walk = 0; walk < Walks; walk++)
            {
                Assert.Equal(50, (await ListAsync(cache, Directory((walk * 50) + i))).Entries.Count);
            }
        }

        // Of 400 directories. Where one walk ends and another begins cannot be told from the names, but a page of the tree serves whoever comes there.
        Assert.True(store.Lists <= Walks * 7, $"{store.Lists} questions");
    }

    [Fact]
    public async Task WhoJumpsOverWhatWasBroughtIsNotFollowed()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        for (int i = 99; i > 60; i--)
        {
            await ListAsync(cache, Directory(i));
        }

        for (int i = 9; i > 0; i--)
        {
            await ListAsync(cache, $"others/{i}/");
        }

        await ListEachAsync(cache, 0, 3);

        int before = store.Lists;
        await ListEachAsync(cache, 61, 100);

        Assert.Equal(before, store.Lists);
    }

    [Fact]
    public async Task GoingDownToOnePlaceIsNoWalk()
    {
        ScriptedStore store = NewStore();
        string path = "";
        for (int i = 0; i < 10; i++)
        {
            path += "d/";
            store.Put(ScriptedStore.MakeStat(path + "e/file"));
        }

        MetadataCache cache = NewCache(store);
        for (int length = 2; length <= path.Length; length += 2)
        {
            await ListAsync(cache, path[..length]);
        }

        Assert.Equal(10, store.Lists);
        Assert.All(_asked, query => Assert.Equal("/", query.Delimiter));
    }

    [Fact]
    public async Task GoingBackIsNoWalk()
    {
        ScriptedStore store = NewStore(directories: 20, filesEach: 5);
        MetadataCache cache = NewCache(store);
        for (int i = 19; i >= 0; i--)
        {
            await ListAsync(cache, Directory(i));
        }

        Assert.All(_asked, query => Assert.Equal("/", query.Delimiter));
    }

    [Fact]
    public async Task LargeDirectoriesCostOnePageOfTheTreeInThree()
    {
        // Directories of directories, of which only the upper ones are listed.
        ScriptedStore store = NewStore();
        for (int i = 0; i < 30; i++)
        {
            for (int j = 0; j < 1_100; j++)
            {
                store.Put(ScriptedStore.MakeStat(string.Create(CultureInfo.InvariantCulture, $"t/{i:d2}/{j / 600}/{j:d4}")));
            }
        }

        MetadataCache cache = NewCache(store);
        for (int i = 0; i < 30; i++)
        {
            ListPage page = await ListAsync(cache, string.Create(CultureInfo.InvariantCulture, $"t/{i:d2}/"));
            Assert.Equal(2, page.Entries.Count);
        }

        Assert.InRange(_asked.Count(query => query.Delimiter is null), 1, 15);
    }

    [Fact]
    public async Task AStoreOfDirectoriesIsAskedForThem()
    {
        ScriptedStore store = NewStore(directories: 20, filesEach: 5, hasDirectories: true);
        MetadataCache cache = NewCache(store);
        Assert.Equal(100, (await WalkAsync(cache, "t/")).Count);
        Assert.Equal(100, (await WalkAsync(cache, "t/")).Count);
        Assert.Equal(21, store.Lists);
        Assert.All(_asked, query => Assert.Equal("/", query.Delimiter));
    }

    [Fact]
    public async Task WhereNothingIsKeptNothingIsAskedAhead()
    {
        ScriptedStore store = NewStore(directories: 20, filesEach: 5);
        MetadataCache cache = NewCache(store, new MountPointOptions { Name = "m", Source = "test://", MetadataTtl = TimeSpan.Zero });
        Assert.Equal(100, (await WalkAsync(cache, "t/")).Count);
        Assert.All(_asked, query => Assert.Equal("/", query.Delimiter));
    }

    [Theory]
    [InlineData(ErrorKind.AccessDenied)]
    [InlineData(ErrorKind.InvalidRange)]
    public async Task ListingsOfSingleDirectoriesAreEnough(ErrorKind refusal)
    {
        ScriptedStore store = NewStore(directories: 20, filesEach: 5);
        Func<ListQuery, Task> note = store.HoldList!;
        store.HoldList = query => note(query).IsCompleted && query.Delimiter is null
            ? Task.FromException(new ForebayException(refusal, "only with a delimiter"))
            : Task.CompletedTask;
        MetadataCache cache = NewCache(store);
        Assert.Equal(100, (await WalkAsync(cache, "t/")).Count);
        Assert.Single(_asked, query => query.Delimiter is null);

        // Rights may have been given since.
        _time.Advance(61);
        Assert.Equal(100, (await WalkAsync(cache, "t/")).Count);
        Assert.Equal(2, _asked.Count(query => query.Delimiter is null));
    }

    [Fact]
    public async Task AFailureIsThatOfTheDirectory()
    {
        ScriptedStore store = NewStore(directories: 20, filesEach: 5);
        MetadataCache cache = NewCache(store);
        await ListAsync(cache, Directory(0));
        await ListAsync(cache, Directory(1));
        store.Failure = new ForebayException(ErrorKind.Unavailable, "down");
        await Assert.ThrowsAsync<ForebayException>(() => ListAsync(cache, Directory(2)));
        Assert.Equal(3, store.Lists);

        // The next one is asked for itself, which confirms that it is an outage; the others do not wait for one answer each.
        await Assert.ThrowsAsync<ForebayException>(() => ListAsync(cache, Directory(3)));
        Assert.Equal("/", _asked.Last().Delimiter);
        Assert.Equal(4, store.Lists);
        await Assert.ThrowsAsync<ForebayException>(() => ListAsync(cache, Directory(4)));
        Assert.Equal(4, store.Lists);

        // And what is known from before stands in.
        _time.Advance(61);
        Assert.Equal(5, (await ListAsync(cache, Directory(1))).Entries.Count);
    }

    [Fact]
    public async Task WhoTakesDirectoriesHereAndThereCostsNoMoreQuestions()
    {
        ScriptedStore store = NewStore(directories: 2_000, filesEach: 50);
        MetadataCache cache = NewCache(store);
        for (int i = 0; i < 2_000; i += 25)
        {
            await ListAsync(cache, Directory(i));
        }

        Assert.Equal(80, store.Lists);
        Assert.InRange(_asked.Count(query => query.Delimiter is null), 1, 27);
    }

    [Fact]
    public async Task APageThatCouldNotBeBroughtAheadIsAskedForWhenItIsNeeded()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        bool isFirst = true;
        Func<ListQuery, Task> note = store.HoldList!;
        store.HoldList = query =>
        {
            _ = note(query);
            bool fails = isFirst && query.After == "t/0021/049";
            isFirst &= !fails;
            return fails ? Task.FromException(new ForebayException(ErrorKind.Unavailable, "down for a moment")) : Task.CompletedTask;
        };
        await ListEachAsync(cache, 0, 23);
        Assert.False(isFirst);
        Assert.Equal("t/0022.\U0010FFFF", _asked.Last().After);

        // And the walk goes on as before: with its next step the page behind is asked for.
        await ListEachAsync(cache, 23, 24);
        Assert.Equal("t/0041/049", _asked.Last().After);
    }

    [Fact]
    public async Task ARefreshIsNotUndoneByAPageOnItsWay()
    {
        ScriptedStore store = NewStore(directories: 100, filesEach: 50);
        MetadataCache cache = NewCache(store);
        TaskCompletionSource arrival = HoldPageBehind(store, "t/0021/049");
        await ListEachAsync(cache, 0, 4);

        store.Put(ScriptedStore.MakeStat("t/0022/new"));
        cache.Refresh("t/0022/");
        arrival.SetResult();
        Assert.Equal(51, (await ListAsync(cache, Directory(22))).Entries.Count);
    }

    private static string Directory(int number) => string.Create(CultureInfo.InvariantCulture, $"t/{number:d4}/");

    /// <summary>20 directories of 40, each of which has 10 files.</summary>
    private ScriptedStore NewNestedStore()
    {
        ScriptedStore store = NewStore();
        for (int i = 0; i < 8_000; i++)
        {
            store.Put(ScriptedStore.MakeStat(string.Create(CultureInfo.InvariantCulture, $"t/{i / 400:d2}/{i / 10 % 40:d2}/{i % 10:d2}")));
        }

        return store;
    }

    private ScriptedStore NewStore(int directories = 0, int filesEach = 0, bool hasDirectories = false)
    {
        var store = new ScriptedStore { HasDirectories = hasDirectories };
        for (int i = 0; i < directories; i++)
        {
            for (int j = 0; j < filesEach; j++)
            {
                store.Put(ScriptedStore.MakeStat(string.Create(CultureInfo.InvariantCulture, $"{Directory(i)}{j:d3}")));
            }
        }

        store.HoldList = query =>
        {
            _asked.Enqueue(query);
            return Task.CompletedTask;
        };
        return store;
    }

    /// <summary>Lets the answer to one page wait.</summary>
    private static TaskCompletionSource HoldPageBehind(ScriptedStore store, string after)
    {
        // What comes of the answer has happened when it was given.
        var arrival = new TaskCompletionSource();
        Func<ListQuery, Task> note = store.HoldList!;
        store.HoldList = query =>
        {
            _ = note(query);
            return query.After == after ? arrival.Task : Task.CompletedTask;
        };
        return arrival;
    }

    private MetadataCache NewCache(ScriptedStore store, MountPointOptions? options = null)
    {
        var cache = new MetadataCache(store, options ?? new MountPointOptions { Name = "m", Source = "test://" }, _time);
        _caches.Add(cache);
        return cache;
    }

    private async Task<ListPage> ListAsync(MetadataCache cache, string directory)
        => await cache.ListAsync(new ListQuery(directory, "/", null, 1_000), null, _deadline.Token);

    private async Task ListEachAsync(MetadataCache cache, int from, int until)
    {
        for (int i = from; i < until; i++)
        {
            await ListAsync(cache, Directory(i));
        }
    }

    private async Task<List<string>> WalkAsync(MetadataCache cache, string directory)
    {
        var files = new List<string>();
        foreach (ListEntry entry in (await ListAsync(cache, directory)).Entries)
        {
            if (entry.IsPrefix)
            {
                files.AddRange(await WalkAsync(cache, entry.Name));
            }
            else
            {
                files.Add(entry.Name);
            }
        }

        return files;
    }
}
