namespace Forebay.Caching.Eviction;

/// <summary>Intrusive FIFO of nodes: pushed at the newest end, taken at the oldest. Not thread-safe.</summary>
internal sealed class NodeQueue(EvictionQueue id)
{
    private EvictionNode? _newest;

    public EvictionNode? Oldest { get; private set; }

    public int Count { get; private set; }

    public long Bytes { get; private set; }

    public void Push(EvictionNode node)
    {
        if (node.Queue != EvictionQueue.None)
        {
            throw new InvalidOperationException("The node already lies in an eviction queue.");
        }

        node.Queue = id;
        node.Older = _newest;
        node.Newer = null;
        if (_newest is null)
        {
            Oldest = node;
        }
        else
        {
            _newest.Newer = node;
        }

        _newest = node;
        Count++;
        Bytes += node.SizeBytes;
    }

    public void Remove(EvictionNode node)
    {
        if (node.Newer is null)
        {
            _newest = node.Older;
        }
        else
        {
            node.Newer.Older = node.Older;
        }

        if (node.Older is null)
        {
            Oldest = node.Newer;
        }
        else
        {
            node.Older.Newer = node.Newer;
        }

        node.Newer = null;
        node.Older = null;
        node.Queue = EvictionQueue.None;
        Count--;
        Bytes -= node.SizeBytes;
    }

    /// <summary>Lets a node be the next that is taken.</summary>
    public void MoveToOldest(EvictionNode node)
    {
        if (node.Older is null)
        {
            return;
        }

        Remove(node);
        node.Queue = id;
        node.Newer = Oldest;
        Oldest!.Older = node;
        Oldest = node;
        Count++;
        Bytes += node.SizeBytes;
    }

    /// <summary>Gives a node another round.</summary>
    public void MoveToNewest(EvictionNode node)
    {
        if (node.Newer is not null)
        {
            Remove(node);
            Push(node);
        }
    }

    public void Resize(EvictionNode node, long newSizeBytes)
    {
        Bytes += newSizeBytes - node.SizeBytes;
        node.SizeBytes = newSizeBytes;
    }
}
