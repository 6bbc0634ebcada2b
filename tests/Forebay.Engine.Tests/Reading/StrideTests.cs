using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Reading;

/// <summary>Readers that take pieces at a constant distance, seen from the source.</summary>
[Collection(NodeCollection.Name)]
public sealed class StrideTests
{
    private const int Piece = 4096;
    private const long Length = 100 << 20;

    [Theory]
    [InlineData(0, 5 << 20)]
    [InlineData(95 << 20, -(5 << 20))]
    [InlineData(1 << 20, 1 << 20)]
    public async Task AfterThreePiecesTheNextOnesAreFetchedBeforeTheyAreRead(long first, long stride)
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);
        using IFileReader peek = Open(world, stat);

        await ReadAsync(world, reader, stat, first);
        await ReadAsync(world, reader, stat, first + stride);
        Assert.False(IsThere(peek, first + (2 * stride)));
        await ReadAsync(world, reader, stat, first + (2 * stride));

        NodeWorld.Await(() => IsThere(peek, first + (3 * stride)), "the next piece is there");
        Assert.False(IsThere(peek, first + (3 * stride) + (NodeWorld.PageBytes * Math.Sign(stride))), "more than the piece was fetched");
        await ReadAsync(world, reader, stat, first + (3 * stride));
        NodeWorld.Await(() => IsThere(peek, first + (6 * stride)), "more pieces come the longer it goes on");
    }

    [Fact]
    public async Task APieceOfSeveralReadsIsFetchedWhole()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using IFileReader reader = Open(world, stat);
        using IFileReader peek = Open(world, stat);
        const int Reads = 4;
        for (long at = 0; at < 4 * (10L << 20); at += 10 << 20)
        {
            for (int i = 0; i < Reads; i++)
            {
                await ReadAsync(world, reader, stat, at + (i * NodeWorld.PageBytes), NodeWorld.PageBytes);
            }
        }

        for (int i = 0; i < Reads; i++)
        {
            long at = (40L << 20) + (i * NodeWorld.PageBytes);
            NodeWorld.Await(() => IsThere(peek, at), $"page {i} of the next piece is there");
        }
    }

    [Fact]
    public async Task AReaderWithoutAStrideFetchesOnlyWhatItReads()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        long[] offsets = [0, 5, 11, 18, 26, 35, 45, 56, 68, 81, 95];
        using (IFileReader reader = Open(world, stat))
        {
            foreach (long offset in offsets)
            {
                await ReadAsync(world, reader, stat, offset << 20);
            }
        }

        Assert.InRange(world.Memory.BytesRead, 1, offsets.Length * (long)NodeWorld.PageBytes);
    }

    [Fact]
    public async Task AStrideThatEndsWastesNoMoreThanItsPiecesAhead()
    {
        await using NodeWorld world = new();
        ObjectStat stat = world.Memory.PutPattern("a", Length);
        using (IFileReader reader = Open(world, stat))
        {
            foreach (long offset in (long[])[0, 5, 10, 15, 20, 61, 3, 77])
            {
                await ReadAsync(world, reader, stat, offset << 20);
            }
        }

        Assert.InRange(world.Memory.BytesRead, 8 * NodeWorld.PageBytes, (8 + 8) * NodeWorld.PageBytes);
    }

    private static bool IsThere(IFileReader peek, long offset)
    {
        bool isThere = peek.TryGetSegment(offset, Piece, out FileSegment segment);
        segment.Dispose();
        return isThere;
    }

    private static async Task ReadAsync(NodeWorld world, IFileReader reader, ObjectStat stat, long offset, int size = Piece)
    {
        byte[] buffer = new byte[size];
        Assert.Equal(size, await reader.ReadAsync(offset, buffer, world.Deadline));
        Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(offset, buffer));
    }

    private static IFileReader Open(NodeWorld world, ObjectStat stat) => world.Node.FindFiles("data")!.OpenVersion(stat with { Headers = null }, "request");
}
