using System.Diagnostics.CodeAnalysis;

namespace Forebay.Caching.Eviction;

/// <summary>
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023), weighted by bytes:
/// a small queue that most one-hit files only pass through, a main queue with lazy promotion, and a ghost list of evicted
/// fingerprints. Two things differ, for scans and epochs (numbers in docs/bench/hit-rate.md):
/// </summary>
/// <remarks>
/// <para>1. <em>First filling.</em> While the main queue is mostly empty, what leaves the small queue enters it, as a W-TinyLFU
/// window does (Einziger, Friedman, Manes, ACM ToS 2017); the plain algorithm would turn the whole cache over by FIFO first.</para>
/// <para>2. <em>Exchange guard.</em> While <see cref="ExchangeGuard"/> finds that residents of the main queue are as likely to
/// be read again as those that would displace them, newcomers stay in the small queue. A hit there always promotes.</para>
/// <para>Memory: nothing per node beyond <see cref="EvictionNode"/>; 12 bytes per ghost entry. The ghost list holds as many
/// entries as there are resident nodes, at most the bound given. Thread-safety: see <see cref="IEvictionPolicy"/>.</para>
/// </remarks>
public sealed class S3Fifo : IEvictionPolicy
{
    /// <summary>Default bound of the ghost list: 1 Mi fingerprints, 12 MiB when full.</summary>
    public const int DefaultMaxGhostEntries = 1 << 20;

    private const int MinimumGhostEntries = 256;

    // One eviction visits at most this many idle-able main nodes by the rules; then the next evictable one goes, so that
    // a hot main queue cannot hold the tier's lock for a round of a million nodes.
    private const int PoliteSteps = 1024;

    // One of so many would-be victims stays for one more round, and one of so many newcomers is let in against the
    // guard's advice: without samples of both it could not learn that the traffic has changed.
    private const int ReprieveEvery = 8;
    private const int RareReprieveEvery = 64;
    private const int ProbeEvery = 64;
    private const int FirstProbesEvery = 8;

    private readonly long _capacityBytes;
    private readonly int _maxGhostEntries;
    private readonly NodeQueue _small = new(EvictionQueue.Small);
    private readonly NodeQueue _main = new(EvictionQueue.Main);
    private readonly GhostList _ghosts;
    private readonly ExchangeGuard _guard = new();
    private bool _filling = true;
    private int _victimsSinceReprieve;
    private int _waitingSinceProbe;
    private long _handCredit;

