namespace Forebay.LoadGen.Client;

/// <summary>Latencies in buckets of 1 % width from a microsecond on: any percentile to ±1 %, in fixed memory. Not thread-safe; merge one per thread.</summary>
internal sealed class Histogram
{
    private const double Growth = 1.01;
    private const int Buckets = 2200;
    private static readonly double LogGrowth = Math.Log(Growth);

    private readonly long[] _counts = new long[Buckets];

    public long Count { get; private set; }

    public double MaxMilliseconds { get; private set; }

    public void Add(double milliseconds)
    {
        double microseconds = Math.Max(1, milliseconds * 1000);
        _counts[Math.Min(Buckets - 1, (int)(Math.Log(microseconds) / LogGrowth))]++;
        Count++;
        MaxMilliseconds = Math.Max(MaxMilliseconds, milliseconds);
    }

    public void Merge(Histogram other)
    {
        for (int i = 0; i < Buckets; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        MaxMilliseconds = Math.Max(MaxMilliseconds, other.MaxMilliseconds);
    }

    public double Percentile(double ratio)
    {
        long rank = (long)Math.Ceiling(Count * ratio);
        long seen = 0;
        for (int i = 0; i < Buckets; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0)
            {
                return Math.Round(Math.Pow(Growth, i + 0.5) / 1000, 4);
            }
        }

        return 0;
    }
}
