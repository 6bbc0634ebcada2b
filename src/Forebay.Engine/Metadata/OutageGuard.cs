using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Remembers that the under-store does not answer, so that those who hold something stale need not wait for its time-out again: while it
/// is down they are served at once and one probe at a time, at most one per back-off, asks whether it is back. Thread-safe.
/// </summary>
internal sealed class OutageGuard(TimeProvider time)
{
    private static readonly TimeSpan BackOff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(30);
    private readonly Lock _gate = new();
    private bool _isDown;
    private bool _isProbing;
    private long _probeAfter;

    /// <summary>True from a transient failure until the next answer of the under-store.</summary>
    public bool IsDown => Volatile.Read(ref _isDown);

    public void ReportAnswer()
    {
        if (IsDown)
        {
            Volatile.Write(ref _isDown, false);
        }
    }

    public void ReportFailure(ForebayException error)
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
            _probeAfter = time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency);
            Volatile.Write(ref _isDown, true);
        }
    }

    /// <summary>True for the one caller that shall probe; it must call <see cref="EndProbe"/>.</summary>
    public bool TryBeginProbe()
    {
        lock (_gate)
        {
            if (_isProbing || time.GetTimestamp() < _probeAfter)
            {
                return false;
            }

            _isProbing = true;
            return true;
        }
    }

    public void EndProbe()
    {
        lock (_gate)
        {
            _isProbing = false;
        }
    }
}
