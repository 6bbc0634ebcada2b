using System.Runtime.CompilerServices;

namespace Forebay.Caching.Eviction;

/// <summary>Which queue of a policy a node lies in.</summary>
internal enum EvictionQueue : byte
{
    None,
    Small,
    Main,
}

/// <summary>
/// One evictable unit: a cached file. Owned by the tier, which derives from it; lives in at most one policy at a time.
/// The links lie in the node, so that the policy allocates nothing per node: it costs the few fields below and nothing elsewhere.
/// </summary>
/// <remarks>Everything but <see cref="RecordTouch"/> belongs to the policy and is guarded by the tier's lock.</remarks>
public class EvictionNode
{
    /// <summary>Highest value of the touch counter; two bits suffice (Yang et al., SOSP 2023, §4.1).</summary>
    internal const byte MaxFrequency = 3;

    private byte _frequency;

    /// <summary>Makes a node that lies in no policy yet.</summary>
    /// <param name="keyHash">Uniform 64-bit hash of the object version; the ghost list remembers 32 bits of it.</param>
    /// <param name="sizeBytes">Bytes it takes of the quota now, ≥ 0.</param>
    public EvictionNode(ulong keyHash, long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        KeyHash = keyHash;
        SizeBytes = sizeBytes;
    }

    /// <summary>Uniform 64-bit hash of the object version.</summary>
    public ulong KeyHash { get; }

    /// <summary>Bytes it takes of the quota; changed by <see cref="IEvictionPolicy.Resize"/> only.</summary>
    public long SizeBytes { get; internal set; }

    /// <summary>False while it must stay (pinned, read, being filled). Asked under the tier's lock; must be quick and must not call the policy.</summary>
    public virtual bool CanEvict => true;

    /// <summary>True while it lies in a policy.</summary>
    public bool IsTracked => Queue != EvictionQueue.None;

    /// <summary>True when it has proved reuse; the index stores it, so that a restart can <see cref="IEvictionPolicy.Restore"/> it.</summary>
    public bool IsFrequent => Queue == EvictionQueue.Main;

    internal EvictionNode? Newer { get; set; }

    internal EvictionNode? Older { get; set; }

    internal EvictionQueue Queue { get; set; }

    /// <summary>What the hand left in <see cref="Frequency"/> at its last visit; a higher value now means: touched since.</summary>
    internal byte SeenFrequency { get; set; }

    /// <summary>What the guard expects to learn from this node at the hand's next visit.</summary>
    internal GuardSample Sample { get; set; }

    /// <summary>The guard's count of ghost hits at the hand's last visit.</summary>
    internal uint Stamp { get; set; }

    internal byte Frequency
    {
        get => Volatile.Read(ref _frequency);
        set => Volatile.Write(ref _frequency, value);
    }

    /// <summary>
    /// Counts a hit. Any thread, no lock, no allocation. Racing hits may lose a count, which costs precision and nothing
    /// else; a saturated counter is not written, so the cache line of a hot node stays shared.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void RecordTouch()
    {
        byte frequency = Volatile.Read(ref _frequency);
        if (frequency < MaxFrequency)
        {
            Volatile.Write(ref _frequency, (byte)(frequency + 1));
        }
    }
}
