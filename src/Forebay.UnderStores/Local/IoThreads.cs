using System.Collections.Concurrent;

namespace Forebay.UnderStores.Local;

/// <summary>
/// A few threads of one store for file calls that can hang, as a NAS that went away makes them. The pool never blocks on them, a
/// caller that gives up leaves at once, and a store that hangs holds its own threads only.
/// </summary>
/// <remarks>
/// Threads start when there is work for them, up to the bound, and stay until disposal. The queue is bounded at 16 calls per
/// thread; a caller waits for its place asynchronously. Thread-safe. A call that was given up still runs to its end and its result
/// is dropped, so calls must not touch memory of the caller.
/// </remarks>
internal sealed class IoThreads : IDisposable
{
    private const int QueuedPerThread = 16;

    private readonly BlockingCollection<Action> _queue;
    private readonly SemaphoreSlim _places;
    private readonly string _name;
    private readonly int _maxThreads;
    private int _threads;
    private int _unfinished;

    public IoThreads(string name, int maxThreads)
    {
        _name = name;
        _maxThreads = maxThreads;
        _queue = new BlockingCollection<Action>(maxThreads * QueuedPerThread);
        _places = new SemaphoreSlim(maxThreads * QueuedPerThread);
    }

    /// <summary>Runs a blocking call on one of the threads.</summary>
    public async Task<T> RunAsync<T>(Func<T> call, Action<T>? abandon, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Increment(ref _unfinished);
        _queue.Add(() => Run(call, done, cancellationToken), CancellationToken.None);
        StartThreadIfNeeded();
        try
        {
            return await done.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (abandon is not null)
        {
            // The result (an open file) may still come; whoever made it takes it back.
            _ = done.Task.ContinueWith(static (task, state) => ((Action<T>)state!)(task.Result), abandon, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    public void Dispose() => _queue.CompleteAdding();

    private void Run<T>(Func<T> call, TaskCompletionSource<T> done, CancellationToken cancellationToken)
    {
        try
        {
            if (cancellationToken.IsCancellationRequested)
            {
                done.SetCanceled(cancellationToken);
            }
            else
            {
                done.SetResult(call());
            }
        }
        catch (Exception error)
        {
            done.SetException(error);
        }
        finally
        {
            Interlocked.Decrement(ref _unfinished);
            _places.Release();
        }
    }

    private void StartThreadIfNeeded()
    {
        // As many threads as unfinished calls: a call never waits behind one that hangs while the bound allows another thread.
        int threads = Volatile.Read(ref _threads);
        while (threads < Math.Min(_maxThreads, Volatile.Read(ref _unfinished)))
        {
            if (Interlocked.CompareExchange(ref _threads, threads + 1, threads) == threads)
            {
                new Thread(Work) { IsBackground = true, Name = _name }.Start();
                return;
            }

            threads = Volatile.Read(ref _threads);
        }
    }

    private void Work()
    {
        foreach (Action call in _queue.GetConsumingEnumerable())
        {
            call();
        }
    }
}
