using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Remembers that the under-store does not answer, so that its time-out is not waited for again and again: while it is down, who holds something stale is
/// served at once, who does not is refused at once, and one probe at a time, at most one per back-off, asks whether it is back. Thread-safe.
/// </summary>
/// <remarks>
/// One failed question is enough to prefer what is stale. Nobody is refused before questions about two different things have failed with no answer between
/// them: a single key that a healthy under-store chokes on is no outage.
/// </remarks>
internal sealed class OutageGuard(TimeProvider time)
{
    /// <summary>Time between probes, unless the under-store asks for more.</summary>
    public static readonly TimeSpan BackOff = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(30);
    private readonly Lock _gate = new();
    private bool _isDown;
    private volatile ForebayException? _confirmed;
    private TaskCompletionSource? _probe;
    private string? _firstFailed;
    private long _downSince;
    private long _probeAfter;

    /// <summary>True from a transient failure until the next answer of the under-store.</summary>
    public bool IsDown => Volatile.Read(ref _isDown);

    /// <summary>The last failure, when there were enough of them to call it an outage; null otherwise.</summary>
    public ForebayException? Confirmed => _confirmed;

    /// <summary>How long it has been down.</summary>
    public TimeSpan DownFor => time.GetElapsedTime(Volatile.Read(ref _downSince));

    /// <summary>Completes with the probe under way; null when there is none.</summary>
    public Task? ProbeUnderWay
    {
        get
        {
            lock (_gate)
            {
                return _probe?.Task;
            }
        }
    }

    public void ReportAnswer()
    {
        if (IsDown)
        {
            lock (_gate)
            {
                _confirmed = null;
                Volatile.Write(ref _isDown, false);
            }
        }
    }

    /// <summary>Counts a failed question.</summary>
    /// <param name="error">How it failed; one that is not transient is an answer.</param>
    /// <param name="about">Key or prefix that was asked for; null when the failure shall not confirm an outage.</param>
    public void ReportFailure(ForebayException error, string? about)
    {
        if (!error.IsTransient)
        {
            // Refused or missing is an answer too.
            ReportAnswer();
            return;
        }

        TimeSpan wait = error.RetryAfter is { } asked && asked > BackOff ? asked : BackOff;
        wait = wait < LongestBackOff ? wait : LongestBackOff;
        lock (_gate)
        {
            if (!_isDown)
            {
                _downSince = time.GetTimestamp();
                _firstFailed = about;
            }
            else if (error.Kind == ErrorKind.Throttled)
            {
                // It lives: who waits for his turn gets it.
                _confirmed = null;
            }
            else if (_confirmed is not null || (about is not null && _firstFailed is not null && !string.Equals(about, _firstFailed, StringComparison.Ordinal)))
            {
                _confirmed = error;
            }

            _firstFailed ??= about;
            _probeAfter = time.After(wait);
            Volatile.Write(ref _isDown, true);
        }
    }

    /// <summary>True for the one caller that shall probe; it must call <see cref="EndProbe"/>.</summary>
    public bool TryBeginProbe()
    {
        lock (_gate)
        {
            if (_probe is not null || time.GetTimestamp() < _probeAfter)
            {
                return false;
            }

            _probe = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    public void EndProbe()
    {
        TaskCompletionSource? ended;
        lock (_gate)
        {
            (ended, _probe) = (_probe, null);
        }

        ended?.SetResult();
    }
}
