using System.Diagnostics;

namespace Forebay.LoadGen.Source;

/// <summary>A rate in virtual time: each reservation takes the next free stretch of it. Thread-safe.</summary>
internal sealed class Link(double bytesPerSecond)
{
    private readonly Lock _lock = new();
    private long _free;

    /// <summary>When bytes reserved now may leave, in <see cref="Stopwatch"/> ticks; 0 without a rate.</summary>
    public long Reserve(long bytes)
    {
        if (bytesPerSecond <= 0)
        {
            return 0;
        }

        long ticks = (long)(bytes / bytesPerSecond * Stopwatch.Frequency);
        lock (_lock)
        {
            long start = Math.Max(_free, Stopwatch.GetTimestamp() - (Stopwatch.Frequency / 200));
            _free = start + ticks;
            return start;
        }
    }

    /// <summary>Sleeps to a moment. Less than a millisecond is left to the next time, as a sleep is not finer than that.</summary>
    public static void WaitUntil(long ticks)
    {
        long left = ticks - Stopwatch.GetTimestamp();
        double milliseconds = left * 1000.0 / Stopwatch.Frequency;
        if (milliseconds >= 1)
        {
            Thread.Sleep((int)milliseconds);
        }
    }
}
