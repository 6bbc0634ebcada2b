namespace Forebay.Core;

/// <summary>
/// How many lines a log takes of events that anybody who uses this process can cause: so many a second, the rest is counted. A log that could be filled from outside would
/// fill its disk. Thread-safe.
/// </summary>
/// <param name="time">Clock.</param>
/// <param name="linesPerSecond">More than 0.</param>
public sealed class LineBudget(TimeProvider time, int linesPerSecond)
{
    private readonly Lock _lock = new();
    private long _second = -1;
    private int _lines;
    private long _suppressed;

    /// <summary>Takes one line.</summary>
    /// <param name="suppressed">Lines that were refused in an earlier second and not told yet; 0 when there are none.</param>
    /// <returns>False when the line is to be left out.</returns>
    public bool TryTake(out long suppressed)
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
