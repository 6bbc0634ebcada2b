namespace Forebay.Core;

/// <summary>
/// How many lines a log takes of events that anybody who uses this process can cause: so many a second, the rest is counted. A log that could be filled from outside would
/// fill its disk. Thread-safe.
/// </summary>
/// <param name="time">Clock.</param>
/// <param name="linesPerSecond">More than 0.</param>
/// <param name="tellSuppressed">Logs how many lines were left out in an earlier second, more than 0. Called by whoever may log next, before it does, and under no lock.</param>
public sealed class LineBudget(TimeProvider time, int linesPerSecond, Action<long> tellSuppressed)
{
    private readonly Lock _lock = new();
    private long _second = -1;
    private int _lines;
    private long _suppressed;

    /// <summary>Takes one line, after those left out were told of. Allocates nothing itself.</summary>
    /// <returns>False when the line is to be left out.</returns>
    public bool MayLog()
    {
        bool may = TryTake(out long suppressed);
        if (suppressed > 0)
        {
            tellSuppressed(suppressed);
        }

        return may;
    }

    private bool TryTake(out long suppressed)
    {
        suppressed = 0;
        lock (_lock)
        {
            long second = time.GetTimestamp() / time.TimestampFrequency;
            if (second != _second)
            {
                (_second, _lines, suppressed, _suppressed) = (second, 0, _suppressed, 0);
            }

            if (_lines < linesPerSecond)
            {
                _lines++;
                return true;
            }

            _suppressed++;
            return false;
        }
    }
}
