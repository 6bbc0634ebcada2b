using Forebay.Core;

namespace Forebay.Caching;

/// <summary>A mount point as quota accounting sees it: keys of one under-store below one prefix.</summary>
/// <param name="UnderStore">The store.</param>
/// <param name="Prefix">Prefix of the keys.</param>
/// <param name="QuotaBytes">Most cached bytes in each tier; null for no own bound.</param>
/// <param name="Ttl">Cached bytes not used for this long are dropped; null for never.</param>
public sealed record TierOwner(UnderStoreId UnderStore, string Prefix, long? QuotaBytes, TimeSpan? Ttl = null);

/// <summary>Says which mount point cached bytes count for. Where prefixes nest, the longest wins; equal ones share the first.</summary>
/// <param name="owners">Mount points; positions are the owner numbers.</param>
/// <param name="maxOpenFiles">Most cache files kept open per tier while nobody reads them.</param>
public sealed class TierOwners(IReadOnlyList<TierOwner> owners, int maxOpenFiles = 1024)
{
    /// <summary>Number of owners.</summary>
    public int Count => owners.Count;

    /// <summary>Most cache files kept open per tier while nobody reads them.</summary>
    public int MaxOpenFiles => maxOpenFiles;

    /// <summary>Number of the owner of a key; -1 when no mount point covers it any more.</summary>
    public int OwnerOf(UnderStoreId store, string key)
    {
        int best = -1;
        for (int i = 0; i < owners.Count; i++)
        {
            if (owners[i].UnderStore == store
                && key.StartsWith(owners[i].Prefix, StringComparison.Ordinal)
                && (best < 0 || owners[i].Prefix.Length > owners[best].Prefix.Length))
            {
                best = i;
            }
        }

        return best;
    }

    internal bool HasTtl { get; } = owners.Any(owner => owner.Ttl is not null);

    internal long? QuotaOf(int owner) => owners[owner].QuotaBytes;

    internal int? TtlSecondsOf(int owner) => owner < 0 || owners[owner].Ttl is not TimeSpan ttl ? null : (int)ttl.TotalSeconds;
}

/// <summary>Pinned prefixes. Guarded by the tier's lock.</summary>
internal sealed class PinSet
{
    private readonly HashSet<(string Store, string Prefix)> _pins = [];

    internal void Add(string store, string prefix) => _pins.Add((store, prefix));

    internal void Remove(string store, string prefix) => _pins.Remove((store, prefix));

    internal bool Covers(ObjectVersion version)
    {
        foreach ((string store, string prefix) in _pins)
        {
            if (string.Equals(store, version.UnderStore.Value, StringComparison.Ordinal)
                && (prefix.Length == 0 || prefix[^1] == '/' ? version.Key.StartsWith(prefix, StringComparison.Ordinal) : string.Equals(version.Key, prefix, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }
}
