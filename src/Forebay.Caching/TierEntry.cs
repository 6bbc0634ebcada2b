using Forebay.Caching.Eviction;
using Forebay.Core;

namespace Forebay.Caching;

/// <summary>
/// One object of a tier as eviction sees it: about 100 bytes that stay in memory for every cached object, whether its
/// <see cref="CacheFile"/> is loaded or not. Guarded by the tier's lock, except where noted.
/// </summary>
internal sealed class TierEntry(Tier tier, VersionId id, long sizeBytes, int owner) : EvictionNode(id.Low, sizeBytes)
{
    private int _usedAtSeconds;

    internal VersionId Id { get; } = id;

    /// <summary>Index of the mount point that the bytes count for; -1 for none.</summary>
    internal int Owner { get; } = owner;

    internal CacheFile? File { get; set; }

    internal int Generation { get; set; }

    /// <summary>Hash of store and key, the same for all versions of an object.</summary>
    internal int ObjectHash { get; set; }

    internal bool IsPinned { get; set; }

    /// <summary>Every page was present when the file was last unloaded; meaningless while <see cref="File"/> is there.</summary>
    internal bool IsWhole { get; set; }

    /// <summary>Last use, Unix seconds; written racily, at most once a second.</summary>
    internal int UsedAtSeconds
    {
        get => Volatile.Read(ref _usedAtSeconds);
        set
        {
            if (Volatile.Read(ref _usedAtSeconds) != value)
            {
                Volatile.Write(ref _usedAtSeconds, value);
            }
        }
    }

    public override bool CanEvict
        => !IsPinned && (tier.EvictingOwner < 0 || tier.EvictingOwner == Owner) && (File is null || !File.IsReferenced);
}
