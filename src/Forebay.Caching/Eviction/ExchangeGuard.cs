namespace Forebay.Caching.Eviction;

/// <summary>What the guard learns from a node at the main hand's next visit.</summary>
internal enum GuardSample : byte
{
    None,

    /// <summary>It was idle for one round, would have been evicted, and stayed as a sample.</summary>
    Reprieved,

    /// <summary>It entered the main queue because the ghost list knew it.</summary>
    Newcomer,
}

/// <summary>What the main queue does with newcomers that the ghost list knows.</summary>
internal enum ExchangeMode : byte
{
    /// <summary>They wait in the small queue, except a few samples; a hit there promotes.</summary>
    Keep,

    /// <summary>They enter the main queue, as the plain algorithm says.</summary>
    Exchange,

    /// <summary>The residents are dead: everything enters, and what is idle leaves whatever its counter says.</summary>
    Refresh,
}

/// <summary>
/// Answers one question: are newcomers better than the residents that they displace? It compares the share of newcomers
/// that are touched within one round of the main hand with the same share of reprieved would-be victims.
/// </summary>
/// <remarks>
/// Under skewed popularity an idle resident stays idle and a newcomer comes again: exchange. Under epochs (every object once
/// per pass, in any order) an idle resident is <em>due</em> and a newcomer, just read, is not: each exchange loses a hit, so
/// keep the resident set. When nearly no resident is touched while evicted files come back, the working set was replaced:
/// refresh. "Nearly" is against the share of ghosts that came back in the same time. A one-pass scan never causes that, for its files do not come back. Not thread-safe.
/// </remarks>
internal sealed class ExchangeGuard
{
    private const int MinimumSamples = 16;
    private const double DeadRatio = 0.15;

    // Residents and ghosts are compared over so many visits of the hand: a quarter of its round. With more, what was touched before the set
    // was replaced hides for rounds that nothing is touched any more; with fewer than the least, it is noise (docs/bench/hit-rate.md).
    private const int LeastRemembered = 48;
    private const int MostRemembered = 256;
    private const double LeastExpected = 3;
    private const double ExpectedPerRemembered = 1.0 / 32;

    private SampleAverage _reprieved = new(64);
    private SampleAverage _newcomers = new(64);
    private double _touched;
    private double _expected;
    private long _refreshBytes;
    private int _graceVisits;
    private int _remembered = MostRemembered;

    public ExchangeMode Mode { get; private set; } = ExchangeMode.Keep;

    /// <summary>True while more samples of newcomers are wanted than a settled guard takes.</summary>
    public bool LacksNewcomers => _newcomers.Count < MinimumSamples;

    /// <summary>True while samples of would-be victims cost little against what they teach.</summary>
    public bool WantsReprieves => _reprieved.Count < MinimumSamples || _reprieved.Value > 0.05;

    /// <summary>Ghost hits so far; a node is stamped with it at each visit of the hand. Wraps around.</summary>
    public uint Returned { get; private set; }

    /// <summary>One miss of a file that the ghost list knew.</summary>
    public void RecordReturn() => Returned++;

    /// <summary>One visit of the hand to a node of the main queue.</summary>
    /// <param name="sample">What the node is a sample of.</param>
    /// <param name="touched">Whether it was touched since the last visit.</param>
    /// <param name="stamp"><see cref="Returned"/> at the last visit.</param>
    /// <param name="ghosts">Entries of the ghost list.</param>
    /// <param name="mainCount">Nodes of the main queue.</param>
    /// <param name="mainBytes">Bytes of the main queue: a refresh ends when as many have left it.</param>
    public void RecordVisit(GuardSample sample, bool touched, uint stamp, int ghosts, int mainCount, long mainBytes)
    {
        if (sample == GuardSample.Newcomer)
        {
            _newcomers.Add(touched);
        }
        else
        {
            if (sample == GuardSample.Reprieved)
            {
                _reprieved.Add(touched);
            }

            // A resident no better than the average ghost would have been touched with this probability since its last visit.
            double expected = Math.Min(1, (double)(Returned - stamp) / Math.Max(1, ghosts));
            _remembered = Math.Clamp(mainCount / 4, LeastRemembered, MostRemembered);
            double decay = 1 - (1.0 / _remembered);
            _expected = (_expected * decay) + (_graceVisits > 0 ? 0 : expected);
            _touched = (_touched * decay) + (touched ? 1 : 0);
        }

        _graceVisits -= _graceVisits > 0 ? 1 : 0;

        Choose(mainBytes);
    }

    /// <summary>One eviction from the main queue.</summary>
    /// <param name="sizeBytes">Bytes that left.</param>
    /// <param name="mainCount">Nodes of the main queue.</param>
    public void RecordEviction(long sizeBytes, int mainCount)
    {
        if (Mode == ExchangeMode.Refresh && (_refreshBytes -= sizeBytes) <= 0)
        {
            // What entered is unproven and not yet due; it gets the benefit of the doubt, and the guard learns anew.
            Mode = ExchangeMode.Keep;
            _reprieved.Reset();
            _newcomers.Reset();
            _graceVisits = mainCount;
            _touched = 0;
            _expected = 0;
        }
    }

    private void Choose(long mainBytes)
    {
        if (Mode != ExchangeMode.Refresh && _expected > Math.Max(LeastExpected, ExpectedPerRemembered * _remembered) && _touched < DeadRatio * _expected)
        {
            Mode = ExchangeMode.Refresh;
            _refreshBytes = mainBytes;
            return;
        }

        if (Mode == ExchangeMode.Refresh || _newcomers.Count < MinimumSamples || _reprieved.Count < MinimumSamples)
        {
            return;
        }

        // Different thresholds for the two directions, so that noise does not flip it to and fro. A mode starts with fresh
        // samples of what it changes; newcomers that nobody touches are not worth any resident.
        if (Mode == ExchangeMode.Keep && _reprieved.Value < 0.7 * _newcomers.Value)
        {
            Mode = ExchangeMode.Exchange;
            _newcomers.Reset();
        }
        else if (Mode == ExchangeMode.Exchange && (_reprieved.Value > _newcomers.Value || _newcomers.Value < 0.05))
        {
            Mode = ExchangeMode.Keep;
            _reprieved.Reset();
        }
    }

    /// <summary>Moving average of yes and no over about <paramref name="window"/> samples, exact while there are fewer.</summary>
    private struct SampleAverage(int window)
    {
        public double Value { get; private set; }

        public int Count { get; private set; }

        public void Add(bool yes)
        {
            Count = Math.Min(Count + 1, window);
            Value += ((yes ? 1 : 0) - Value) / Count;
        }

        public void Reset()
        {
            Count = 0;
            Value = 0;
        }
    }
}
