namespace Forebay.Engine;

/// <summary>A counter for hit paths: each processor adds to its own cache line, readers sum up. Thread-safe.</summary>
internal sealed class StripedCounter
{
    // 16 longs = 128 bytes: two cache lines, because processors prefetch lines in pairs.
    private const int Spacing = 16;
    private readonly long[] _cells;
    private readonly int _mask;

    public StripedCounter()
    {
        int stripes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(Environment.ProcessorCount, 64));
        _mask = stripes - 1;
        _cells = new long[(stripes + 1) * Spacing];
    }

    /// <summary>The sum at this moment; additions that run at the same time may be missing.</summary>
    public long Value
    {
        get
        {
            long sum = 0;
            for (int i = Spacing; i < _cells.Length; i += Spacing)
            {
                sum += Volatile.Read(ref _cells[i]);
            }

            return sum;
        }
    }

    /// <summary>Adds one.</summary>
    public void Increment() => Add(1);

    /// <summary>Adds an amount.</summary>
    public void Add(long amount)
        => Interlocked.Add(ref _cells[((Thread.GetCurrentProcessorId() & _mask) + 1) * Spacing], amount);
}
