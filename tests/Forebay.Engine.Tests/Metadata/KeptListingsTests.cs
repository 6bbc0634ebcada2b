using Forebay.Core;
using Forebay.Engine.Metadata;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>Listings outlive their process, for an outage: caches that come one after the other over one file.</summary>
public sealed class KeptListingsTests : KeptListingsFixture
{
    [Theory]
    [InlineData("", null)]
    [InlineData("", "/")]
    [InlineData("dir-1/", "/")]
    [InlineData("top", "-")]
    [InlineData("nothing", "/")]
    public async Task AfterARestartListingsStandInForAStoreThatIsDown(string prefix, string? delimiter)
    {
        _store.PageSize = 7;
        List<ListEntry> told;
        using (Life life = Begin())
        {
            told = await ListAsync(life, prefix, delimiter);
        }

        _store.Failure = Down;
        using Life next = Begin();

        Assert.Equal(told, await ListAsync(next, prefix, delimiter));
        Assert.Equal(told.Take(3), (await next.Cache.ListAsync(new ListQuery(prefix, delimiter, null, 3), null, _deadline.Token)).Entries);
        if (delimiter is not null)
        {
            await ListingFailsAsync(next, "never listed/");
        }
    }

    [Fact]
    public async Task WhatWasListedFlatAnswersEveryDelimiterAlsoAfterARestart()
    {
        List<ListEntry> directory;
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
            directory = await ListAsync(life, "dir-1/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.Equal(directory, await ListAsync(next, "dir-1/", "/"));
        Assert.Equal(33, (await ListAsync(next, "", "/")).Count);
    }

    [Fact]
    public async Task NamesOfAMountAreFoundAfterARestart()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", "/");
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.True((await next.Cache.ResolveAsync("dir-1", NameDetail.Listed, null, _deadline.Token)).IsDirectory);
        Assert.Equal(ScriptedStore.MakeStat("top-07", version: 7), (await next.Cache.ResolveAsync("top-07", NameDetail.Listed, null, _deadline.Token)).Object);
        await Assert.ThrowsAsync<ForebayException>(() => next.Cache.ResolveAsync("absent", NameDetail.Listed, null, _deadline.Token).AsTask());
    }

