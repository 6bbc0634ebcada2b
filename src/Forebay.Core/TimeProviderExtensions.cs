namespace Forebay.Core;

/// <summary>Moments to come on a monotonic clock.</summary>
public static class TimeProviderExtensions
{
    /// <summary>Timestamp that <see cref="TimeProvider.GetTimestamp"/> reaches after a time; <see cref="long.MaxValue"/>, which is never, when it cannot be told.</summary>
    /// <param name="time">Clock.</param>
    /// <param name="span">Time to pass, ≥ 0.</param>
    public static long After(this TimeProvider time, TimeSpan span)
    {
        ArgumentNullException.ThrowIfNull(time);
        return time.After(time.GetTimestamp(), span);
    }

    /// <summary>As <see cref="After(TimeProvider, TimeSpan)"/>, counted from another moment than now.</summary>
    /// <param name="time">Clock.</param>
    /// <param name="timestamp">A timestamp of it, ≥ 0.</param>
    /// <param name="span">Time to pass, ≥ 0.</param>
    public static long After(this TimeProvider time, long timestamp, TimeSpan span)
    {
        ArgumentNullException.ThrowIfNull(time);
        double ticks = span.TotalSeconds * time.TimestampFrequency;
        return ticks >= long.MaxValue - (double)timestamp ? long.MaxValue : timestamp + (long)ticks;
    }
}
