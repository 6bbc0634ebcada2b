using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Loading;
using Forebay.Testing;
using Xunit;
using static Forebay.Engine.Tests.Reading.NodeWorld;

namespace Forebay.Engine.Tests.Reading;

/// <summary>Objects larger than the tier, through the whole read path.</summary>
[Collection(NodeCollection.Name)]
public sealed class PartialReadingTests
{
    private const long Quota = 64 << 20;
    private const long Length = (4 * Quota) + 12_345;
    private const long Section = 2 << 20;

    [Fact]
    public async Task ASequentialReaderOfFourTimesTheQuotaFetchesEachByteOnce()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        world.Memory.PutPattern("large", Length);

        using IObjectReader reader = await world.OpenAsync("large", new ByteRange(0, Length));
        long inSegments = await NodeWorld.ReadExactAsync(reader, 0, Length, world.Deadline);

        Assert.Equal(Length, inSegments);
        Assert.Equal(Length, world.Memory.BytesRead);
        Assert.InRange(world.Tier.UsedBytes, Quota / 2, Quota + (Quota / 100));
        Assert.Equal((0, 0), (world.Tier.CorruptPages, world.Tier.IoErrors));
    }

    [Fact]
    public async Task RandomReadersFetchWhatTheShareOfTheCacheLeaves()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        world.Memory.PutPattern("large", Length);
        await world.Data.StatAsync("large", null, world.Deadline);
        const int Reads = 2_000;
        long wanted = 0;
        long before = 0;
        for (int round = 0; round < 2; round++)
        {
            before = world.Memory.BytesRead;
            wanted = 0;
            await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(async () =>
            {
                var random = new Random((round * 4) + seed);
                for (int i = 0; i < Reads; i++)
                {
                    long offset = random.NextInt64(Length / PageBytes) * PageBytes;
                    await world.ReadExactAsync("large", offset, PageBytes);
                    Interlocked.Add(ref wanted, PageBytes);
                }
            })));
        }

        Assert.InRange((world.Memory.BytesRead - before) / (double)wanted, 0.70, 0.84);
        Assert.InRange(world.Tier.UsedBytes, Quota / 2, Quota + (Quota / 100));
        Assert.Equal(0, world.Tier.CorruptPages);
    }

    [Fact]
    public async Task ReadsOfAnOpenFileAtManyPlacesAtOnceHoldWhatTheyRead()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        ObjectStat stat = world.Memory.PutPattern("large", Length);
        using IFileReader reader = world.Node.FindFiles("data")!.OpenVersion(stat with { Headers = null }, "request");

        await Task.WhenAll(Enumerable.Range(0, 4).Select(part => Task.Run(async () =>
        {
            byte[] buffer = new byte[1 << 20];
            for (long offset = part * Quota; offset < (part + 1) * Quota; offset += buffer.Length)
            {
                int count = await reader.ReadAsync(offset, buffer, world.Deadline);
                Assert.Equal(buffer.Length, count);
                Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(offset, buffer));
            }
        })));

        Assert.InRange(world.Tier.UsedBytes, Quota / 2, Quota + (Quota / 100));
        Assert.Equal(0, world.Tier.CorruptPages);
    }

    [Fact]
    public async Task ManySequentialReadersAtOnceSeeExactBytes()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        world.Memory.PutPattern("large", Length);
        world.Memory.PutPattern("small", 3 << 20);

        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
        {
            for (int pass = 0; pass < 2; pass++)
            {
                long start = i * Quota / 2;
                await world.ReadExactAsync("large", start, Quota);
                await world.ReadExactAsync("small");
            }
        })));

        Assert.Equal(0, world.Tier.CorruptPages);
        Assert.InRange(world.Tier.UsedBytes, 1, Quota + (Quota / 100));
    }

    /// <summary>A section is chosen to leave before its pages are forgotten: readers wait without a thread for it, and give nothing up.</summary>
    [Fact]
    public async Task ReadersOfASectionThatIsBeingPunchedWaitForIt()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        ObjectStat stat = world.Memory.PutPattern("large", Length);
        await world.ReadExactAsync("large", Section, Section);
        using IFileReader file = world.Node.FindFiles("data")!.OpenVersion(stat with { Headers = null }, "request");
        using IObjectReader reader = await world.OpenAsync("large", new ByteRange(Section, PageBytes));
        using CancellationTokenSource stop = new();
        CacheFile cached = world.Node.Cache.Find(new ObjectVersion(world.Memory.Id, "large", stat.Token, stat.Length))!;
        Await(() => cached.TryCloseSection(1), "all fills have ended");
        long fetched = world.Memory.BytesRead;
        byte[] bytes = new byte[PageBytes];
        byte[] others = new byte[PageBytes];

        Task<int> read;
        Task<int> copied;
        try
        {
            read = await Task.Factory.StartNew(() => file.ReadAsync(Section, bytes, world.Deadline).AsTask(), default, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(TimeSpan.FromSeconds(10));
            copied = reader.ReadAsync(Section, others, world.Deadline).AsTask();
            Task<int> givenUp = file.ReadAsync(Section, new byte[10], stop.Token).AsTask();
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
            Assert.False(read.IsCompleted || copied.IsCompleted);
            Assert.Equal(fetched, world.Memory.BytesRead);
        }
        finally
        {
            cached.Punch(1);
        }

        Assert.Equal((PageBytes, PageBytes), (await read, await copied));
        Assert.Equal((-1, -1), (InMemoryUnderStore.PatternOf(stat).FirstMismatch(Section, bytes), InMemoryUnderStore.PatternOf(stat).FirstMismatch(Section, others)));
        Assert.Equal(0, world.Tier.BypassedBytes);
        Assert.True(world.Memory.BytesRead > fetched, "no page had left, so nothing was proved");
    }

    [Fact]
    public async Task ALoadOfWhatCannotBeWholeFailsAtOnce()
    {
        await using NodeWorld world = new(quotaBytes: Quota);
        world.Memory.PutPattern("large", Length);
        await world.ReadExactAsync("large", 0, PageBytes);
        long bytes = world.Memory.BytesRead;

        LoadStatus load = await world.Node.StartLoadAsync(new LoadRequest(["/data/large"]), world.Deadline);
        Await(() => (load = world.Node.FindLoad(load.Id)!).State != LoadState.Running, "the load ends");

        Assert.Contains("cannot be stored", load.LastError, StringComparison.Ordinal);
        Assert.Equal(bytes, world.Memory.BytesRead);
    }
}
