#pragma warning disable CA2012, xUnit1031, VSTHRD002 // These tests look at whether a grant is there at once; each ValueTask is still awaited at most once.
using Forebay.Engine.Limits;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Limits;

public sealed class EgressLimitsTests
{
    private readonly LimitsClock _clock = new();

    [Fact]
    public async Task WithoutLimitsAnyPieceLeavesAtOnce()
    {
        var limits = new EgressLimits(new LimitOptions(), _clock);

        EgressFlow flow = limits.Begin(limits.Connect(), "key");

        Assert.True(flow.IsUnlimited);
        Assert.Equal(1L << 40, await flow.AcquireAsync(1L << 40, CancellationToken.None));
    }

    [Theory]
    [InlineData(1_000_000, null, null)]
    [InlineData(null, 1_000_000, null)]
    [InlineData(null, null, 1_000_000)]
    [InlineData(2_000_000, 1_000_000, 3_000_000)]
    public async Task TheNarrowestLimitHolds(int? node, int? connection, int? key)
    {
        var limits = new EgressLimits(
            new LimitOptions { EgressBytesPerSecond = node, ConnectionBytesPerSecond = connection, AccessKeyBytesPerSecond = key }, _clock);
        EgressFlow flow = limits.Begin(limits.Connect(), "key");

        long moved = await DriveAsync(flow, TimeSpan.FromSeconds(10));

        Assert.InRange(moved, 10_000_000, 10_100_000);
    }

    [Fact]
    public async Task ConnectionsOfOneKeyShareItsRateAndAnotherKeyHasItsOwn()
    {
        var limits = new EgressLimits(new LimitOptions { AccessKeyBytesPerSecond = 1_000_000 }, _clock);
        EgressFlow first = limits.Begin(limits.Connect(), "a");
        EgressFlow second = limits.Begin(limits.Connect(), "a");
        EgressFlow other = limits.Begin(limits.Connect(), "b");

        while (first.AcquireAsync(10_000, CancellationToken.None).IsCompleted)
        {
        }

        Assert.False(second.AcquireAsync(1, CancellationToken.None).IsCompleted, "the key's other connection must wait as well");
        Assert.True(other.AcquireAsync(1, CancellationToken.None).IsCompleted, "another key must not wait");
        Assert.Equal(1, await limits.Begin(limits.Connect(), accessKey: null).AcquireAsync(1, CancellationToken.None));
    }

    [Fact]
    public void AKeysOwnRateGoesBeforeTheNodesSetting()
    {
        var limits = new EgressLimits(new LimitOptions { AccessKeyBytesPerSecond = 1 }, _clock);
        _clock.Advance(TimeSpan.FromSeconds(1));
        EgressFlow flow = limits.Begin(limits.Connect(), "vip", accessKeyBytesPerSecond: 1_000_000_000);

        // 10 MB lie within 25 ms of 1 GB/s; at 1 B/s the second piece would wait.
        for (int i = 0; i < 10; i++)
        {
            Assert.True(flow.AcquireAsync(1_000_000, CancellationToken.None).IsCompleted);
        }
    }

    [Fact]
    public void TheTableOfKeysIsBounded()
    {
        var limits = new EgressLimits(new LimitOptions { AccessKeyBytesPerSecond = 1_000_000 }, _clock);

        for (int i = 0; i < EgressLimits.MaxAccessKeys * 3; i++)
        {
            EgressFlow flow = limits.Begin(limits.Connect(), $"key-{i}");
            _ = flow.AcquireAsync(1_000_000, CancellationToken.None);
        }

        Assert.Equal(EgressLimits.MaxAccessKeys, limits.AccessKeyCount);
        _clock.Advance(TimeSpan.FromMinutes(1));
        _ = limits.Begin(limits.Connect(), "late");
        Assert.Equal(1, limits.AccessKeyCount);
    }

    [Fact]
    public async Task CancellingWhileTheNodeIsBusyGivesTheConnectionItsBytesBack()
    {
        var limits = new EgressLimits(new LimitOptions { EgressBytesPerSecond = 1_000_000, ConnectionBytesPerSecond = 1_000_000 }, _clock);
        EgressFlow busy = limits.Begin(limits.Connect(), null);
        while (busy.AcquireAsync(16_384, CancellationToken.None).IsCompleted)
        {
        }

        EgressConnection connection = limits.Connect();
        EgressFlow flow = limits.Begin(connection, null);
        for (int i = 0; i < 100; i++)
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask<long> pending = flow.AcquireAsync(16_384, cancellation.Token);
            Assert.False(pending.IsCompleted);
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await pending);
        }

        Assert.True(connection.Bucket!.AcquireAsync(16_384, CancellationToken.None).IsCompleted, "nothing left on this connection");
    }

    private Task<long> DriveAsync(EgressFlow flow, TimeSpan time) => Task.Run(async () =>
    {
        long moved = 0;
        TimeSpan end = _clock.Elapsed + time;
        while (_clock.Elapsed < end)
        {
            Task<long> grant = flow.AcquireAsync(1 << 20, CancellationToken.None).AsTask();
            while (!grant.IsCompleted && _clock.AdvanceToNextTimer())
            {
            }

            moved += await grant.WaitAsync(TimeSpan.FromSeconds(10));
        }

        return moved;
    });
}
