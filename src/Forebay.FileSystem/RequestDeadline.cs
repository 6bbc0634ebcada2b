namespace Forebay.FileSystem;

/// <summary>A token that ends with the patience of the mount, or soon after that of the program that asks.</summary>
internal sealed class RequestDeadline : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly CancellationTokenRegistration _registration;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _grace;
    private readonly TimeProvider _time;
    private readonly long _startedAt;

    /// <summary>Starts the time.</summary>
    /// <param name="timeout">Patience of the mount.</param>
    /// <param name="grace">How long it still waits once <paramref name="caller"/> ended.</param>
    /// <param name="time">Clock of both.</param>
    /// <param name="caller">Patience of the program.</param>
    internal RequestDeadline(TimeSpan timeout, TimeSpan grace, TimeProvider time, CancellationToken caller)
    {
        _timeout = timeout;
        _grace = grace;
        _time = time;
        _startedAt = time.GetTimestamp();
        _source = new CancellationTokenSource(timeout, time);
        _registration = caller.UnsafeRegister(static self => ((RequestDeadline)self!).OnCallerEnded(), this);
    }

    internal CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _registration.Dispose();
        _source.Dispose();
    }

    private void OnCallerEnded()
    {
        if (_grace <= TimeSpan.Zero)
        {
            _source.Cancel();
            return;
        }

        if (_timeout == Timeout.InfiniteTimeSpan || _timeout - _time.GetElapsedTime(_startedAt) > _grace)
        {
            _source.CancelAfter(_grace);
        }
    }
}
