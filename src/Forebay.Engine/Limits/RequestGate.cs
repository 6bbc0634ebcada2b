namespace Forebay.Engine.Limits;

/// <summary>
/// Lets a bounded number of requests in and a bounded number wait, first come first served; the rest is refused at once and the
/// edge answers 503 SlowDown. Thread-safe.
/// </summary>
/// <remarks>
/// System.Threading.RateLimiting's ConcurrencyLimiter would serve, but it is not part of the plain framework that this room builds on.
/// Entering below the bound is one lock and allocates nothing.
/// </remarks>
public sealed class RequestGate
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly int _maxConcurrent;
    private readonly int _maxQueued;
    private int _active;
    private long _refused;

    /// <summary>Creates a gate.</summary>
    /// <param name="maxConcurrent">Most requests inside, ≥ 1.</param>
    /// <param name="maxQueued">Most requests that wait, ≥ 0.</param>
    public RequestGate(int maxConcurrent, int maxQueued)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxConcurrent);
        ArgumentOutOfRangeException.ThrowIfNegative(maxQueued);
        _maxConcurrent = maxConcurrent;
        _maxQueued = maxQueued;
    }

    /// <summary>Requests inside.</summary>
    public int Active
    {
        get
        {
            lock (_lock)
            {
                return _active;
            }
        }
    }

    /// <summary>Requests that wait.</summary>
    public int Queued
    {
        get
        {
            lock (_lock)
            {
                return _waiters.Count;
            }
        }
    }

    /// <summary>Requests refused since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Enters, waiting for a place if need be.</summary>
    /// <param name="cancellationToken">Leaves the queue.</param>
    /// <returns>True when inside: call <see cref="Exit"/> exactly once. False when the queue is full: refuse the request.</returns>
    public ValueTask<bool> TryEnterAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<bool>(cancellationToken);
        }

        Waiter waiter;
        lock (_lock)
        {
            if (_active < _maxConcurrent)
            {
                _active++;
                return new ValueTask<bool>(true);
            }

            if (_waiters.Count >= _maxQueued)
            {
                Interlocked.Increment(ref _refused);
                return new ValueTask<bool>(false);
            }

            waiter = new Waiter();
            waiter.Node = _waiters.AddLast(waiter);
        }

        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Leaves; the place goes to the request that has waited longest.</summary>
    public void Exit()
    {
        lock (_lock)
        {
            if (_waiters.First is not { } first)
            {
                _active--;
                return;
            }

            _waiters.RemoveFirst();
            first.Value.Node = null;
            first.Value.Entered.SetResult(true);
        }
    }

    private async ValueTask<bool> WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                (RequestGate gate, Waiter waiting) = ((RequestGate, Waiter))state!;
                gate.Abandon(waiting, token);
            },
            (this, waiter));
        return await waiter.Entered.Task;
    }

    private void Abandon(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // Already inside: the caller got its place and gives it back itself.
            if (waiter.Node is null)
            {
                return;
            }

            _waiters.Remove(waiter.Node);
            waiter.Node = null;
            waiter.Entered.SetCanceled(cancellationToken);
        }
    }

    private sealed class Waiter
    {
        public TaskCompletionSource<bool> Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
