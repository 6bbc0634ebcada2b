using Forebay.Core;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;
using static Forebay.Engine.Tests.Reading.NodeWorld;

namespace Forebay.Engine.Tests.Reading;

/// <summary>Reads when the cache or the store below does not do its part.</summary>
[Collection(NodeCollection.Name)]
public sealed class DegradedReadingTests
{
    private const long Length = (5 << 20) + 12_345;

    [Fact]
    public async Task WithoutATierReadsAreExactAndBuffersBounded()
    {
        await using NodeWorld world = new(quotaBytes: null);
        world.Memory.PutPattern("a", 40 << 20);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(async () =>
        {
            using IObjectReader reader = await world.OpenAsync("a", new ByteRange(i, 8 << 20));
            Assert.Equal(0, await NodeWorld.ReadExactAsync(reader, i, 8 << 20, world.Deadline));
            Assert.InRange(world.Node.PassThroughBuffers.Outstanding, 0, 16);
        })));

        using IObjectReader beyond = await world.OpenAsync("a", new ByteRange(0, 10));
        long requests = world.Memory.ReadRequests;
        await NodeWorld.ReadExactAsync(beyond, 0, 1 << 20, world.Deadline);
        Assert.InRange(world.Memory.ReadRequests - requests, 1, 8);
    }

    [Fact]
    public async Task SlowReadersDoNotKeepOthersFromBuffers()
    {
        await using NodeWorld world = new(quotaBytes: null);
        world.Memory.PutPattern("a", 40 << 20);
        List<IObjectReader> slow = [];
        byte[] one = new byte[1];
        for (int i = 0; i < 8; i++)
        {
            slow.Add(await world.OpenAsync("a", new ByteRange(0, 40 << 20)));
            Assert.Equal(1, await slow[^1].ReadAsync(0, one, world.Deadline));
        }

        await world.ReadExactAsync("a", 0, 4 << 20);

        slow.ForEach(reader => reader.Dispose());
    }

    /// <summary>Open files that nobody reads, and clients that do not take their bytes: with 16 buffers they must not keep anybody out.</summary>
    [Fact]
    public async Task IdleReadersGiveTheirBuffersToWhoWaits()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, quotaBytes: null);
        world.Memory.PutPattern("a", 20 << 20);
        List<IObjectReader> idle = [];
        for (int i = 0; i < 40; i++)
        {
            IObjectReader reader = await world.OpenAsync("a");
            idle.Add(reader);
            await PassingAsync(time, NodeWorld.ReadExactAsync(reader, 0, 1, world.Deadline));
        }

        foreach (IObjectReader reader in idle)
        {
            await PassingAsync(time, NodeWorld.ReadExactAsync(reader, 1, 2 << 20, world.Deadline));
            reader.Dispose();
        }
    }

    [Fact]
    public async Task WhoGetsNoBufferIsToldInTime()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, quotaBytes: null);
        world.Memory.PutPattern("a", 20 << 20);
        await world.Data.StatAsync("a", null, world.Deadline);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.StallUntil(release.Task));
        List<IObjectReader> busy = [];
        List<Task<long>> reading = [];
        for (int i = 0; i < 16; i++)
        {
            busy.Add(await world.OpenAsync("a", new ByteRange(0, 1 << 20)));
            reading.Add(NodeWorld.ReadExactAsync(busy[^1], 0, 1, world.Deadline));
        }

        using IObjectReader late = await world.OpenAsync("a", new ByteRange(0, 1 << 20));
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => PassingAsync(time, NodeWorld.ReadExactAsync(late, 0, 1, world.Deadline)));

        Assert.Equal(ErrorKind.Throttled, error.Kind);
        release.SetResult();
        await PassingAsync(time, Task.WhenAll(reading));
        busy.ForEach(reader => reader.Dispose());
        await PassingAsync(time, NodeWorld.ReadExactAsync(late, 0, 1, world.Deadline));
    }

    [Fact]
    public async Task ReadsPastTheCacheKeepToTheSourcesShareOfRanges()
    {
        await using NodeWorld world = new(quotaBytes: null, fill: Fill with { MaxConcurrentRanges = 2 });
        world.Memory.PutPattern("a", 20 << 20);
        await world.Data.StatAsync("a", null, world.Deadline);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.StallUntil(release.Task));
        List<IObjectReader> readers = [];
        List<Task<long>> reading = [];
        for (int i = 0; i < 6; i++)
        {
            readers.Add(await world.OpenAsync("a"));
            reading.Add(NodeWorld.ReadExactAsync(readers[^1], 0, 3 << 20, world.Deadline));
        }

        Assert.Equal(2, world.Plan.Calls(UnderStoreCall.Read));
        release.SetResult();
        await Task.WhenAll(reading);
        readers.ForEach(reader => reader.Dispose());
    }

    /// <summary>The error is that of the read that needed the bytes, not of all that come after it.</summary>
    [Fact]
    public async Task PastTheCacheAReadAfterAFailedOneAsksAgain()
    {
        await using NodeWorld world = new(quotaBytes: null, fill: Fill with { MaxAttempts = 1 });
        world.Memory.PutPattern("a", 1 << 20);
        using IObjectReader reader = await world.OpenAsync("a");
        world.Plan.On(UnderStoreCall.Read, 1, Fault.Fail(ErrorKind.Unavailable));

        await Assert.ThrowsAsync<ForebayException>(() => NodeWorld.ReadExactAsync(reader, 0, 1 << 20, world.Deadline));

        await NodeWorld.ReadExactAsync(reader, 0, 1 << 20, world.Deadline);
    }

    [Fact]
    public async Task PastTheCacheBrokenStreamsAreTakenUpAndOverwritesAreStale()
    {
        await using NodeWorld world = new(quotaBytes: null);
        world.Memory.PutPattern("a", 4 << 20);
        using IObjectReader reader = await world.OpenAsync("a");
        world.Plan.On(UnderStoreCall.Read, 1, Fault.TruncateAfter(300_000));

        await NodeWorld.ReadExactAsync(reader, 0, 4 << 20, world.Deadline);
        Assert.Equal(4 << 20, world.Memory.BytesRead);

        world.Memory.PutPattern("a", 4 << 20);
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => NodeWorld.ReadExactAsync(reader, 0, 4 << 20, world.Deadline));
        Assert.Equal(ErrorKind.StaleVersion, error.Kind);
        await world.ReadExactAsync("a");
    }

    [Fact]
    public async Task ATierFullOfPinnedObjectsIsServedPast()
    {
        await using NodeWorld world = new(quotaBytes: 16 << 20);
        await world.Node.PinAsync("/data/", world.Deadline);
        for (int i = 0; i < 6; i++)
        {
            world.Memory.PutPattern($"{i}", 4 << 20);
            await world.ReadExactAsync($"{i}");
        }

        Assert.InRange(world.Tier.UsedBytes, 12 << 20, (16 << 20) * 1.01);
        Assert.Equal(0, world.Tier.EvictedBytes);
        long bytes = world.Memory.BytesRead;
        await world.ReadExactAsync("0");
        Assert.Equal(bytes, world.Memory.BytesRead);
    }

    [Fact]
    public async Task AVanishedCacheDirectoryCostsNoReadItsBytes()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        world.Memory.PutPattern("b", Length);
        await world.ReadExactAsync("a", 0, Length / 2);
        Directory.Move(world.Directory["tier/objects"], world.Directory["gone"]);

        await world.ReadExactAsync("b");
        await world.ReadExactAsync("a");

        Assert.NotEqual("ok", world.Node.GetStatus().Tiers[0].State);
    }

    [Fact]
    public async Task ADamagedPageIsFetchedAgainAndItAlone()
    {
        using TempDirectory directory = new();
        InMemoryUnderStore memory = new();
        memory.PutPattern("a", Length);
        await using (NodeWorld world = new(directory: directory, memory: memory))
        {
            await world.ReadExactAsync("a");
        }

        string path = Directory.GetFiles(directory["tier/objects"], "*", SearchOption.AllDirectories).Single();
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.Write(file, "damage"u8, 3_000_000);
        }

        await using NodeWorld again = new(directory: directory, memory: memory);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => again.ReadExactAsync("a"))));

        Assert.Equal(1, again.Tier.CorruptPages);
        Assert.InRange(memory.BytesRead - Length, PageBytes, Length);
        await again.ReadExactAsync("a");
    }

    [Fact]
    public async Task WhileTheStoreIsDownCachedObjectsAreServedAndOthersAreUnavailable()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, fill: Fill with { MaxAttempts = 1 });
        world.Memory.PutPattern("a", Length);
        await world.ReadExactAsync("a");
        time.Advance(TimeSpan.FromMinutes(5));
        Down(world);

        await world.ReadExactAsync("a");
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => world.ReadExactAsync("b"));

        Assert.Equal(ErrorKind.Unavailable, error.Kind);
    }

    [Fact]
    public async Task WhereStaleIsNotAllowedAnOutageShows()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, fill: Fill with { MaxAttempts = 1 }, mount: options => options with { ServeStaleOnError = false });
        world.Memory.PutPattern("a", Length);
        await world.ReadExactAsync("a");
        time.Advance(TimeSpan.FromMinutes(5));
        Down(world);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => world.ReadExactAsync("a"));

        Assert.Equal(ErrorKind.Unavailable, error.Kind);
        world.Plan.Clear();
        await world.ReadExactAsync("a");
    }

    [Fact]
    public async Task ExpiredMetadataIsValidatedByOneStatAndNoBytes()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("a", Length);
        await world.ReadExactAsync("a");
        long requests = world.Memory.Requests;

        time.Advance(TimeSpan.FromSeconds(61));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.ReadExactAsync("a")));

        Assert.Equal((1, requests + 1, Length), (world.Memory.StatRequests, world.Memory.Requests, world.Memory.BytesRead));
    }

    [Theory]
    [InlineData(128 << 20)]
    [InlineData(null)]
    public async Task AStoreThatStallsIsGivenUpOnTimeAndAskedAgain(int? quotaBytes)
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, quotaBytes: quotaBytes);
        world.Memory.PutPattern("a", 60_000);
        using IObjectReader reader = await world.OpenAsync("a");
        TaskCompletionSource never = new();
        TaskCompletionSource stalled = new();
        world.Plan.On(UnderStoreCall.Read, 1, new Fault { AfterBytes = 1000, ThenRun = stalled.SetResult, ThenUntil = never.Task });

        // The store is asked for more only after the first bytes have been taken in: before, a deadline would rightly lose them.
        Task<long> read = NodeWorld.ReadExactAsync(reader, 0, 60_000, world.Deadline);
        Await(() => stalled.Task.IsCompleted, "the first stream stalls");
        Assert.False(read.IsCompleted);
        Await(
            () =>
            {
                // No further: seconds that pass in no time would end the second stream too.
                bool isAskedAgain = world.Memory.ReadRequests > 1;
                if (!isAskedAgain)
                {
                    time.Advance(TimeSpan.FromSeconds(1));
                }

                return isAskedAgain;
            },
            "a second stream is asked for");
        await read.WaitAsync(world.Deadline);

        Assert.Equal(2, world.Memory.ReadRequests);
        Assert.Equal(60_000, world.Memory.BytesRead);
    }

    [Fact]
    public async Task ACacheFileThatIsShorterThanItWasIsGivenUpAndFetchedAnew()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 300_000);
        using (IObjectReader first = await world.OpenAsync("a"))
        {
            await NodeWorld.ReadExactAsync(first, 0, 300_000, world.Deadline);
        }

        string file = Assert.Single(System.IO.Directory.EnumerateFiles(world.Directory["tier/objects"], "*", SearchOption.AllDirectories));
        using (FileStream cut = File.OpenWrite(file))
        {
            cut.SetLength(100_000);
        }

        using (IObjectReader second = await world.OpenAsync("a"))
        {
            byte[] bytes = new byte[300_000];
            int offset = 0;
            while (offset < bytes.Length)
            {
                offset += await second.ReadAsync(offset, bytes.AsMemory(offset), world.Deadline);
            }

            Assert.Equal(-1, InMemoryUnderStore.PatternOf(second.Stat).FirstMismatch(0, bytes));
        }

        Assert.Equal(1, world.Node.GetStatus().Tiers[0].IoErrors);
    }

    /// <summary>Lets time pass until something has ended.</summary>
    private static async Task PassingAsync(ManualTimeProvider time, Task ending)
    {
        Await(
            () =>
            {
                if (!ending.IsCompleted)
                {
                    time.Advance(TimeSpan.FromMilliseconds(50));
                }

                return ending.IsCompleted;
            },
            "it has ended");
        await ending;
    }

    private static void Down(NodeWorld world)
        => world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.Unavailable)).OnEvery(UnderStoreCall.Read, Fault.Fail(ErrorKind.Unavailable)).OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.Unavailable));
}
