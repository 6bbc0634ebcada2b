using Forebay.Core;

namespace Forebay.Caching;

/// <summary>All tiers of a node, fastest medium first. Thread-safe. Owns the tiers.</summary>
public sealed class PageCache : IDisposable
{
    private readonly Tier[] _tiers;

    private PageCache(Tier[] tiers)
    {
        _tiers = tiers;
        LargestPageSizeBytes = tiers.Length == 0 ? 256 << 10 : tiers.Max(tier => tier.PageSizeBytes);
    }

    /// <summary>Tiers, fastest medium first.</summary>
    public IReadOnlyList<Tier> Tiers => _tiers;

    /// <summary>Opens all directories; when one cannot be used, none stays open.</summary>
    /// <exception cref="ForebayException">As <see cref="Tier.Open"/>.</exception>
    public static PageCache Open(IReadOnlyList<TierOptions> options, TierOwners owners, TimeProvider time)
    {
        List<Tier> tiers = [];
        try
        {
            foreach (TierOptions tier in options.OrderBy(tier => tier.Medium))
            {
                tiers.Add(Tier.Open(tier, owners, time));
            }

            return new PageCache([.. tiers]);
        }
        catch
        {
            tiers.ForEach(tier => tier.Dispose());
            throw;
        }
    }

    /// <summary>Finds the cached file of a version; null when nothing of it is cached.</summary>
    public CacheFile? Find(ObjectVersion version)
    {
        foreach (Tier tier in _tiers)
        {
            CacheFile? file = tier.Find(version);
            if (file is not null)
            {
                return file;
            }
        }

        return null;
    }

    /// <summary>Counts bytes that no tier took, at the last one that was asked.</summary>
    public void CountBypassed(long bytes)
    {
        if (_tiers.Length > 0)
        {
            _tiers[^1].CountBypassed(bytes);
        }
    }

    /// <summary>Finds or makes the cached file of a version; null when no tier takes it.</summary>
    public CacheFile? FindOrCreate(ObjectVersion version)
    {
        CacheFile? found = Find(version);
        if (found is not null)
        {
            return found;
        }

        int start = 0;
        while (start < _tiers.Length)
        {
            int end = start + 1;
            while (end < _tiers.Length && _tiers[end].Options.Medium == _tiers[start].Options.Medium)
            {
                end++;
            }

            found = CreateIn(_tiers.AsSpan(start, end - start), version);
            if (found is not null)
            {
                return found;
            }

            start = end;
        }

        return null;
    }

    /// <summary>False only when surely no version of a key is cached.</summary>
    public bool MayHold(UnderStoreId store, string key)
    {
        foreach (Tier tier in _tiers)
        {
            if (tier.MayHold(store, key))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Largest page size of the tiers, bytes; reads that begin and end at its multiples fit every tier.</summary>
    public int LargestPageSizeBytes { get; }

    /// <summary>Drops the cached bytes of a version in every tier.</summary>
    /// <returns>Bytes given free (or that would be, with <paramref name="dryRun"/>).</returns>
    public long Drop(VersionId id, bool pinnedToo, bool dryRun) => _tiers.Sum(tier => tier.Drop(id, pinnedToo, dryRun));

    /// <summary>Versions cached below a prefix of a store, with their bytes; reads the whole index, for operators.</summary>
    public IEnumerable<(ObjectVersion Version, long StoredBytes, string TierPath)> Enumerate(UnderStoreId store, string prefix)
        => _tiers.SelectMany(tier => tier.Rows()
            .Where(row => row.Version.UnderStore == store && row.Version.Key.StartsWith(prefix, StringComparison.Ordinal))
            .Select(row => (row.Version, row.StoredBytes, tier.Path)));

    /// <summary>Pins or unpins all keys of a store below a prefix.</summary>
    public void SetPin(UnderStoreId store, string prefix, bool pinned)
    {
        foreach (Tier tier in _tiers)
        {
            tier.SetPin(store, prefix, pinned);
        }
    }

    /// <summary>Cached bytes that count for one owner, over all tiers.</summary>
    public long BytesOf(int owner) => _tiers.Sum(tier => tier.BytesOf(owner));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tier tier in _tiers)
        {
            tier.Dispose();
        }
    }

    /// <summary>Tries the directories of one medium in rendezvous order, weighted by quota, so that each gets its share and a version always its own.</summary>
    private static CacheFile? CreateIn(Span<Tier> tiers, ObjectVersion version)
    {
        if (tiers.Length == 1)
        {
            return tiers[0].FindOrCreate(version);
        }

        foreach (Tier tier in tiers.ToArray().OrderBy(tier => RendezvousDistance(tier, version.Id)))
        {
            CacheFile? file = tier.FindOrCreate(version);
            if (file is not null)
            {
                return file;
            }
        }

        return null;
    }

    /// <summary>Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): -ln(uniform hash) / weight, smallest wins.</summary>
    private static double RendezvousDistance(Tier tier, VersionId id)
    {
        ulong mixed = (id.High ^ tier.Seed) * 0x9E3779B97F4A7C15UL;
        mixed ^= mixed >> 32;
        mixed *= 0xD6E8FEB86659FD93UL;
        mixed ^= mixed >> 32;
        return -Math.Log((mixed + 1.0) / (ulong.MaxValue + 2.0)) / tier.Options.QuotaBytes;
    }
}
