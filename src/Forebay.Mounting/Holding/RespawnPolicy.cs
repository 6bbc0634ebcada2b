namespace Forebay.Mounting.Holding;

/// <summary>
/// When the next worker may start. Only workers that died before they answered a request count: those that served are replaced at once, however often they die.
/// A mount that is not asked anything has workers that answer nothing; one that could have answered for a while ends the time without an answer, too.
/// Not thread-safe.
/// </summary>
/// <param name="time">Clock.</param>
internal sealed class RespawnPolicy(TimeProvider time)
{
    /// <summary>
    /// Wait after the second worker in a row that never answered; doubles with each further one. The first is followed at once: it may have been killed while it
    /// took over. Short, so that a few kills in a row cost readers little; a worker that can never start is soon tried only every five seconds.
    /// </summary>
    public static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(10);

    /// <summary>Longest wait.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    /// <summary>After this long without an answering worker, callers are no longer kept waiting: the connection is aborted and they get errors.</summary>
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromMinutes(2);

    /// <summary>A worker that served this long without hanging could have answered.</summary>
    public static readonly TimeSpan HealthyAfter = TimeSpan.FromSeconds(10);

    private int _failures;
    private long _failingSince;

    /// <summary>Workers in a row that died before they answered.</summary>
    public int Failures => _failures;

    /// <summary>A worker answered a request.</summary>
    public void Answered() => _failures = 0;

    /// <summary>A worker died.</summary>
    /// <param name="answered">It had answered a request.</param>
    /// <param name="healthy">How long it had served without hanging.</param>
    /// <returns>How long to wait; null: give up.</returns>
    public TimeSpan? Died(bool answered, TimeSpan healthy)
    {
        if (answered)
        {
            _failures = 0;
            return TimeSpan.Zero;
        }

        if (healthy >= HealthyAfter)
        {
            _failures = 0;
        }

        if (_failures++ == 0)
        {
            _failingSince = time.GetTimestamp();
        }

        if (time.GetElapsedTime(_failingSince) >= GiveUpAfter)
        {
            return null;
        }

        if (_failures == 1)
        {
            return TimeSpan.Zero;
        }

        double milliseconds = FirstDelay.TotalMilliseconds * Math.Pow(2, Math.Min(_failures - 2, 16));
        return TimeSpan.FromMilliseconds(Math.Min(milliseconds, LongestDelay.TotalMilliseconds));
    }
}
