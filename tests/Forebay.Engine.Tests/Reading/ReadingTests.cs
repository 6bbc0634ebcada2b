using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Engine.Tests.Reading.NodeWorld;

namespace Forebay.Engine.Tests.Reading;

[Collection(NodeCollection.Name)]
public sealed class ReadingTests
{
    private const long Length = (5 << 20) + 12_345;

    [Fact]
    public async Task AColdReadIsExactAndASecondOneAsksNothing()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);

        await world.ReadExactAsync("a");
        long requests = world.Memory.Requests;
        await world.ReadExactAsync("a");

        Assert.Equal(Length, world.Memory.BytesRead);
        Assert.Equal(0, world.Memory.StatRequests);
        Assert.Equal(requests, world.Memory.Requests);
        Engine.Status.MountPointStatus status = world.Node.GetStatus().MountPoints[0];
        Assert.Equal((Length, Length, Length), (status.UnderStoreBytesRead, status.HitBytes, status.MissBytes));
    }

    [Fact]
    public async Task TheFirstRangedReadOfASmallObjectIsAlsoItsStat()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 1000, new ObjectHeaders { ContentType = "text/x" });

        using (IObjectReader reader = await world.OpenAsync("a", new ByteRange(0, long.MaxValue)))
        {
            Assert.Equal("text/x", reader.Stat.Headers!.ContentType);
            await NodeWorld.ReadExactAsync(reader, 0, 1000, world.Deadline);
        }

        await world.Data.StatAsync("a", null, world.Deadline);
        Assert.Equal(1, world.Memory.Requests);
    }

    [Fact]
    public async Task EmptyAndMissingObjectsAreToldApart()
    {
        await using NodeWorld world = new();
        world.Memory.Put("empty", []);

        using IObjectReader reader = await world.OpenAsync("empty", new ByteRange(0, long.MaxValue));
        ForebayException missing = await Assert.ThrowsAsync<ForebayException>(async () => await world.OpenAsync("missing", new ByteRange(0, 10)));

        Assert.Equal(0, reader.Stat.Length);
        Assert.Equal(0, await reader.ReadAsync(0, new byte[10], world.Deadline));
        Assert.Equal(ErrorKind.NotFound, missing.Kind);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(PageBytes - 1, 2)]
    [InlineData(PageBytes, PageBytes)]
    [InlineData(3_000_001, 1_500_003)]
    [InlineData(Length - 1, 1)]
    [InlineData(Length - 100, 5000)]
    public async Task AnyRangeIsExactColdAndHot(long offset, long length)
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);

        await world.ReadExactAsync("a", offset, length);
        long bytes = world.Memory.BytesRead;
        await world.ReadExactAsync("a", offset, length);

        Assert.Equal(bytes, world.Memory.BytesRead);
        Assert.InRange(bytes, 1, length + (2 * PageBytes));
    }

    [Fact]
    public async Task ManyColdReadersShareOneTrip()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        world.Memory.PutPattern("stated", Length);
        await world.Data.StatAsync("stated", null, world.Deadline);

        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => world.ReadExactAsync(i % 2 == 0 ? "a" : "stated"))));

        Assert.InRange(world.Memory.BytesRead, 2 * Length, (long)(2 * Length * 1.02));
        Assert.Equal(1, world.Memory.StatRequests);
    }

    [Fact]
    public async Task ReadersAtRandomPlacesShareOneTripToo()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        await world.Data.StatAsync("a", null, world.Deadline);

        await Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (int i = 0; i < 40; i++)
            {
                long offset = random.NextInt64(Length);
                await world.ReadExactAsync("a", offset, random.Next(1, 300_000));
            }
        })));
        await world.ReadExactAsync("a");

        Assert.Equal(Length, world.Memory.BytesRead);
    }

    [Fact]
    public async Task OneReaderThatGivesUpHarmsNoneAndTheLastOneStopsTheFill()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        await world.Data.StatAsync("a", null, world.Deadline);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Read, new Fault { AfterBytes = 100, ThenUntil = release.Task });
        using CancellationTokenSource impatient = new();

        IObjectReader first = await world.OpenAsync("a", new ByteRange(0, Length));
        IObjectReader second = await world.OpenAsync("a", new ByteRange(0, Length));
        Task<long> canceled = NodeWorld.ReadExactAsync(first, 0, Length, impatient.Token);
        Task<long> patient = NodeWorld.ReadExactAsync(second, 0, Length, world.Deadline);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);
        first.Dispose();
        release.SetResult();
        await patient;
        second.Dispose();
        Assert.Equal(Length, world.Memory.BytesRead);

        world.Plan.Clear();
        world.Memory.PutPattern("b", Length);
        await world.Data.StatAsync("b", null, world.Deadline);
        TaskCompletionSource never = new();
        world.Plan.OnEvery(UnderStoreCall.Read, new Fault { AfterBytes = 100, ThenUntil = never.Task });
        using CancellationTokenSource lonely = new();
        IObjectReader third = await world.OpenAsync("b", new ByteRange(0, Length));
        Task<long> left = NodeWorld.ReadExactAsync(third, 0, Length, lonely.Token);
        Await(() => world.Node.FillBuffers.Outstanding > 0, "a fill of b has begun");
        await lonely.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        third.Dispose();
        Await(() => world.Node.FillBuffers.Outstanding == 0, "the fills have stopped");

        world.Plan.Clear();
        await world.ReadExactAsync("b");
    }

    [Fact]
    public async Task ABrokenStreamIsTakenUpWhereItBroke()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 1 << 20);
        world.Plan.On(UnderStoreCall.Read, 1, Fault.TruncateAfter(300_000)).On(UnderStoreCall.Read, 2, Fault.TruncateAfter(200_001));

        await world.ReadExactAsync("a");

        Assert.Equal(3, world.Memory.ReadRequests);
        Assert.Equal(1 << 20, world.Memory.BytesRead);
        await world.ReadExactAsync("a");
        Assert.Equal(3, world.Memory.ReadRequests);
    }

    [Fact]
    public async Task AnOverwriteWhileReadingIsStaleAndNeverMixed()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        using (IObjectReader reader = await world.OpenAsync("a"))
        {
            await NodeWorld.ReadExactAsync(reader, 0, 1000, world.Deadline);
            ObjectStat replaced = world.Memory.PutPattern("a", Length);

            ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => NodeWorld.ReadExactAsync(reader, 0, Length, world.Deadline));

            Assert.Equal(ErrorKind.StaleVersion, error.Kind);
            Assert.NotEqual(replaced.Token, reader.Stat.Token);
        }

        using IObjectReader next = await world.OpenAsync("a", new ByteRange(0, Length));
        Assert.Equal(world.Memory.Peek("a")!.Token, next.Stat.Token);
        await NodeWorld.ReadExactAsync(next, 0, Length, world.Deadline);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(Length * 2)]
    public async Task AnObjectReplacedByOneOfAnotherLengthIsSeenWholeAfterARefresh(long newLength)
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        await world.ReadExactAsync("a");
        ObjectStat replaced = world.Memory.PutPattern("a", newLength);

        await world.Data.RefreshAsync("a", world.Deadline);
        using IObjectReader reader = await world.OpenAsync("a", new ByteRange(0, long.MaxValue));

        Assert.Equal(replaced.Token, reader.Stat.Token);
        await NodeWorld.ReadExactAsync(reader, 0, newLength, world.Deadline);
    }

    [Fact]
    public async Task ARemovedObjectIsStaleToItsReader()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        using IObjectReader reader = await world.OpenAsync("a");
        world.Memory.Delete("a");

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => NodeWorld.ReadExactAsync(reader, 0, Length, world.Deadline));

        Assert.Equal(ErrorKind.StaleVersion, error.Kind);
    }

    [Fact]
    public async Task BytesOfAStoreThatComparesVersionsAtTheEndAreShownOnlyThen()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 60_000);
        await world.Data.StatAsync("a", null, world.Deadline);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.On(UnderStoreCall.Read, 1, new Fault { IsProvisional = true, AfterBytes = 59_999, ThenUntil = release.Task });
        using IObjectReader reader = await world.OpenAsync("a", new ByteRange(0, 60_000));

        Task<FileSegment> segment = reader.GetSegmentAsync(0, 10, world.Deadline).AsTask();
        Await(() => world.Memory.BytesRead == 59_999, "all but the last byte arrived");
        Assert.False(segment.IsCompleted);
        release.SetResult();

        (await segment).Dispose();
        await NodeWorld.ReadExactAsync(reader, 0, 60_000, world.Deadline);
    }

    [Fact]
    public async Task ABrokenProvisionalReadIsReadAnew()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 1 << 20);
        world.Plan.On(UnderStoreCall.Read, 1, Fault.TruncateAfter(700_000) with { IsProvisional = true }).OnEvery(UnderStoreCall.Read, new Fault { IsProvisional = true });

        await world.ReadExactAsync("a");

        Assert.Equal(2, world.Memory.ReadRequests);
        Assert.Equal(700_000 + (1 << 20), world.Memory.BytesRead);
    }

    [Theory]
    [InlineData(128 << 20)]
    [InlineData(null)]
    public async Task AProvisionalReadThatTurnsOutStaleShowsNothing(int? quotaBytes)
    {
        await using NodeWorld world = new(quotaBytes: quotaBytes);
        world.Memory.PutPattern("a", 60_000);
        using IObjectReader reader = await world.OpenAsync("a");
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.StaleAfter(59_999) with { IsProvisional = true });

        byte[] buffer = new byte[100];
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(async () => await reader.ReadAsync(0, buffer, world.Deadline));

        Assert.Equal(ErrorKind.StaleVersion, error.Kind);
        Assert.All(buffer, b => Assert.Equal(0, b));
    }

    [Fact]
    public async Task AStoreThatRefusesEveryTimeIsAskedAsOftenAsTheOptionsSay()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        using IObjectReader reader = await world.OpenAsync("a");
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.Fail(ErrorKind.Unavailable));

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(async () => await reader.GetSegmentAsync(0, 10, world.Deadline));

        Assert.Equal(ErrorKind.Unavailable, error.Kind);
        Assert.Equal(Fill.MaxAttempts, world.Plan.Calls(UnderStoreCall.Read));
        world.Plan.Clear();
        await NodeWorld.ReadExactAsync(reader, 0, Length, world.Deadline);
    }

    [Fact]
    public async Task ARandomReaderFetchesItsPagesAndNoMore()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 64 << 20);
        using IObjectReader reader = await world.OpenAsync("a");

        for (int i = 0; i < 20; i++)
        {
            long offset = (i * 37 % 64 * (1L << 20)) + 40_000;
            await NodeWorld.ReadExactAsync(reader, offset, 4096, world.Deadline);
        }

        Await(() => world.Node.FillBuffers.Outstanding == 0, "nothing runs");
        Assert.Equal(20 * PageBytes, world.Memory.BytesRead);
    }

    [Fact]
    public async Task ASequentialReaderWithoutAHintIsReadAheadOf()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 64 << 20);
        using IObjectReader reader = await world.OpenAsync("a");

        for (long offset = 0; offset < 4 << 20; offset += 16 << 10)
        {
            await NodeWorld.ReadExactAsync(reader, offset, 16 << 10, world.Deadline);
        }

        Await(() => world.Node.FillBuffers.Outstanding == 0, "nothing runs");
        Assert.InRange(world.Memory.BytesRead, 5 << 20, 9 << 20);
        Assert.InRange(world.Memory.ReadRequests, 2, 24);
    }

    [Fact]
    public async Task AHitOnAWholeFileAllocatesNothing()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 4 * PageBytes);
        await world.ReadExactAsync("a");
        using IObjectReader reader = await world.OpenAsync("a", new ByteRange(0, 4 * PageBytes));

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                ValueTask<FileSegment> hit = reader.GetSegmentAsync(PageBytes + 3, 2 * PageBytes, default);
                if (!hit.IsCompletedSuccessfully)
                {
                    return -1;
                }

#pragma warning disable xUnit1031, VSTHRD103, MA0042, VSTHRD002 // it is completed
                hit.GetAwaiter().GetResult().Dispose();
#pragma warning restore xUnit1031, VSTHRD103, MA0042, VSTHRD002
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated();
        Assert.Equal(0, Allocated());
    }
}
