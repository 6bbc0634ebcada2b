using System.Diagnostics.CodeAnalysis;

namespace Forebay.Caching.Eviction;

/// <summary>Decides which cached file leaves a tier next.</summary>
/// <remarks>
/// Thread-safety: the tier calls everything under its own lock, except <see cref="Touch"/>, which any thread may call at
/// any time, also for a node that is just being evicted. No member does I/O or fails for a reason outside its arguments.
/// </remarks>
public interface IEvictionPolicy
{
    /// <summary>Nodes in the policy.</summary>
    int Count { get; }

    /// <summary>Sum of their sizes.</summary>
    long TotalBytes { get; }

    /// <summary>Takes in a newly cached file; what the policy remembers of its past decides its place.</summary>
    /// <exception cref="InvalidOperationException">It lies in a policy already.</exception>
    void Add(EvictionNode node);

    /// <summary>Takes in a file found in the index at start-up, as the newest of its queue.</summary>
    /// <param name="node">The file.</param>
    /// <param name="frequent">What <see cref="EvictionNode.IsFrequent"/> said when the index stored it.</param>
    void Restore(EvictionNode node, bool frequent);

    /// <summary>Counts a hit: lock-free, allocates nothing.</summary>
    void Touch(EvictionNode node);

    /// <summary>Tells that a file takes more or fewer bytes now. A node outside any policy only takes the size.</summary>
    void Resize(EvictionNode node, long newSizeBytes);

    /// <summary>Forgets a file that left for another reason (invalidated, freed). A node outside any policy is ignored.</summary>
    void Remove(EvictionNode node);

    /// <summary>
    /// Chooses the next victim, takes it out and remembers its fingerprint. A node whose <see cref="EvictionNode.CanEvict"/>
    /// is false is passed over and stays.
    /// </summary>
    /// <returns>False when no node may be evicted; the scan is bounded by a small multiple of <see cref="Count"/> steps.</returns>
    bool TryEvict([NotNullWhen(true)] out EvictionNode? victim);
}
