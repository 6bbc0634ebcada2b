using Forebay.Core;

namespace Forebay.Caching;

/// <summary>A mount point as quota accounting sees it: keys of one under-store below one prefix.</summary>
/// <param name="UnderStore">The store.</param>
/// <param name="Prefix">Prefix of the keys.</param>
/// <param name="QuotaBytes">Most cached bytes, all tiers together; null for no own bound.</param>
/// <param name="Ttl">Cached bytes not used for this long are dropped; null for never.</param>
public sealed record TierOwner(UnderStoreId UnderStore, string Prefix, long? QuotaBytes, TimeSpan? Ttl = null);

/// <summary>
/// Says which mount point cached bytes count for, and counts them over all tiers that were opened with this instance. Where prefixes nest, the
/// longest wins; equal ones share the first. Thread-safe.
/// </summary>
/// <remarks>Lock order: nothing is called under the lock here. No tier's lock may be held at <see cref="TryTake"/>, which may take any of them in turn.</remarks>
/// <param name="owners">Mount points; positions are the owner numbers.</param>
/// <param name="maxOpenFiles">Most cache files kept open per tier while nobody reads them.</param>
/// <param name="maxObjects">Most objects that a tier remembers, &gt; 0: each costs about 210 bytes of memory, whatever its size.</param>
public sealed class TierOwners(IReadOnlyList<TierOwner> owners, int maxOpenFiles = 1024, int maxObjects = int.MaxValue)
{
    private readonly Lock _lock = new();
    private readonly long[] _bytes = new long[owners.Count];

    /// <summary>Slowest medium first, an immutable snapshot.</summary>
    private Tier[][] _media = [];

    /// <summary>Number of owners.</summary>
    public int Count => owners.Count;

    /// <summary>Most cache files kept open per tier while nobody reads them.</summary>
    public int MaxOpenFiles => maxOpenFiles;

    /// <summary>Most objects that a tier remembers.</summary>
    public int MaxObjects => maxObjects;

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

    /// <summary>Cached bytes that count for one owner, over all tiers; what is being moved counts once.</summary>
    internal long BytesOf(int owner) => Volatile.Read(ref _bytes[owner]);

    internal long? QuotaOf(int owner) => owners[owner].QuotaBytes;

    internal bool IsOverQuota(int owner) => owners[owner].QuotaBytes is long quota && BytesOf(owner) > quota;

    /// <summary>Takes bytes of an owner's quota, making others of its files go if there are none: in the slowest medium first, where the coldest lie.</summary>
    /// <returns>False when the rest of its bytes is pinned or in use.</returns>
    internal bool TryTake(int owner, long bytes)
    {
        while (!TryAdd(owner, bytes, owners[owner].QuotaBytes ?? long.MaxValue))
        {
            if (!Array.Exists(Volatile.Read(ref _media), medium => TryEvictOne(medium, owner)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Counts bytes that are there whatever the quota says, or are not any more.</summary>
    internal void Add(int owner, long bytes) => Interlocked.Add(ref _bytes[owner], bytes);

    internal void Join(Tier tier) => Rearrange(tiers => tiers.Append(tier));

    internal void Leave(Tier tier) => Rearrange(tiers => tiers.Where(other => !ReferenceEquals(other, tier)));

    private void Rearrange(Func<IEnumerable<Tier>, IEnumerable<Tier>> change)
    {
        lock (_lock)
        {
            IEnumerable<Tier> tiers = change(_media.SelectMany(medium => medium));
            Volatile.Write(ref _media, [.. tiers.GroupBy(tier => tier.Options.Medium).OrderByDescending(medium => medium.Key).Select(medium => medium.ToArray())]);
        }
    }

    private bool TryAdd(int owner, long bytes, long quota)
    {
        long seen = BytesOf(owner);
        while (seen + bytes <= quota)
        {
            long actual = Interlocked.CompareExchange(ref _bytes[owner], seen + bytes, seen);
            if (actual == seen)
            {
                return true;
            }

            seen = actual;
        }

        return false;
    }

    /// <summary>From the directory of which the owner takes the largest share, so that directories keep their shares of it.</summary>
    private static bool TryEvictOne(Tier[] medium, int owner)
    {
        Tier fullest = medium[0];
        foreach (Tier tier in medium)
        {
            fullest = ShareOf(tier) > ShareOf(fullest) ? tier : fullest;
        }

        return fullest.TryEvictOf(owner) || Array.Exists(medium, tier => tier.TryEvictOf(owner));
        double ShareOf(Tier tier) => (double)tier.BytesOf(owner) / tier.Options.QuotaBytes;
    }

    internal int? TtlSecondsOf(int owner) => owner < 0 || owners[owner].Ttl is not TimeSpan ttl ? null : (int)ttl.TotalSeconds;
}
