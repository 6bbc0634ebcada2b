namespace Forebay.FileSystem.Tests;

/// <summary>The time of a process that a test kills: none of its timers fires after that, though what they belong to is never disposed.</summary>
internal sealed class ProcessTime(TimeProvider inner) : TimeProvider
{
    private readonly Lock _firing = new();
    private bool _isKilled;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => inner.LocalTimeZone;

    public override long GetTimestamp() => inner.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => inner.GetUtcNow();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        return inner.CreateTimer(FireUnlessKilled, null, dueTime, period);

        // Under the lock, so that none is in the middle of its work when Kill returns.
        void FireUnlessKilled(object? unused)
        {
            lock (_firing)
            {
                if (!_isKilled)
                {
                    callback(state);
                }
            }
        }
    }

    internal void Kill()
    {
        lock (_firing)
        {
            _isKilled = true;
        }
    }
}
