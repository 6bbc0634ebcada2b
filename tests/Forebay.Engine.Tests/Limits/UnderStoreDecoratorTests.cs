#pragma warning disable CA1001 // The scripted store holds nothing to dispose.
using Forebay.Core;
using Forebay.Engine.Limits;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Limits;

public sealed class UnderStoreDecoratorTests
{
    private static readonly FillOptions Fill = new();
    private readonly LimitsClock _clock = new();
    private readonly ScriptedUnderStore _store = new(new byte[4_000_000]);

    [Theory]
    [InlineData(ErrorKind.Throttled)]
    [InlineData(ErrorKind.Unavailable)]
    [InlineData(ErrorKind.Timeout)]
    public async Task APassingErrorIsRetriedWithGrowingDelays(ErrorKind kind)
    {
        _store.ThenFail(kind).ThenFail(kind).ThenFail(kind);
        var sut = new RetryingUnderStore(_store, Fill, _clock, random: () => 1.0);

        ObjectStat stat = await RunAsync(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal("k", stat.Key);
        Assert.Equal(4, _store.Calls);
        Assert.Equal(TimeSpan.FromMilliseconds(50 + 100 + 200), _clock.Elapsed);
    }

    [Theory]
    [InlineData(ErrorKind.NotFound)]
    [InlineData(ErrorKind.AccessDenied)]
    [InlineData(ErrorKind.StaleVersion)]
    [InlineData(ErrorKind.InvalidRange)]
    public async Task AnAnswerIsNotRetried(ErrorKind kind)
    {
        _store.ThenFail(kind);
        var sut = new RetryingUnderStore(_store, Fill, _clock);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => sut.ReadAsync("k", new ByteRange(0, 1), null, null, CancellationToken.None));

        Assert.Equal((kind, 1), (error.Kind, _store.Calls));
    }

    [Fact]
    public async Task AttemptsAreBounded()
    {
        for (int i = 0; i < 20; i++)
        {
            _store.ThenFail(ErrorKind.Unavailable);
        }

        var sut = new RetryingUnderStore(_store, Fill with { MaxAttempts = 3 }, _clock);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => RunAsync(() => sut.ListAsync(new ListQuery("", null, null, 1), null, CancellationToken.None)));

