using Forebay.Engine.Limits;
using Xunit;

namespace Forebay.Engine.Tests.Limits;

public sealed class RequestGateTests
{
    [Fact]
    public async Task BeyondInsideAndQueueARequestIsRefusedAtOnce()
    {
        var gate = new RequestGate(maxConcurrent: 2, maxQueued: 1);
        Assert.True(await gate.TryEnterAsync(CancellationToken.None));
        Assert.True(await gate.TryEnterAsync(CancellationToken.None));
        ValueTask<bool> queued = gate.TryEnterAsync(CancellationToken.None);

        bool refused = !await gate.TryEnterAsync(CancellationToken.None);

        Assert.True(refused);
        Assert.False(queued.IsCompleted);
        Assert.Equal((2, 1, 1L), (gate.Active, gate.Queued, gate.Refused));
        gate.Exit();
        Assert.True(await queued.AsTask().WaitAsync(TimeSpan.FromSeconds(10)));
        gate.Exit();
        gate.Exit();
        Assert.Equal((0, 0), (gate.Active, gate.Queued));
    }

    [Fact]
    public async Task PlacesGoToTheLongestWaiter()
    {
        var gate = new RequestGate(1, 10);
        _ = await gate.TryEnterAsync(CancellationToken.None);
        Task<bool>[] waiters = [.. Enumerable.Range(0, 4).Select(_ => gate.TryEnterAsync(CancellationToken.None).AsTask())];

        for (int i = 0; i < waiters.Length; i++)
        {
            gate.Exit();
            Assert.True(await waiters[i].WaitAsync(TimeSpan.FromSeconds(10)));
            Assert.All(waiters[(i + 1)..], waiter => Assert.False(waiter.IsCompleted));
        }
    }

    [Fact]
    public async Task ACancelledWaiterLeavesTheQueueAndTakesNoPlace()
    {
        var gate = new RequestGate(1, 1);
        _ = await gate.TryEnterAsync(CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        Task<bool> waiter = gate.TryEnterAsync(cancellation.Token).AsTask();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiter);
        Assert.Equal(0, gate.Queued);
        gate.Exit();
        Assert.Equal(0, gate.Active);
    }
}
