using System.Diagnostics;

namespace Forebay.Robustness;

/// <summary>
/// Tells whether this machine gave its threads time when it mattered: a thread that wants to run every 5 ms notes when it could not. What a promise in
/// milliseconds is measured against proves nothing while it beats late.
/// </summary>
internal sealed class Heartbeat : IDisposable
{
    private const int BeatMilliseconds = 5;
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(25);
    private readonly ManualResetEvent _stop = new(initialState: false);
    private readonly Thread _thread;
    private readonly Lock _gate = new();
    private readonly Queue<long> _lateAt = new();

    public Heartbeat()
    {
        _thread = new Thread(Beat) { IsBackground = true, Priority = ThreadPriority.Normal, Name = "heartbeat" };
        _thread.Start();
    }

    /// <summary>True when no beat was late that ended between the two moments.</summary>
    public bool WasSteady(long from, long to)
    {
        lock (_gate)
        {
            return !_lateAt.Any(at => at >= from && at <= to);
        }
    }

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Beat()
    {
        long last = Stopwatch.GetTimestamp();
        while (!_stop.WaitOne(BeatMilliseconds))
        {
            long now = Stopwatch.GetTimestamp();
            if (Stopwatch.GetElapsedTime(last, now) > Late)
            {
                lock (_gate)
                {
                    _lateAt.Enqueue(now);
                }
            }

            last = now;
        }
    }
}
