using System.Runtime.CompilerServices;
using Forebay.Core;

namespace Forebay.Engine.Loading;

/// <summary>One load and its counters. Thread-safe.</summary>
internal sealed class LoadJob(string id, LoadRequest request, DateTimeOffset startedAt) : IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();
    private long _totalObjects;
    private long _totalBytes;
    private long _doneObjects;
    private long _doneBytes;
    private long _fetchedBytes;
    private long _failedObjects;
    private volatile string? _lastError;
    private volatile bool _isListed;
    private volatile EndedState? _ended;

    internal string Id => id;

    internal bool IsEnded => _ended is not null;

    internal CancellationToken Token => _cancellation.Token;

    internal Task Running { get; set; } = Task.CompletedTask;

    public void Dispose() => _cancellation.Dispose();

    internal LoadStatus Status()
    {
        EndedState? ended = _ended;
        return new LoadStatus(
            id,
            request.Paths,
            ended?.State ?? LoadState.Running,
            startedAt,
            ended?.At,
            _isListed,
            Volatile.Read(ref _totalObjects),
            Volatile.Read(ref _totalBytes),
            Volatile.Read(ref _doneObjects),
            Volatile.Read(ref _doneBytes),
            Volatile.Read(ref _fetchedBytes),
            Volatile.Read(ref _failedObjects),
            _lastError);
    }

    /// <summary>Passes objects on and counts them as they are listed.</summary>
    internal async IAsyncEnumerable<ObjectStat> CountListedAsync(IAsyncEnumerable<ObjectStat> objects, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (ObjectStat stat in objects.WithCancellation(cancellationToken))
        {
            Interlocked.Increment(ref _totalObjects);
            Interlocked.Add(ref _totalBytes, stat.Length);
            yield return stat;
        }
    }

    internal void CountDone(long bytes, long fetchedBytes)
    {
        Interlocked.Increment(ref _doneObjects);
        Interlocked.Add(ref _doneBytes, bytes);
        Interlocked.Add(ref _fetchedBytes, fetchedBytes);
    }

    internal void CountFailed(string error)
    {
        Interlocked.Increment(ref _failedObjects);
        _lastError = error;
    }

    internal bool Cancel()
    {
        if (IsEnded)
        {
            return false;
        }

        _cancellation.Cancel();
        return true;
    }

    internal void End(bool isCanceled, string? error, DateTimeOffset at)
    {
        _lastError = error ?? _lastError;
        _isListed |= !isCanceled && error is null;
        LoadState state = isCanceled ? LoadState.Canceled
            : error is not null || Volatile.Read(ref _failedObjects) > 0 ? LoadState.Failed
            : LoadState.Succeeded;
        _ended = new EndedState(state, at);
    }

    private sealed record EndedState(LoadState State, DateTimeOffset At);
}
