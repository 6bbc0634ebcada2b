using Forebay.Core;
using Forebay.Engine.Metadata;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>Listings outlive their process, for an outage: caches that come one after the other over one file.</summary>
public sealed class KeptListingsTests : KeptStatsFixture
{
    public KeptListingsTests()
    {
        for (int i = 0; i < 30; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"dir-{i % 3}/käse-{i:d2} 😀", length: i));
            _store.Put(ScriptedStore.MakeStat($"top-{i:d2}", version: i));
        }
    }

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

    /// <summary>A small directory takes more room in memory than in the file.</summary>
    [Fact]
    public async Task WhatIsRecalledTakesNoMoreRoomThanIsLeft()
    {
        const int Directories = 5_000;
        using (Life life = Begin())
        {
            for (int i = 0; i < Directories; i++)
            {
                _store.Put(ScriptedStore.MakeStat($"many/{i:d4}/file"));
                await ListAsync(life, $"many/{i:d4}/", "/");
            }

            Assert.InRange(life.Cache.ListingBytes, 3 << 19, 4 << 20);
        }

        using Life next = Begin(options => options with { MaxListingBytes = 1 << 20 });
        await ListAsync(next, "dir-1/", "/");
        _time.Advance(61);
        _store.Failure = Down;
        await ListingFailsAsync(next, "never listed/");

        Assert.InRange(next.Cache.ListingBytes, 1 << 19, 1 << 20);
        Assert.Equal(10, (await ListAsync(next, "dir-1/", "/")).Count);
    }

    /// <summary>Nothing is kept in a new file, whatever was kept in the one before it.</summary>
    [Fact]
    public async Task WhatIsToldAgainAfterTheFileWasSetAsideIsKept()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
            Assert.True(life.File.Flush());
            Damage("a missing table");
            await life.GetAsync("top-01");
            Assert.False(life.File.Flush());
            Assert.True(life.File.Flush());
            _time.Advance(61);
            await ListAsync(life, "dir-1/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.Equal(10, (await ListAsync(next, "dir-1/", "/")).Count);
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

    [Fact]
    public async Task WhatDidNotChangeIsNotWrittenAgain()
    {
        using Life life = Begin();
        await ListAsync(life, "", null);
        Assert.True(life.File.Flush());

        _time.Advance(61);
        await ListAsync(life, "", null);
        Assert.Equal(2, _store.Lists);
        Assert.Null(life.Listings.BeginCommit());

        _store.Delete("top-05");
        _time.Advance(61);
        await ListAsync(life, "", null);
        Assert.NotNull(life.Listings.BeginCommit());
        life.Listings.EndCommit(isWritten: false);
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

    [Fact]
    public async Task TheLogIsBoundedInBytesAndItsOldestEndGoes()
    {
        const int Directories = 400;
        for (int i = 0; i < Directories; i++)
        {
            for (int j = 0; j < 100; j++)
            {
                _store.Put(ScriptedStore.MakeStat($"many/{i:d3}/{j:d3}-{new string('x', 30)}"));
            }
        }

        using (Life life = Begin(maxBytes: 1 << 20))
        {
            for (int i = 0; i < Directories; i++)
            {
                await ListAsync(life, $"many/{i:d3}/", "/");
                Assert.True(i % 20 != 0 || life.File.Flush());
            }
        }

        Assert.InRange(Number("SELECT sum(bytes) FROM listing"), 1 << 18, 5 << 17);
        _store.Failure = Down;
        using Life next = Begin(maxBytes: 1 << 20);
        Assert.Equal(100, (await ListAsync(next, $"many/{Directories - 1}/", "/")).Count);
        await ListingFailsAsync(next, "many/000/");
    }

    /// <summary>The oldest row may be of a listing that is in use and never changes.</summary>
    [Fact]
    public async Task WhatWasCutIsKeptAgainWhenItIsToldAgain()
    {
        using (Life life = Begin(maxBytes: 1 << 20))
        {
            await ListAsync(life, "dir-1/", "/");
            for (int i = 0; i < 400; i++)
            {
                for (int j = 0; j < 100; j++)
                {
                    _store.Put(ScriptedStore.MakeStat($"many/{i:d3}/{j:d3}-{new string('x', 30)}"));
                }

                await ListAsync(life, $"many/{i:d3}/", "/");
                Assert.True(i % 20 != 0 || life.File.Flush());
            }

            Assert.True(life.File.Flush());
            _time.Advance(61);
            await ListAsync(life, "dir-1/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin(maxBytes: 1 << 20);
        Assert.Equal(10, (await ListAsync(next, "dir-1/", "/")).Count);
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

    /// <summary>The file is no part of what memory can tell.</summary>
    [Fact]
    public async Task WhatIsKnownDoesNotWaitForTheFile()
    {
        using Life life = Begin();
        List<ListEntry> told = await ListAsync(life, "dir-1/", "/");
        Assert.True(life.File.Flush());
        using var other = Connect();
        using var command = other.CreateCommand();
        command.CommandText = "BEGIN IMMEDIATE";
        command.ExecuteNonQuery();
        life.Cache.Refresh("dir-2/");
        _time.Advance(61);
        _store.Failure = Down;

        Assert.Equal(told, await ListAsync(life, "dir-1/", "/"));
        ValueTask<ListPage> known = life.Cache.ListAsync(new ListQuery("dir-1/", "/", null, 1_000), null, _deadline.Token);
        Assert.True(known.IsCompleted, "what is known was waited for");
        await known;
        command.CommandText = "ROLLBACK";
        command.ExecuteNonQuery();
    }

    [Fact]
    public async Task WhatIsRecalledLeavesBeforeWhatIsKnown()
    {
        for (int i = 0; i < 3_000; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"many/{i:d4}/file"));
        }

        using (Life life = Begin())
        {
            for (int i = 0; i < 2_000; i++)
            {
                await ListAsync(life, $"many/{i:d4}/", "/");
            }
        }

        using Life next = Begin(options => options with { MaxListingBytes = 1 << 20 });
        await ListAsync(next, "dir-1/", "/");
        _store.Failure = Down;
        await ListingFailsAsync(next, "never listed/");
        _store.Failure = null;
        _time.Advance(2);
        for (int i = 2_000; i < 3_000; i++)
        {
            await ListAsync(next, $"many/{i:d4}/", "/");
        }

        int asked = _store.Lists;
        Assert.Equal(10, (await ListAsync(next, "dir-1/", "/")).Count);
        Assert.Equal(asked, _store.Lists);
    }

    [Fact]
    public async Task ALogThatCannotBeMeasuredIsDamaged()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
        }

        Run("UPDATE listing SET bytes = 'x'");
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-2/", "/");
            life.File.Flush();
            life.File.Flush();
        }

        Assert.True(File.Exists(FilePath + ".damaged"), "the damaged file is not there for a look");
        _store.Failure = Down;
        using Life next = Begin();
        Assert.Equal(10, (await ListAsync(next, "dir-2/", "/")).Count);
    }

    [Fact]
    public async Task DropsAreBoundedAndWhatTheyCountForGoesWithThem()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
            life.Cache.Refresh("dir-1/käse-01 😀");
            for (int i = 0; i < 10_000; i++)
            {
                life.Cache.Refresh($"other-{i}");
                Assert.True(i % 100 != 0 || life.File.Flush());
            }

            // With a listing in front of them drops cannot go by themselves.
            await ListAsync(life, "dir-2/", "/");
            for (int i = 0; i < 10_000; i++)
            {
                life.Cache.Refresh($"other-{i}");
                Assert.True(i % 100 != 0 || life.File.Flush());
            }
        }

        Assert.InRange(Number("SELECT count(*) FROM listing"), 0, 5_000);
        _store.Failure = Down;
        using Life next = Begin();
        await ListingFailsAsync(next, "dir-1/");
    }

    [Fact]
    public async Task ListingsThatANewerOneCoversLeaveTheFile()
    {
        using Life life = Begin(options => options with { MetadataTtl = TimeSpan.Zero });
        for (int i = 0; i < 10; i++)
        {
            _store.Put(ScriptedStore.MakeStat("top-01", version: i));
            await ListAsync(life, "top-0", null);
            await ListAsync(life, "top", null);
            Assert.True(life.File.Flush());
        }

        Assert.Equal(1, Number("SELECT count(*) FROM listing"));
    }

    [Fact]
    public async Task WhatCannotBeWrittenWaitsWithinItsBoundAndIsForgottenBeyond()
    {
        string folder = _directory["folder"];
        string path = Path.Combine(folder, "metadata.db");
        using (Life stuck = Begin(options => options with { MetadataTtl = TimeSpan.Zero }, path: path))
        {
            await ListAsync(stuck, "dir-2/", "/");
            for (int i = 0; i < 20_000; i++)
            {
                _store.Put(ScriptedStore.MakeStat("dir-1/käse-01 😀", version: i));
                await ListAsync(stuck, "dir-1/", "/");
                await ListAsync(stuck, "dir-0/", "/");
            }

            Directory.CreateDirectory(folder);
            Assert.True(stuck.File.Flush());
            await ListAsync(stuck, "dir-0/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin(path: path);
        await ListingFailsAsync(next, "dir-2/");
        await ListingFailsAsync(next, "dir-1/");
        Assert.Equal(10, (await ListAsync(next, "dir-0/", "/")).Count);
    }

    /// <summary>What waits may say that something is dropped: without it the file is not believed.</summary>
    [Fact]
    public async Task WhereTheFileTakesNoWritesNothingIsRecalledUntilItDoes()
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
            await ListAsync(life, "dir-2/", "/");
        }

        Run("CREATE TRIGGER full BEFORE INSERT ON listing BEGIN SELECT RAISE(FAIL, 'full'); END");
        using Life next = Begin();
        next.Cache.Refresh("dir-1/käse-01 😀");
        _store.Failure = Down;
        await ListingFailsAsync(next, "dir-1/");
        await ListingFailsAsync(next, "dir-2/");

        Run("DROP TRIGGER full");
        await ListingFailsAsync(next, "dir-2/");
        _time.Advance(11);
        Assert.Equal(10, (await ListAsync(next, "dir-2/", "/")).Count);
        await ListingFailsAsync(next, "dir-1/");
    }

    [Theory]
    [InlineData("UPDATE listing SET entries = zeroblob(length(entries))")]
    [InlineData("UPDATE listing SET upper = NULL")]
    [InlineData("UPDATE listing SET entries = NULL, checksum = 0")]
    [InlineData("UPDATE listing SET kind = 7")]
    [InlineData("UPDATE listing SET checksum = 'x'")]
    public async Task ADamagedRowIsNotBelievedNorWhatIsOlder(string damage)
    {
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-2/", "/");
            await ListAsync(life, "dir-1/", "/");
            Assert.True(life.File.Flush());
        }

        Run(damage + " WHERE number = (SELECT max(number) FROM listing)");
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-0/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin();
        await ListingFailsAsync(next, "dir-1/");
        await ListingFailsAsync(next, "dir-2/");
        Assert.Equal(10, (await ListAsync(next, "dir-0/", "/")).Count);
    }

    [Fact]
    public async Task AFileOfTheFirstSchemaIsTakenOverWithItsStats()
    {
        using (Life life = Begin())
        {
            await life.GetAsync("top-01");
        }

        Run("DROP TABLE listing; PRAGMA user_version = 1");
        using (Life life = Begin())
        {
            await ListAsync(life, "dir-1/", "/");
        }

        _store.Failure = Down;
        using Life next = Begin();
        Assert.Null(next.File.Fault);
        Assert.False((await next.GetAsync("top-01")).IsNegative);
        Assert.Equal(10, (await ListAsync(next, "dir-1/", "/")).Count);
    }

    private async Task<List<ListEntry>> ListAsync(Life life, string prefix, string? delimiter)
    {
        List<ListEntry> entries = [];
        string? after = null;
        while (true)
        {
            ListPage page = await life.Cache.ListAsync(new ListQuery(prefix, delimiter, after, 1_000), null, _deadline.Token);
            entries.AddRange(page.Entries);
            if (!page.IsTruncated)
            {
                return entries;
            }

            after = page.Entries[^1].Name;
        }
    }

    private async Task ListingFailsAsync(Life life, string prefix)
        => Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => ListAsync(life, prefix, "/"))).Kind);
}
