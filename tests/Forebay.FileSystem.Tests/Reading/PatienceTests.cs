using System.Diagnostics;
using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests.Reading;

/// <summary>How long a read waits: for its turn, for its bytes, and after a signal.</summary>
public sealed class PatienceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task AReadWaitsForItsTurnAsLongAsOthersGetBytes()
    {
        var time = new ManualTimeProvider();
        using var files = new OpenFiles(null!, null!, lenders: null, maxWaitingReads: 1);
        await files.TakePlaceAsync(Patience, TimeSpan.Zero, time, Ignore, CancellationToken.None);
        int cameForward = 0;
        Task next = files.TakePlaceAsync(Patience, TimeSpan.Zero, time, () => Interlocked.Increment(ref cameForward), CancellationToken.None).AsTask();
        for (int i = 0; i < 5; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 1, TimeSpan.FromSeconds(30)), "nothing waits");
            files.CountCold(1);
            time.Advance(Patience);
        }

        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 1, TimeSpan.FromSeconds(30)), "it gave up, though others got bytes");
        Assert.Equal(5, Volatile.Read(ref cameForward));
        files.GivePlaceBack();
        await next;
        Assert.Equal(6, Volatile.Read(ref cameForward));
    }

    [Fact]
    public async Task AReadThatGotItsTurnCountsAsNewToWhoLooksForRequestsThatHang()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { MaxWaitingReads = 1, PrefetchFileBytes = 0 });
        world.Memory.PutPattern("first", 100);
        world.Memory.PutPattern("second", 100);
        TaskCompletionSource[] releases = [new(), new()];
        world.Plan.On(UnderStoreCall.Read, 1, Fault.StallUntil(releases[0].Task)).On(UnderStoreCall.Read, 2, Fault.StallUntil(releases[1].Task));
        Task<Reply> first = StartReading(world, "first");
        Assert.True(SpinWait.SpinUntil(() => world.Plan.Calls(UnderStoreCall.Read) == 1, TimeSpan.FromSeconds(30)), "nothing was asked for");
        Task<Reply> second = StartReading(world, "second");
        Assert.True(SpinWait.SpinUntil(() => world.Kernel.LongestWait > TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(30)), "no wait is seen");

        long released = Stopwatch.GetTimestamp();
        releases[0].SetResult();
        await first;
        Assert.True(SpinWait.SpinUntil(() => world.Plan.Calls(UnderStoreCall.Read) == 2, TimeSpan.FromSeconds(30)), "the second one got no turn");

        Assert.InRange(world.Kernel.LongestWait, TimeSpan.Zero, Stopwatch.GetElapsedTime(released));
        releases[1].SetResult();
        world.AssertContent("second", 0, (await second).Body);
    }

    [Fact]
    public async Task AReadDoesNotWaitForItsTurnWhereNobodyGetsBytes()
    {
        var time = new ManualTimeProvider();
        using var files = new OpenFiles(null!, null!, lenders: null, maxWaitingReads: 1);
        await files.TakePlaceAsync(Patience, TimeSpan.Zero, time, Ignore, CancellationToken.None);
        Task next = files.TakePlaceAsync(Patience, TimeSpan.Zero, time, Ignore, CancellationToken.None).AsTask();
        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 1, TimeSpan.FromSeconds(30)), "nothing waits");

        time.Advance(Patience);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
        files.GivePlaceBack();
        await files.TakePlaceAsync(Patience, TimeSpan.Zero, time, Ignore, CancellationToken.None);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ASignalEndsAReadOnlyWhenItsBytesDoNotComeSoon(bool come)
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(time: time);
        world.Memory.PutPattern("file", 100);
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        var release = new TaskCompletionSource();
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.StallUntil(release.Task));

        Task<Reply> reply = world.Kernel.Start(FuseOpcode.Read, entry.NodeId, FakeKernel.Bytes(new FuseReadIn { Handle = handle, Size = 100 }), unique: 5_000);
        Assert.True(SpinWait.SpinUntil(() => world.Plan.Calls(UnderStoreCall.Read) > 0, TimeSpan.FromSeconds(30)), "nothing was asked for");
        world.Kernel.Interrupt(5_000);
        Assert.False(SpinWait.SpinUntil(() => reply.IsCompleted, TimeSpan.FromMilliseconds(200)), "it did not wait for its bytes");
        if (come)
        {
            release.SetResult();
            world.AssertContent("file", 0, (await reply).Body);
            return;
        }

        // A second at a time: the token of the request may be ended later than the signal was sent.
        for (int i = 0; i < 9 && !SpinWait.SpinUntil(() => reply.IsCompleted, TimeSpan.FromMilliseconds(200)); i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.True(reply.IsCompleted, "the signal was ignored");
        Assert.Equal(Errno.EINTR, (await reply).Errno);
        release.SetResult();
    }

    private static Task<Reply> StartReading(FileSystemWorld world, string path)
    {
        ulong nodeId = world.Kernel.Walk(path).NodeId;
        ulong handle = world.Kernel.Open(nodeId).Read<FuseOpenOut>().Handle;
        return world.Kernel.Start(FuseOpcode.Read, nodeId, FakeKernel.Bytes(new FuseReadIn { Handle = handle, Size = 100 }));
    }

    private static void Ignore()
    {
    }
}