    /// <summary>Makes an empty policy.</summary>
    /// <param name="capacityBytes">The tier's quota in bytes, &gt; 0; the queues' shares are taken of what is resident, at most of this.</param>
    /// <param name="maxGhostEntries">Bound of the ghost list, ≥ 1.</param>
    public S3Fifo(long capacityBytes, int maxGhostEntries = DefaultMaxGhostEntries)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityBytes);
        _capacityBytes = capacityBytes;
        _maxGhostEntries = maxGhostEntries;
        _ghosts = new GhostList(maxGhostEntries);
    }

    /// <inheritdoc/>
    public int Count => _small.Count + _main.Count;

    /// <inheritdoc/>
    public long TotalBytes => _small.Bytes + _main.Bytes;

    /// <summary>Fingerprints remembered now.</summary>
    public int GhostCount => _ghosts.Count;

    /// <summary>True while the guard keeps the resident set against newcomers.</summary>
    public bool KeepsResidents => _guard.Mode == ExchangeMode.Keep;

    internal NodeQueue Small => _small;

    internal NodeQueue Main => _main;

    internal ExchangeGuard Guard => _guard;

    private long SmallTargetBytes => Math.Min(TotalBytes, _capacityBytes) / 10;

    /// <inheritdoc/>
    public void Add(EvictionNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        Enter(node);
        bool returned = _ghosts.TryRemove(node.KeyHash);
        if (returned)
        {
            _guard.RecordReturn();
        }

        if (returned && MayEnterMain())
        {
            node.Sample = GuardSample.Newcomer;
            EnterMain(node);
            return;
        }

        _small.Push(node);
        if (_guard.Mode == ExchangeMode.Keep)
        {
            // The hand would stand still while nothing leaves the main queue, and the guard would learn nothing. It goes round
            // once while the ghost list turns over: then whatever can return has had its chance to.
            _handCredit += _main.Count;
            if (_handCredit >= GhostLimit() + _small.Count)
            {
                _handCredit = 0;
                StepHand();
            }
        }
    }

    /// <inheritdoc/>
    public void Restore(EvictionNode node, bool frequent)
    {
        ArgumentNullException.ThrowIfNull(node);
        Enter(node);
        if (frequent)
        {
            // One more round: during a first filling what was never used flows into the main queue behind it, and would outlive it.
            // Seen, so that the guard does not take it for a touch of today.
            node.Frequency = 1;
            node.SeenFrequency = 1;
            EnterMain(node);
        }
        else
        {
            _small.Push(node);
        }

        _filling &= _main.Bytes < _capacityBytes / 2;
    }

    /// <summary>Another bound than the bytes was reached: what leaves the small queue does not enter the main queue for nothing any more.</summary>
    internal void EndFilling() => _filling = false;

    /// <summary>
    /// Puts a restored node before all others of its queue: called from the newest to the oldest of them, it orders them, whatever order they
    /// were restored in and whatever was added meanwhile. A node outside any policy is ignored.
    /// </summary>
    public void MakeOldest(EvictionNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        switch (node.Queue)
        {
            case EvictionQueue.Small:
                _small.MoveToOldest(node);
                break;
            case EvictionQueue.Main:
                _main.MoveToOldest(node);
                break;
        }
    }

    /// <inheritdoc/>
    public void Touch(EvictionNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        node.RecordTouch();
    }

    /// <inheritdoc/>
    public void Resize(EvictionNode node, long newSizeBytes)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentOutOfRangeException.ThrowIfNegative(newSizeBytes);
        switch (node.Queue)
        {
            case EvictionQueue.Small:
                _small.Resize(node, newSizeBytes);
                break;
            case EvictionQueue.Main:
                _main.Resize(node, newSizeBytes);
                break;
            default:
                node.SizeBytes = newSizeBytes;
                break;
        }
    }

    /// <inheritdoc/>
    public void Remove(EvictionNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        switch (node.Queue)
        {
            case EvictionQueue.Small:
                _small.Remove(node);
                break;
            case EvictionQueue.Main:
                _main.Remove(node);
                break;
            default:
                return;
        }

        // Emptied by hand (a data set freed): what comes next is a first filling again.
        _filling |= _main.Bytes < _capacityBytes / 8;
    }

    /// <inheritdoc/>
    public bool TryEvict([NotNullWhen(true)] out EvictionNode? victim)
    {
        // Refused nodes go round, once in the small queue (what is touched leaves it). In the main queue a round of refusals
        // ends the politeness towards touched nodes, and a second one proves that nothing may be evicted.
        int smallRefusals = 0;
        int mainSteps = 0;
        int mainRefusals = 0;
        int mainCount = _main.Count;
        bool isLastRound = false;
        while (true)
        {
            bool smallSpent = smallRefusals >= _small.Count;
            bool mainSpent = mainRefusals >= 2 * _main.Count;
            if (smallSpent && mainSpent)
            {
                if (!isLastRound && _main.Count > mainCount)
                {
                    // Files that moved over meanwhile lie behind the ones that refused: they get their turn, once.
                    isLastRound = true;
                    mainRefusals = 0;
                    continue;
                }

                victim = null;
                return false;
            }

            if (!smallSpent && (mainSpent || _small.Bytes > SmallTargetBytes))
            {
                if (TryTakeSmall(ref smallRefusals, out victim))
                {
                    return true;
                }

                continue;
            }

            _filling = false;
            bool impatient = mainSteps++ >= PoliteSteps || mainRefusals >= _main.Count;
            if (TryTakeMain(impatient, ref mainRefusals, out victim))
            {
                return true;
            }
        }
    }

    private static void Enter(EvictionNode node)
    {
        if (node.IsTracked)
        {
            throw new InvalidOperationException("The node already lies in an eviction policy.");
        }

        node.Frequency = 0;
        node.SeenFrequency = 0;
        node.Sample = GuardSample.None;
    }

    private void EnterMain(EvictionNode node)
    {
        node.Stamp = _guard.Returned;
        _main.Push(node);
    }

    private bool MayEnterMain()
    {
        if (_guard.Mode != ExchangeMode.Keep)
        {
            return true;
        }

        if (++_waitingSinceProbe < (_guard.LacksNewcomers ? FirstProbesEvery : ProbeEvery))
        {
            return false;
        }

        _waitingSinceProbe = 0;
        return true;
    }

    private bool TryTakeSmall(ref int refusals, [NotNullWhen(true)] out EvictionNode? victim)
    {
        EvictionNode node = _small.Oldest!;
        victim = null;
        if (node.Frequency > 0 || _filling || _guard.Mode == ExchangeMode.Refresh)
        {
            _small.Remove(node);
            node.Frequency = 0;
            node.SeenFrequency = 0;
            EnterMain(node);
            return false;
        }

        if (!node.CanEvict)
        {
            refusals++;
            _small.MoveToNewest(node);
            return false;
        }

        _small.Remove(node);
        _ghosts.Add(node.KeyHash, GhostLimit());
        victim = node;
        return true;
    }

    private bool TryTakeMain(bool impatient, ref int refusals, [NotNullWhen(true)] out EvictionNode? victim)
    {
        EvictionNode node = _main.Oldest!;
        victim = null;
        if (!node.CanEvict)
        {
            refusals++;
            _main.MoveToNewest(node);
            return false;
        }

        bool wasReprieved = node.Sample == GuardSample.Reprieved;
        bool survives = Visit(node);
        if (!survives && !wasReprieved && _guard.Mode != ExchangeMode.Refresh
            && ++_victimsSinceReprieve >= (_guard.WantsReprieves ? ReprieveEvery : RareReprieveEvery))
        {
            _victimsSinceReprieve = 0;
            node.Sample = GuardSample.Reprieved;
            survives = true;
        }

        if (survives && !impatient)
        {
            _main.MoveToNewest(node);
            return false;
        }

        _main.Remove(node);
        _guard.RecordEviction(node.SizeBytes, _main.Count);
        _ghosts.Add(node.KeyHash, GhostLimit());
        victim = node;
        return true;
    }

    /// <summary>One visit of the hand: tells the guard what became of a sample and takes one from the counter.</summary>
    /// <returns>False when the node is idle: nothing left to take.</returns>
    private bool Visit(EvictionNode node)
    {
        byte frequency = node.Frequency;
        bool touched = frequency > node.SeenFrequency;
        _guard.RecordVisit(node.Sample, touched, node.Stamp, _ghosts.Count, _main.Count, _main.Bytes);
        node.Stamp = _guard.Returned;
        node.Sample = GuardSample.None;
        if (frequency == 0 || (!touched && _guard.Mode == ExchangeMode.Refresh))
        {
            return false;
        }

        node.Frequency = --frequency;
        node.SeenFrequency = frequency;
        return true;
    }

    private void StepHand()
    {
        EvictionNode? node = _main.Oldest;
        if (node is null)
        {
            return;
        }

        if (!Visit(node))
        {
            node.Sample = GuardSample.Reprieved;
        }

        _main.MoveToNewest(node);
    }

    private int GhostLimit() => Math.Min(_maxGhostEntries, Math.Max(MinimumGhostEntries, Count));
}
