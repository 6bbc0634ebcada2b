namespace Forebay.Caching.Eviction;

/// <summary>What the guard learns from a node at the main hand's next visit.</summary>
internal enum GuardSample : byte
{
    None,

    /// <summary>It was untouched for one round, would have been evicted, and stayed as a sample.</summary>
    Reprieved,

    /// <summary>It entered the main queue because the ghost list knew it.</summary>
    Newcomer,
}

/// <summary>
/// Answers one question: are newcomers better than the residents that they displace? It compares the share of newcomers
/// that are touched within one round of the main hand with the same share of reprieved would-be victims.
/// </summary>
/// <remarks>
/// Under skewed popularity an idle resident stays idle and a newcomer comes again: exchange. Under epochs (every object once
/// per pass, in any order) an idle resident is <em>due</em> and a newcomer, just read, is not: each exchange loses a hit, so
/// keep the resident set. After the working set was replaced nobody reprieved comes back: exchange. Not thread-safe.
/// </remarks>
internal sealed class ExchangeGuard
{
    // Moving averages over about this many samples; short enough to turn within a fraction of a pass.
    private const double Weight = 1.0 / 64;
    private const int MinimumSamples = 16;

    private double _reprieved;
    private double _newcomers;
    private int _reprievedSamples;
    private int _newcomerSamples;

    /// <summary>True while newcomers known to the ghost list should wait in the small queue.</summary>
    public bool KeepsResidents { get; private set; }

    /// <summary>Share of reprieved would-be victims that were touched within a round, 0..1.</summary>
    public double ReprievedRatio => _reprieved;

    /// <summary>Share of newcomers that were touched within their first round, 0..1.</summary>
    public double NewcomerRatio => _newcomers;

    public void Record(GuardSample sample, bool touched)
    {
        if (sample == GuardSample.None)
        {
            return;
        }

        if (sample == GuardSample.Reprieved)
        {
            Average(ref _reprieved, ref _reprievedSamples, touched);
        }
        else
        {
            Average(ref _newcomers, ref _newcomerSamples, touched);
        }

        if (_reprievedSamples < MinimumSamples || _newcomerSamples < MinimumSamples)
        {
            return;
        }

        // Different thresholds for the two directions, so that noise does not flip it to and fro.
        KeepsResidents = KeepsResidents
            ? _reprieved > 0.02 && _reprieved > 0.7 * _newcomers
            : _reprieved > 0.05 && _reprieved > _newcomers;
    }

    private static void Average(ref double average, ref int samples, bool touched)
    {
        samples = Math.Min(samples + 1, (int)(1 / Weight));
        average += ((touched ? 1 : 0) - average) / samples;
    }
}
