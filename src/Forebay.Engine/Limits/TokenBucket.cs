using System.Diagnostics;

namespace Forebay.Engine.Limits;

/// <summary>
/// Keeps a flow of units (bytes, requests) at a rate. A caller asks before each piece and is told how much it may move now.
/// Thread-safe; callers are served in the order in which they asked, one bounded grant at a time, so none starves another.
/// </summary>
/// <remarks>
/// Own arithmetic by reservation: the bucket only remembers when the last granted unit will have been paid for (the generic cell
/// rate algorithm, ITU-T I.371). Nothing is replenished by a timer, so a timer that fires late costs no accuracy: a flow that was
/// at its limit within <see cref="SaturationMemory"/> may catch up what a stalled scheduler took from it, up to <see cref="CatchUp"/>.
/// The queue of waiters is bounded by who may call (connections, ranges); the bucket itself stores none of them.
/// </remarks>
public sealed class TokenBucket
{
    /// <summary>
    /// Burst after a pause: 25 ms worth of the rate plus one grant.
    /// </summary>
    public static readonly TimeSpan DefaultBurst = TimeSpan.FromMilliseconds(25);

    /// <summary>Largest byte grant: above it pieces no longer get cheaper, below it waiters take turns more evenly.</summary>
    public const long LargestGrant = 1 << 20;

    /// <summary>Most time that a flow at its limit may fall behind and catch up: 250 ms, more than a busy machine keeps a thread waiting.</summary>
    public static readonly TimeSpan CatchUp = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a flow counts as being at its limit after it last had to wait: 1 s.</summary>
    public static readonly TimeSpan SaturationMemory = TimeSpan.FromSeconds(1);

    private const long SmallestLargestGrant = 16 << 10;

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly long _epoch;
    private readonly double _nanosecondsPerUnit;
    private readonly double _burstNanoseconds;
    private double _freeAt = double.NegativeInfinity;
    private double _saturatedAt = double.NegativeInfinity;

    /// <summary>Creates a bucket of bytes.</summary>
    /// <param name="bytesPerSecond">Rate, &gt; 0.</param>
    /// <param name="time">Clock and timers.</param>
    public TokenBucket(long bytesPerSecond, TimeProvider time)
        : this(bytesPerSecond, DefaultBurst, Math.Clamp(bytesPerSecond / 50, SmallestLargestGrant, LargestGrant), time)
    {
    }

    /// <summary>Creates a bucket of any unit.</summary>
    /// <param name="unitsPerSecond">Rate, &gt; 0.</param>
    /// <param name="burst">How much of a pause a caller may still use up, ≥ 0.</param>
    /// <param name="maxGrant">Most units of one grant, ≥ 1.</param>
    /// <param name="time">Clock and timers.</param>
    public TokenBucket(long unitsPerSecond, TimeSpan burst, long maxGrant, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(unitsPerSecond);
        ArgumentOutOfRangeException.ThrowIfLessThan(burst, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxGrant);
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _epoch = time.GetTimestamp();
        _nanosecondsPerUnit = 1e9 / unitsPerSecond;
        _burstNanoseconds = burst.TotalNanoseconds;
        UnitsPerSecond = unitsPerSecond;
        MaxGrant = maxGrant;
    }

    /// <summary>The rate.</summary>
    public long UnitsPerSecond { get; }

    /// <summary>Most units that one call grants.</summary>
    public long MaxGrant { get; }

    /// <summary>True when nothing is owed: forgetting this bucket now and making a new one later grants at most one more burst.</summary>
    public bool IsIdle
    {
        get
        {
            double now = ElapsedNanoseconds();
            lock (_lock)
            {
                return _freeAt <= now;
            }
        }
    }

    /// <summary>Waits until the caller may move units, and says how many. Completes synchronously while the flow is below its rate.</summary>
    /// <param name="wanted">Units wanted, &gt; 0.</param>
    /// <param name="cancellationToken">Ends the wait; the reserved units are given back.</param>
    /// <returns>1 to min(<paramref name="wanted"/>, <see cref="MaxGrant"/>) units, which now count as moved. Give what was not
    /// moved back by <see cref="Return"/>.</returns>
    public ValueTask<long> AcquireAsync(long wanted, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(wanted);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<long>(cancellationToken);
        }

        long granted = Math.Min(wanted, MaxGrant);
        TimeSpan wait = Reserve(granted);
        return wait <= TimeSpan.Zero ? new ValueTask<long>(granted) : WaitAsync(granted, wait, cancellationToken);
    }

    /// <summary>Takes one unit if it may be moved now; never waits, reserves nothing otherwise.</summary>
    public bool TryAcquire()
    {
        double now = ElapsedNanoseconds();
        lock (_lock)
        {
            double start = Math.Max(_freeAt, now - _burstNanoseconds);
            if (start > now)
            {
                return false;
            }

            _freeAt = start + _nanosecondsPerUnit;
            return true;
        }
    }

    /// <summary>Gives back units that were granted but not moved.</summary>
    /// <param name="units">Units, ≥ 0; never more than were granted.</param>
    public void Return(long units)
    {
        Debug.Assert(units >= 0, "a negative return would charge the flow");
        lock (_lock)
        {
            _freeAt -= units * _nanosecondsPerUnit;
        }
    }

    private TimeSpan Reserve(long units)
    {
        double now = ElapsedNanoseconds();
        double start;
        lock (_lock)
        {
            double credit = now - _saturatedAt < SaturationMemory.TotalNanoseconds
                ? Math.Max(_burstNanoseconds, CatchUp.TotalNanoseconds)
                : _burstNanoseconds;
            start = Math.Max(_freeAt, now - credit);
            _freeAt = start + (units * _nanosecondsPerUnit);
            if (start > now)
            {
                _saturatedAt = start;
            }
        }

        // Rounded up to a tick: a wait of 0 for a start in the future would grant early.
        return start <= now ? TimeSpan.Zero : TimeSpan.FromTicks((long)Math.Ceiling((start - now) / TimeSpan.NanosecondsPerTick));
    }

    private async ValueTask<long> WaitAsync(long granted, TimeSpan wait, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(wait, _time, cancellationToken);
            return granted;
        }
        catch (OperationCanceledException)
        {
            Return(granted);
            throw;
        }
    }

    private double ElapsedNanoseconds() => (_time.GetTimestamp() - _epoch) * (1e9 / _time.TimestampFrequency);
}
