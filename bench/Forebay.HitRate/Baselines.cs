using System.Diagnostics.CodeAnalysis;
using Forebay.Caching.Eviction;

namespace Forebay.HitRate;

/// <summary>What the baselines share: no refusals, no concurrency, a linked list per queue.</summary>
internal abstract class Baseline : IEvictionPolicy
{
    protected Dictionary<EvictionNode, LinkedListNode<EvictionNode>> Links { get; } = [];

    public int Count => Links.Count;

    public long TotalBytes { get; protected set; }

    public virtual void Add(EvictionNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        TotalBytes += node.SizeBytes;
    }

    public void Restore(EvictionNode node, bool frequent) => Add(node);

    public abstract void Touch(EvictionNode node);

    public void Resize(EvictionNode node, long newSizeBytes) => throw new NotSupportedException("The study does not resize.");

    public void Remove(EvictionNode node) => throw new NotSupportedException("The study does not remove.");

    public abstract bool TryEvict([NotNullWhen(true)] out EvictionNode? victim);

    protected EvictionNode Take(LinkedListNode<EvictionNode> link)
    {
        link.List!.Remove(link);
        Links.Remove(link.Value);
        TotalBytes -= link.Value.SizeBytes;
        return link.Value;
    }
}

/// <summary>Least recently used; with <paramref name="movesOnTouch"/> false, first in first out.</summary>
internal sealed class Recency(bool movesOnTouch) : Baseline
{
    private readonly LinkedList<EvictionNode> _queue = new();

    public override void Add(EvictionNode node)
    {
        base.Add(node);
        Links[node] = _queue.AddLast(node);
    }

    public override void Touch(EvictionNode node)
    {
        if (movesOnTouch)
        {
            LinkedListNode<EvictionNode> link = Links[node];
            _queue.Remove(link);
            _queue.AddLast(link);
        }
    }

    public override bool TryEvict([NotNullWhen(true)] out EvictionNode? victim)
    {
        victim = _queue.First is { } oldest ? Take(oldest) : null;
        return victim is not null;
    }
}

/// <summary>S3-FIFO as published (SOSP 2023, algorithm 1): small 10 %, promotion above one hit, ghosts as many as main entries.</summary>
internal sealed class PlainS3Fifo(long capacityBytes) : Baseline
{
    private readonly LinkedList<EvictionNode> _small = new();
    private readonly LinkedList<EvictionNode> _main = new();
    private readonly Dictionary<EvictionNode, int> _frequency = [];
    private readonly HashSet<ulong> _ghosts = [];
    private readonly Queue<ulong> _ghostOrder = new();
    private long _smallBytes;

    public override void Add(EvictionNode node)
    {
        base.Add(node);
        _frequency[node] = 0;
        if (_ghosts.Contains(node.KeyHash))
        {
            Links[node] = _main.AddLast(node);
            return;
        }

        Links[node] = _small.AddLast(node);
        _smallBytes += node.SizeBytes;
    }

    public override void Touch(EvictionNode node) => _frequency[node] = Math.Min(3, _frequency[node] + 1);

    public override bool TryEvict([NotNullWhen(true)] out EvictionNode? victim)
    {
        while (Count > 0)
        {
            if (_small.First is { } oldest && (_smallBytes >= capacityBytes / 10 || _main.Count == 0))
            {
                _smallBytes -= oldest.Value.SizeBytes;
                if (_frequency[oldest.Value] > 1)
                {
                    _frequency[oldest.Value] = 0;
                    _small.Remove(oldest);
                    _main.AddLast(oldest);
                    continue;
                }

                victim = Take(oldest);
                _frequency.Remove(victim);
                Remember(victim.KeyHash);
                return true;
            }

            LinkedListNode<EvictionNode> hand = _main.First!;
            if (_frequency[hand.Value] > 0)
            {
                _frequency[hand.Value]--;
                _main.Remove(hand);
                _main.AddLast(hand);
                continue;
            }

            victim = Take(hand);
            _frequency.Remove(victim);
            return true;
        }

        victim = null;
        return false;
    }

    private void Remember(ulong keyHash)
    {
        if (_ghosts.Add(keyHash))
        {
            _ghostOrder.Enqueue(keyHash);
        }

        while (_ghostOrder.Count > Math.Max(1, _main.Count))
        {
            _ghosts.Remove(_ghostOrder.Dequeue());
        }
    }
}
