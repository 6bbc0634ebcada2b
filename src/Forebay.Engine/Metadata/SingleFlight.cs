namespace Forebay.Engine.Metadata;

/// <summary>
/// One piece of work per key however many wait for it. Cancelling a waiter ends its wait; the work itself is cancelled only when the
/// last waiter has gone. Thread-safe. Its lock is never held across work or continuations.
/// </summary>
internal sealed class SingleFlight<TKey, TResult>
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Flight> _flights;

    public SingleFlight(IEqualityComparer<TKey>? comparer = null)
    {
        _flights = new Dictionary<TKey, Flight>(comparer);
    }

    /// <summary>Joins the flight for <paramref name="key"/> or starts it.</summary>
    /// <param name="key">Names the work.</param>
    /// <param name="state">Handed to <paramref name="work"/> if this call starts it.</param>
    /// <param name="work">The work; its token is the flight's own.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    public async Task<TResult> RunAsync<TState>(
        TKey key, TState state, Func<TKey, TState, CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Flight? flight;
        bool isNew = false;
        lock (_gate)
        {
            if (!_flights.TryGetValue(key, out flight))
            {
                flight = new Flight();
                _flights.Add(key, flight);
                isNew = true;
            }

            flight.Waiters++;
        }

        if (isNew)
        {
            _ = ExecuteAsync(key, flight, state, work);
        }

        try
        {
            return await flight.Completion.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Leave(key, flight);
        }
    }

    /// <summary>Lets flights whose key matches run on for those who wait, but later callers start anew.</summary>
    public void Detach(Func<TKey, bool> matches)
    {
        lock (_gate)
        {
            foreach (TKey key in _flights.Keys)
            {
                if (matches(key))
                {
                    // Removing while enumerating is allowed for Dictionary.Remove.
                    _flights.Remove(key);
                }
            }
        }
    }

    private async Task ExecuteAsync<TState>(
        TKey key, Flight flight, TState state, Func<TKey, TState, CancellationToken, Task<TResult>> work)
    {
        try
        {
            TResult result = await work(key, state, flight.Cancellation.Token);
            Land(key, flight);
            flight.Completion.TrySetResult(result);
        }
        catch (Exception exception)
        {
            Land(key, flight);
            flight.Completion.TrySetException(exception);

            // When every waiter has gone nobody else looks at it.
            _ = flight.Completion.Task.Exception;
        }
    }

    private void Land(TKey key, Flight flight)
    {
        lock (_gate)
        {
            flight.HasLanded = true;
            RemoveIfCurrent(key, flight);
        }

        flight.Cancellation.Dispose();
    }

    private void Leave(TKey key, Flight flight)
    {
        CancellationTokenSource? abandoned = null;
        lock (_gate)
        {
            if (--flight.Waiters == 0 && !flight.HasLanded)
            {
                RemoveIfCurrent(key, flight);
                abandoned = flight.Cancellation;
            }
        }

        if (abandoned is not null)
        {
            try
            {
                abandoned.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It landed between the lock and here: there is nothing left to cancel.
            }
        }
    }

    private void RemoveIfCurrent(TKey key, Flight flight)
    {
        if (_flights.TryGetValue(key, out Flight? current) && ReferenceEquals(current, flight))
        {
            _flights.Remove(key);
        }
    }

    private sealed class Flight
    {
        public TaskCompletionSource<TResult> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationTokenSource Cancellation { get; } = new();

        public int Waiters { get; set; }

        public bool HasLanded { get; set; }
    }
}
