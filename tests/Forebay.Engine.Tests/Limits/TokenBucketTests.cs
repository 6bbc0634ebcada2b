#pragma warning disable CA2012, xUnit1031, VSTHRD002 // These tests look at whether a grant is there at once; each ValueTask is still awaited at most once.
using System.Diagnostics;
using Forebay.Engine.Limits;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.Engine.Tests.Limits;

public sealed class TokenBucketTests(ITestOutputHelper output)
{
    private readonly LimitsClock _clock = new();

    [Fact]
    public async Task AFlowTakesExactlyAsLongAsItsRateSays()
    {
        var bucket = new TokenBucket(10_000_000, _clock);
        long moved = 0;

        while (_clock.Elapsed < TimeSpan.FromSeconds(10))
        {
            moved += await RunAsync(bucket.AcquireAsync(64 << 10, CancellationToken.None));
        }

        // At most the burst of 25 ms and the last grant above the rate, never below it.
        Assert.InRange(moved, 100_000_000, 100_000_000 + 250_000 + (2 * 65_536));
    }

    [Fact]
    public void OneUnitIsTakenAtOnceOrNotAtAll()
    {
        var bucket = new TokenBucket(20, TimeSpan.FromSeconds(5), maxGrant: 1, _clock);

        Assert.Equal(101, Enumerable.Range(0, 1_000).Count(_ => bucket.TryAcquire()));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(20, Enumerable.Range(0, 1_000).Count(_ => bucket.TryAcquire()));
    }

    [Fact]
    public async Task TheBurstAfterAPauseIsTwentyFiveMillisecondsAndOneGrant()
    {
        var bucket = new TokenBucket(40_000_000, _clock);
        _clock.Advance(TimeSpan.FromHours(1));
        long burst = 0;

        while (bucket.AcquireAsync(100_000, CancellationToken.None) is { IsCompleted: true } grant)
        {
            burst += await grant;
        }

        // 25 ms of 40 MB/s are 1 MB; the grant that begins exactly at "now" is the one on top.
        Assert.Equal(1_100_000, burst);
    }

    [Fact]
    public async Task AGrantIsNeverLargerThanATwentyMillisecondShareOrOneMebibyte()
    {
        Assert.Equal(1 << 20, await new TokenBucket(600_000_000, _clock).AcquireAsync(long.MaxValue, CancellationToken.None));
        Assert.Equal(20_000, await new TokenBucket(1_000_000, _clock).AcquireAsync(long.MaxValue, CancellationToken.None));
        Assert.Equal(16_384, await new TokenBucket(1, _clock).AcquireAsync(long.MaxValue, CancellationToken.None));
        Assert.Equal(7, await new TokenBucket(600_000_000, _clock).AcquireAsync(7, CancellationToken.None));
    }

    [Fact]
    public async Task WhatAStalledSchedulerTookFromAFlowAtItsLimitIsCaughtUp()
    {
        var bucket = new TokenBucket(10_000_000, _clock);
        long moved = 0;

        for (int i = 0; _clock.Elapsed < TimeSpan.FromSeconds(10); i++)
        {
            moved += await RunAsync(bucket.AcquireAsync(64 << 10, CancellationToken.None));
            if (i % 50 == 49)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(150));
            }
        }

        Assert.InRange(moved, 98_500_000, 100_500_000);
    }

    [Fact]
    public async Task WaitersAreServedInTheOrderInWhichTheyAsked()
    {
        var bucket = new TokenBucket(1_000_000, TimeSpan.Zero, maxGrant: 10_000, _clock);
        var order = new List<int>();
        _ = await bucket.AcquireAsync(10_000, CancellationToken.None);

        Task[] waiters = [.. Enumerable.Range(0, 5).Select(async i =>
        {
            _ = await bucket.AcquireAsync(10_000, CancellationToken.None);
            lock (order)
            {
                order.Add(i);
            }
        })];
        for (int i = 0; i < 5; i++)
        {
            Assert.False(waiters[i].IsCompleted, $"waiter {i} must not be served before its time");
            _clock.Advance(TimeSpan.FromMilliseconds(10));
            await waiters[i].WaitAsync(TimeSpan.FromSeconds(10));
        }

        Assert.Equal([0, 1, 2, 3, 4], order);
    }

    [Fact]
    public async Task ACancelledWaiterGivesItsUnitsBack()
    {
        var bucket = new TokenBucket(1_000, TimeSpan.Zero, maxGrant: 1_000, _clock);
        _ = await bucket.AcquireAsync(1_000, CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        ValueTask<long> abandoned = bucket.AcquireAsync(1_000, cancellation.Token);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await abandoned);
        ValueTask<long> next = bucket.AcquireAsync(1_000, CancellationToken.None);
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(1_000, await next.AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task ReturnedUnitsAreNotCharged()
    {
        var bucket = new TokenBucket(1_000, TimeSpan.Zero, maxGrant: 1_000, _clock);
        _ = await bucket.AcquireAsync(1_000, CancellationToken.None);

        bucket.Return(1_000);

        Assert.True(bucket.AcquireAsync(1, CancellationToken.None).IsCompleted, "what was not moved must not be waited for");
    }

    [Fact]
    public void BelowTheRateNothingIsAllocated()
    {
        var bucket = new TokenBucket(long.MaxValue / 1024, TimeProvider.System);
        _ = bucket.AcquireAsync(1024, CancellationToken.None).Result;

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            _ = bucket.AcquireAsync(1024, CancellationToken.None).Result;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task OnTheRealClockEightFlowsShareSixHundredMegabytesASecond()
    {
        // Short, so that it can run always; lateness only ever lowers the figure, so the bound below is generous and the one above strict.
        // A test host keeps pool threads blocked: without more of them this would measure the pool's growth instead.
        ThreadPool.SetMinThreads(16, 16);
        const long Rate = 600_000_000;
        var bucket = new TokenBucket(Rate, TimeProvider.System);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(double.Parse(Environment.GetEnvironmentVariable("FOREBAY_LIMIT_SECONDS") ?? "1")));
        long start = Stopwatch.GetTimestamp();
        long[] moved = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => PumpAsync(bucket, (64 << 10) << (i % 5), stop.Token))));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        double ratio = moved.Sum() / (Rate * seconds);
        output.WriteLine($"{ratio:0.0000} of the rate over {seconds:0.0} s; flows {string.Join(' ', moved.Select(m => m / 1_000_000))} MB");
        Assert.InRange(ratio, 0.8, 1.0 + (0.04 / seconds));
    }

    private static async Task<long> PumpAsync(TokenBucket bucket, long piece, CancellationToken stop)
    {
        long moved = 0;
        while (!stop.IsCancellationRequested)
        {
            moved += await bucket.AcquireAsync(piece, CancellationToken.None);
        }

        return moved;
    }

    private async Task<long> RunAsync(ValueTask<long> grant)
    {
        Task<long> task = grant.AsTask();
        if (!task.IsCompleted)
        {
            Assert.True(_clock.AdvanceToNextTimer(), "a wait must have a timer");
        }

        return await task.WaitAsync(TimeSpan.FromSeconds(10));
    }
}
