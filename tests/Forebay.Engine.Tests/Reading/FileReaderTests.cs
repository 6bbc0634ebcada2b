using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Reading;

[Collection(NodeCollection.Name)]
public sealed class FileReaderTests
{
    private const long Length = (24 << 20) + 12_345;

    [Fact]
    public async Task ManyReadAtOnceAndEachByteIsFetchedOnce()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);

        await Parallel.ForEachAsync(Enumerable.Range(0, 400), world.Deadline, async (i, token) =>
        {
            long offset = new Random(i).NextInt64(Length);
            await ReadExactAsync(reader, stat, offset, new Random(i).Next(1, 300_000), token);
        });
        await ReadExactAsync(reader, stat, 0, (int)Length, world.Deadline);

        Assert.Equal(Length, world.Memory.BytesRead);
        Assert.Equal(0, world.Memory.StatRequests);
    }

    [Fact]
    public async Task AStreamWhoseReadsArriveOutOfOrderIsReadAheadForAsOneInOrder()
    {
        long inOrder = await RequestsOfStreamAsync(swap: false);
        long swapped = await RequestsOfStreamAsync(swap: true);

        Assert.True(swapped <= inOrder + (inOrder / 2) + 8, $"{swapped} requests out of order, {inOrder} in order");
        Assert.True(inOrder < Length / NodeWorld.PageBytes / 2, $"{inOrder} requests in order");
    }

    [Theory]
    [InlineData(128)]
    [InlineData(16)]
    public async Task AStridedReaderFetchesWhatItReadsAndLittleMore(int quotaMebibytes)
    {
        await using NodeWorld world = new(quotaBytes: (long)quotaMebibytes << 20);
        ObjectStat stat = world.Memory.PutPattern("a", 100 << 20);
        using (IFileReader reader = Open(world, stat))
        {
            for (long at = 0; at < 100 << 20; at += 5 << 20)
            {
                await ReadExactAsync(reader, stat, at, 4096, world.Deadline);
            }
        }

        // With room in the cache or past it: pages, not windows.
        Assert.InRange(world.Memory.BytesRead, 1, 40 * NodeWorld.PageBytes);
    }

    /// <summary>A mount may hold thousands of files open past the cache.</summary>
    [Fact]
    public async Task AnOpenFileThatWasReadAtRandomPastTheCacheHoldsNoBuffer()
    {
        await using NodeWorld world = new(quotaBytes: null);
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        List<IFileReader> open = [];
        for (int i = 0; i < 100; i++)
        {
            open.Add(Open(world, stat));
            await ReadExactAsync(open[^1], stat, (i * 100_000) + 1, 4096, world.Deadline);
        }

        NodeWorld.Await(() => world.Node.PassThroughBuffers.Outstanding == 0, "all buffers are back");
        open.ForEach(reader => reader.Dispose());
    }

    [Fact]
    public async Task BytesThatAreThereAreGivenWithoutAllocating()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", 1 << 20);
        using IFileReader reader = Open(world, stat);
        Assert.False(reader.TryGetSegment(0, 4096, out _));
        await ReadExactAsync(reader, stat, 0, 1 << 20, world.Deadline);
        NodeWorld.Await(() => Take(reader), "the fill has ended");

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            Take(reader);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(reader.TryGetSegment((1 << 20) - 10, 4096, out FileSegment last));
        Assert.Equal(10, last.Length);
        last.Dispose();
    }

    [Fact]
    public async Task AVersionThatIsGoneIsStaleNeverMixed()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);
        await ReadExactAsync(reader, stat, 0, 4096, world.Deadline);
        var told = new List<string>();
        world.Node.FindFiles("data")!.WatchForgotten(told.Add);

        world.Memory.PutPattern("a", Length);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(async () => await reader.ReadAsync(Length - 10, new byte[10], world.Deadline));
        Assert.Equal(ErrorKind.StaleVersion, error.Kind);
        Assert.Contains("a", told);
        await ReadExactAsync(reader, stat, 0, 4096, world.Deadline);
    }

    [Fact]
    public async Task WithoutATierReadsAreServedThrough()
    {
        await using NodeWorld world = new(quotaBytes: null);
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);

        await Parallel.ForEachAsync(Enumerable.Range(0, 20), world.Deadline, async (i, token) => await ReadExactAsync(reader, stat, i * 1_000_000L, 200_000, token));
    }

    [Fact]
    public async Task AWholeFileIsGivenWithAReferenceAndOnlyThen()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", 1_000_000);
        IFileMountPoint mount = world.Node.FindFiles("data")!;

        Assert.False(mount.TryTakeWhole(stat, out _));
        Assert.Equal(1_000_000, await mount.BringAsync(stat, world.Deadline));
        Assert.Equal(0, await mount.BringAsync(stat, world.Deadline));

        Assert.True(mount.TryTakeWhole(stat, out FileSegment file));
        Assert.Equal((0, 1_000_000), (file.Offset, file.Length));
        Assert.Equal(1_000_000, mount.CachedBytesOf(stat));
        file.Dispose();
        Assert.False(mount.TryTakeWhole(stat with { Token = new VersionToken("\"other\"") }, out _));
    }

    /// <summary>Reads by two requests at a time, as a kernel's read-ahead sends them; swapped: the second of each pair arrives first.</summary>
    private static async Task<long> RequestsOfStreamAsync(bool swap)
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);
        const int Size = 128 << 10;
        for (long at = 0; at + (2 * Size) <= Length; at += 2 * Size)
        {
            await ReadExactAsync(reader, stat, swap ? at + Size : at, Size, world.Deadline);
            await ReadExactAsync(reader, stat, swap ? at : at + Size, Size, world.Deadline);
        }

        return world.Memory.ReadRequests;
    }

    private static bool Take(IFileReader reader)
    {
        bool taken = reader.TryGetSegment(4096, 500_000, out FileSegment segment);
        segment.Dispose();
        return taken;
    }

    private static IFileReader Open(NodeWorld world, ObjectStat stat) => world.Node.FindFiles("data")!.OpenVersion(stat with { Headers = null }, "request");

    private static async Task ReadExactAsync(IFileReader reader, ObjectStat stat, long offset, int size, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[size];
        int count = await reader.ReadAsync(offset, buffer, cancellationToken);
        Assert.Equal(Math.Min(size, stat.Length - offset), count);
        Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(offset, buffer.AsSpan(0, count)));
    }
}