    [Fact]
    public async Task AStoreThatAnswersIsBelievedAndNotTheFile()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
        }

        _store.Delete("top-05");
        using Life next = Begin();

        Assert.Equal(59, (await ListAsync(next, "", null)).Count);
    }

    [Fact]
    public async Task WhatIsToldAfterTheRestartCountsAndOnlyTheRestIsRecalled()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
        }

        _store.Delete("dir-1/käse-04 😀");
        _store.Delete("top-00");
        using Life next = Begin();
        await ListAsync(next, "dir-1/", null);
        _time.Advance(61);
        _store.Failure = Down;
        List<ListEntry> shown = await ListAsync(next, "", null);

        Assert.DoesNotContain(shown, entry => string.Equals(entry.Name, "dir-1/käse-04 😀", StringComparison.Ordinal));
        Assert.Contains(shown, entry => string.Equals(entry.Name, "top-00", StringComparison.Ordinal));
        Assert.Equal(59, shown.Count);
    }

    [Fact]
    public async Task WhereStaleIsNotServedAnOutageShowsAlsoAfterARestart()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
        }

        _store.Failure = Down;
        using Life next = Begin(options => options with { ServeStaleOnError = false });
        await ListingFailsAsync(next, "");
    }

    [Theory]
    [InlineData("dir-1/käse-01 😀")]
    [InlineData("dir-1/")]
    [InlineData("")]
    public async Task WhatWasRefreshedIsNotBelievedAfterARestart(string refreshed)
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
            await ListAsync(life, "dir-2/", "/");
            await ListAsync(life, "", "/");
        }

        using (Life life = Begin())
        {
            life.Cache.Refresh(refreshed);
            await life.Cache.WrittenAsync(_deadline.Token);
            life.LoseWhatWaits();
        }

        _store.Failure = Down;
        using Life next = Begin();
        await ListingFailsAsync(next, "dir-1/");
        await ListingFailsAsync(next, "");
        if (refreshed.Length > 0)
        {
            Assert.Equal(10, (await ListAsync(next, "dir-2/", "/")).Count);
        }
    }

    [Fact]
    public async Task ARefreshAfterTheRecallCountsToo()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
        }

        _store.Failure = Down;
        using Life next = Begin();
        await ListAsync(next, "", null);
        next.Cache.Refresh("dir-1/");
        await ListingFailsAsync(next, "dir-1/");
    }

    /// <summary>What is refreshed while the log is read may be in the copy that was read.</summary>
    [Fact]
    public async Task ARefreshDuringTheRecallCountsToo()
    {
        const int Directories = 100;
        for (int i = 0; i < Directories; i++)
        {
            for (int j = 0; j < 1_000; j++)
            {
                _store.Put(ScriptedStore.MakeStat($"many/{i:d3}/{j:d4}"));
            }
        }

        using (Life life = Begin())
        {
            for (int i = 0; i < Directories; i++)
            {
                await ListAsync(life, $"many/{i:d3}/", "/");
            }
        }

        _store.Failure = Down;
        for (int round = 0; round < 10; round++)
        {
            File.Copy(FilePath, _directory[$"copy-{round}"]);
            using Life next = Begin(path: _directory[$"copy-{round}"]);
            await next.Cache.WrittenAsync(_deadline.Token);
            Task<List<ListEntry>> listing = Task.Run(() => ListAsync(next, "many/050/", "/"));
            Thread.SpinWait(20_000 * round);
            next.Cache.Refresh("many/099/");
            await listing;
            await ListingFailsAsync(next, "many/099/");
        }
    }

    [Fact]
    public async Task WhoHasSeenAnObjectOverwrittenIsNotShownTheOldListingAfterARestart()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
            await life.GetAsync("top-01");
            _store.Put(ScriptedStore.MakeStat("top-01", version: 99));
            _time.Advance(61);
            await life.GetAsync("top-01");
        }

        _store.Failure = Down;
        using Life next = Begin();
        await ListingFailsAsync(next, "");
    }

    [Fact]
    public async Task OtherRightsSeeNothingOfIt()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
        }

        _store.Failure = Down;
        using (Life other = Begin(identity: "other rights"))
        {
            await ListingFailsAsync(other, "");
        }

        Assert.Equal(0, Number("SELECT count(*) FROM listing"));
        using Life first = Begin();
        await ListingFailsAsync(first, "");
    }

    /// <summary>A listing that was dropped and is told again is not the one that is kept.</summary>
    [Fact]
    public async Task WhatIsToldAfterARefreshIsKeptAgain()
    {
        List<ListEntry> told;
        using (Life life = Begin())
        {
            await ListAsync(life, "", null);
            life.File.Flush();
            life.Cache.Refresh("top-01");
            told = await ListAsync(life, "", null);
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.Equal(told, await ListAsync(next, "", null));
    }

    /// <summary>A directory without directories is told by a flat listing, and one that got some by another: the later one counts.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task OfTwoListingsThatExpiredTheLaterOneCounts(bool isFirstRecalled)
    {
        List<ListEntry> later;
        Life life = Begin();
        await ListAsync(life, "dir-1/", "/");
        if (isFirstRecalled)
        {
            life.Dispose();
            life = Begin();
        }

        _store.Put(ScriptedStore.MakeStat("dir-1/sub/file"));
        _time.Advance(61);
        later = await ListAsync(life, "dir-1/", "/");
        Assert.Equal(11, later.Count);
        _time.Advance(61);
        if (!isFirstRecalled)
        {
            life.Dispose();
            life = Begin();
        }

        _store.Failure = Down;
        await ListingFailsAsync(life, "never listed/");
        Assert.Equal(later, await ListAsync(life, "dir-1/", "/"));
        Assert.True((await life.Cache.ResolveAsync("dir-1/sub", NameDetail.Listed, null, _deadline.Token)).IsDirectory);
        life.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhatThisProcessKnowsOfAnObjectIsNotContradicted(bool isGone)
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
            await ListAsync(life, "dir-2/", "/");
        }

        const string Key = "dir-1/käse-01 😀";
        _store.Delete(Key);
        if (!isGone)
        {
            _store.Put(ScriptedStore.MakeStat(Key, version: 2));
        }

        using Life next = Begin();
        await next.GetAsync(Key);
        await next.GetAsync("dir-2/käse-02 😀");
        _store.Failure = Down;
        await ListingFailsAsync(next, "dir-1/");
        Assert.Equal(10, (await ListAsync(next, "dir-2/", "/")).Count);
    }
}