        Assert.Equal((ErrorKind.Unavailable, 3), (error.Kind, _store.Calls));
    }

    [Fact]
    public async Task RetryAfterIsHonoured()
    {
        _store.ThenFail(ErrorKind.Throttled, TimeSpan.FromSeconds(7));
        var sut = new RetryingUnderStore(_store, Fill, _clock, random: () => 0);

        await RunAsync(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal(TimeSpan.FromSeconds(7), _clock.Elapsed);
    }

    [Fact]
    public async Task ADelayBeyondTheDeadlineEndsTheOperationNow()
    {
        _store.ThenFail(ErrorKind.Throttled, TimeSpan.FromMinutes(5));
        var sut = new RetryingUnderStore(_store, Fill, _clock);

        await Assert.ThrowsAsync<ForebayException>(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    }

    [Fact]
    public async Task AStoreThatHangsIsCutOffPerAttemptAndTriedAgain()
    {
        _store.ThenHang().ThenHang();
        var counters = new UnderStoreCounters(_clock);
        var sut = RetryingUnderStore.Compose(_store, MountPoint(), Fill, counters, _clock);

        await RunAsync(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal(3, _store.Calls);
        Assert.InRange(_clock.Elapsed, Fill.FirstByteTimeout * 2, (Fill.FirstByteTimeout * 2) + TimeSpan.FromSeconds(1));
        Assert.Equal((3L, 2L, ErrorKind.Timeout), (counters.Requests, counters.Errors, counters.LastError?.Kind));
    }

    [Fact]
    public async Task OperationTimeoutBoundsAllAttempts()
    {
        for (int i = 0; i < 20; i++)
        {
            _store.ThenHang();
        }

        var sut = RetryingUnderStore.Compose(
            _store, MountPoint(), Fill with { OperationTimeout = TimeSpan.FromSeconds(40), MaxAttempts = 10 }, new UnderStoreCounters(_clock), _clock);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => RunAsync(() => sut.StatAsync("k", null, CancellationToken.None)));

        Assert.Equal(ErrorKind.Timeout, error.Kind);
        Assert.Equal(TimeSpan.FromSeconds(40), _clock.Elapsed);
    }

    [Fact]
    public async Task TheCallersCancellationIsNotATimeout()
    {
        _store.ThenHang();
        using var cancellation = new CancellationTokenSource();
        var sut = RetryingUnderStore.Compose(_store, MountPoint(), Fill, new UnderStoreCounters(_clock), _clock);
        Task<ObjectStat> pending = sut.StatAsync("k", null, cancellation.Token);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending);
        Assert.Equal(1, _store.Calls);
    }

    [Fact]
    public async Task AStalledBodyTimesOutAndABodyThatTricklesDoesNot()
    {
        var sut = new DeadlineUnderStore(_store, Fill.FirstByteTimeout, Fill.IdleTimeout, _clock);
        await using UnderStoreRead read = await sut.ReadAsync("k", new ByteRange(0, 1_000), null, null, CancellationToken.None);
        _store.BeforeBodyRead = async token => await Task.Delay(Fill.IdleTimeout - TimeSpan.FromSeconds(1), _clock, token);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(10, await RunAsync(() => read.ReadAsync(new byte[10], CancellationToken.None).AsTask()));
        }

        _store.BeforeBodyRead = async token => await Task.Delay(Timeout.InfiniteTimeSpan, _clock, token);
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => RunAsync(() => read.ReadAsync(new byte[10], CancellationToken.None).AsTask()));

        Assert.Equal(ErrorKind.Timeout, error.Kind);
        Assert.Equal(0, _clock.ArmedTimers);
    }

    [Fact]
    public async Task BytesAreChargedAsTheyStream()
    {
        var counters = new UnderStoreCounters(_clock);
        var sut = RetryingUnderStore.Compose(_store, MountPoint() with { UnderStoreBytesPerSecond = 1_000_000 }, Fill, counters, _clock);
        await using UnderStoreRead read = await sut.ReadAsync("k", new ByteRange(0, 4_000_000), null, null, CancellationToken.None);
        byte[] buffer = new byte[1 << 20];
        long total = 0;

        for (int count; (count = await RunAsync(() => read.ReadAsync(buffer, CancellationToken.None).AsTask())) > 0;)
        {
            total += count;
        }

        Assert.Equal((4_000_000L, 4_000_000L), (total, counters.BytesRead));
        Assert.InRange(_clock.Elapsed.TotalSeconds, 3.9, 4.1);
    }

    [Fact]
    public async Task RequestsAreSpacedAndRetriesCountAsRequests()
    {
        for (int i = 0; i < 4; i++)
        {
            _store.ThenFail(ErrorKind.Unavailable);
        }

        var counters = new UnderStoreCounters(_clock);
        var sut = RetryingUnderStore.Compose(
            _store,
            MountPoint() with { UnderStoreRequestsPerSecond = 2 },
            Fill with { RetryBaseDelay = TimeSpan.FromMilliseconds(1), RetryMaxDelay = TimeSpan.FromMilliseconds(1) },
            counters,
            _clock);

        await RunAsync(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal((5L, 4L), (counters.Requests, counters.Errors));
        Assert.InRange(_clock.Elapsed.TotalSeconds, 1.8, 2.1);
    }

    [Fact]
    public async Task NotFoundIsAnAnswerAndCountsNoError()
    {
        _store.ThenFail(ErrorKind.NotFound);
        var counters = new UnderStoreCounters(_clock);
        var sut = new MeteredUnderStore(_store, counters);

        await Assert.ThrowsAsync<ForebayException>(() => sut.StatAsync("k", null, CancellationToken.None));

        Assert.Equal((1L, 0L, (UnderStoreError?)null), (counters.Requests, counters.Errors, counters.LastError));
    }

    [Fact]
    public void TheOpenFileBudgetNeverExceedsItsLimit()
    {
        foreach (int limit in new[] { 256, 1_024, 20_000, 1 << 20 })
        {
            OpenFileBudget budget = OpenFileBudget.Split(limit, wantedConnections: 10_000, underStoreConnections: 64);
            Assert.True(budget.Reserved + budget.Connections + budget.CachedFiles <= limit, budget.ToString());
            Assert.All([budget.Reserved, budget.Connections, budget.CachedFiles], part => Assert.True(part > 0, budget.ToString()));
        }

        Assert.Throws<ForebayException>(() => OpenFileBudget.Split(100, 10, 10));
        Assert.True(OpenFileBudget.Raise(100, 64).CachedFiles > 0);
    }

    private static MountPointOptions MountPoint() => new() { Name = "data", Source = "test://scripted" };

    // On the pool there is no synchronization context, so continuations run inside the timer that causes them: nothing races with the clock.
    private Task<T> RunAsync<T>(Func<Task<T>> operation) => Task.Run(async () =>
    {
        Task<T> task = operation();
        while (!task.IsCompleted && _clock.AdvanceToNextTimer())
        {
        }

        return await task.WaitAsync(TimeSpan.FromSeconds(10));
    });
}
