using Forebay.Core;

namespace Forebay.Caching;

/// <summary>All tiers of a node, fastest medium first. Thread-safe. Owns the tiers.</summary>
public sealed class PageCache : IDisposable
{
    private readonly Tier[] _tiers;
    private readonly TierOwners _owners;
    private readonly Placement _placement;
    private readonly TierMover? _mover;

    private PageCache(Tier[] tiers, TierOwners owners, Func<Placement, TierMover> makeMover)
    {
        _tiers = tiers;
        _owners = owners;
        _placement = new Placement(tiers);
        _mover = _placement.Media.Count > 1 ? makeMover(_placement) : null;
        LargestPageSizeBytes = tiers.Length == 0 ? 256 << 10 : tiers.Max(tier => tier.PageSizeBytes);
    }

    /// <summary>Tiers, fastest medium first.</summary>
    public IReadOnlyList<Tier> Tiers => _tiers;

    /// <summary>Opens all directories; when one cannot be used, none stays open.</summary>
    /// <exception cref="ForebayException">As <see cref="Tier.Open"/>.</exception>
    public static PageCache Open(IReadOnlyList<TierOptions> options, TierOwners owners, TimeProvider time)
        => Open(options, owners, time, placement => new TierMover(placement));

    internal static PageCache Open(IReadOnlyList<TierOptions> options, TierOwners owners, TimeProvider time, Func<Placement, TierMover> makeMover)
    {
        List<Tier> tiers = [];
        try
        {
            foreach (TierOptions tier in options.OrderBy(tier => tier.Medium))
            {
                tiers.Add(Tier.Open(tier, owners, time));
            }

            SpreadPins(tiers);
            return new PageCache([.. tiers], owners, makeMover);
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
        while (true)
        {
            long moves = _mover?.Completed ?? 0;
            foreach (Tier tier in _tiers)
            {
                CacheFile? file = tier.Find(version);
                if (file is not null)
                {
                    return file;
                }
            }

            // A move upwards may have passed between the two looks.
            if (moves == (_mover?.Completed ?? 0))
            {
                return null;
            }
        }
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

        foreach (Tier[] medium in _placement.Media)
        {
            foreach (Tier tier in Placement.InOrder(medium, version.Id))
            {
                found = tier.FindOrCreate(version);
                if (found is not null)
                {
                    return found;
                }
            }
        }

        return _tiers.Length == 0 || Array.Exists(_tiers, tier => tier.Fits(version)) ? null : _tiers.MaxBy(tier => tier.Options.QuotaBytes)!.FindOrCreate(version, inPart: true);
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

    /// <summary>Pins or unpins keys of a store, or all below prefixes; reads the whole index once, however many there are.</summary>
    public void SetPin(UnderStoreId store, IReadOnlyCollection<string> prefixes, bool pinned)
    {
        foreach (Tier tier in _tiers)
        {
            tier.SetPin(store, prefixes, pinned);
        }
    }

    /// <summary>Pinned keys of a store, and prefixes (empty or with a trailing slash), in the order of their keys.</summary>
    public IReadOnlyList<string> PinsOf(UnderStoreId store) => [.. _tiers.SelectMany(tier => tier.PinsOf(store)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>Cached bytes that count for one owner, over all tiers; what is being moved counts once.</summary>
    public long BytesOf(int owner) => _owners.BytesOf(owner);

    /// <summary>
    /// A directory that is new, or whose index was begun anew, holds from now on what the others do. One that was merely away keeps its own: what it holds
    /// may have been unpinned meanwhile.
    /// </summary>
    private static void SpreadPins(List<Tier> tiers)
    {
        ILookup<string, string> pins = tiers.SelectMany(tier => tier.Pins()).Distinct().ToLookup(pin => pin.Store, pin => pin.Prefix, StringComparer.Ordinal);
        foreach (Tier tier in pins.Count == 0 ? [] : tiers.Where(tier => tier.Pins().Count == 0 && !tier.Rows().Any()).ToList())
        {
            try
            {
                foreach (IGrouping<string, string> store in pins)
                {
                    tier.SetPin(new UnderStoreId(store.Key), [.. store], pinned: true);
                }
            }
            catch (ForebayException)
            {
                // The tier has told it and serves on; at the next start it is tried again.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mover?.Dispose();
        foreach (Tier tier in _tiers)
        {
            tier.Dispose();
        }
    }
}
