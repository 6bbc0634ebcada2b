using Forebay.Core;
using Forebay.Engine.Metadata;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>The log of kept listings: what it may hold, in its file and in memory, and what its failures cost.</summary>
public sealed class KeptListingsFileTests : KeptListingsFixture
{
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
                await ListAsync(life, $"many/{i:d4}/", delimiter: null);
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
                await ListAsync(life, $"many/{i:d4}/", delimiter: null);
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
            await ListAsync(next, $"many/{i:d4}/", delimiter: null);
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

    /// <summary>What an answer that does not fit contradicts must not come back in its place.</summary>
    [Fact]
    public async Task AnAnswerThatDoesNotFitTakesWhatItContradictsWithIt()
    {
        using Life life = Begin();
        _store.Put(ScriptedStore.MakeStat("grown/z"));
        await ListAsync(life, "grown/", "/");
        for (int i = 0; i < 1_000; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"grown/a{i:d4}"));
        }

        _time.Advance(61);
        await life.Cache.ListAsync(new ListQuery("grown/", "/", null, 1_000), null, _deadline.Token);

        ListingTable replayed = life.Listings.Replay(8 << 10, out _)!;

        Assert.Null(replayed.Lookup("grown/a0500", 0, out _, allowExpired: true));
        Assert.NotNull(replayed.Lookup("grown/z", 0, out ObjectStat? shown, allowExpired: true));
        Assert.NotNull(shown);
    }

    /// <summary>In memory a small directory takes more than in the file: what was told last stays.</summary>
    [Fact]
    public async Task TheLogIsReplayedIntoNoMoreMemoryThanThereIs()
    {
        const int Directories = 5_000;
        const long Room = 1 << 20;
        using Life life = Begin();
        for (int i = 0; i < Directories; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"many/{i:d4}/file"));
            await ListAsync(life, $"many/{i:d4}/", delimiter: null);
        }

        ListingTable replayed = life.Listings.Replay(Room, out long latest)!;

        Assert.InRange(replayed.Bytes, Room / 2, Room);
        Assert.NotNull(replayed.Lookup($"many/{Directories - 1:d4}/file", 0, out _, allowExpired: true));
        Assert.Null(replayed.Lookup("many/0000/file", 0, out _, allowExpired: true));
        Assert.Equal(Number("SELECT max(number) FROM listing"), latest);
    }
}
