using Forebay.Caching.Eviction;
using Forebay.Core;

namespace Forebay.Caching;

/// <summary>
/// One object of a tier as eviction sees it: about 210 bytes with its places in tables, that stay in memory for every cached object, whether its
/// <see cref="CacheFile"/> is loaded or not. Guarded by the tier's lock, except where noted.
/// </summary>
internal sealed class TierEntry(Tier tier, VersionId id, long sizeBytes, int owner) : EvictionNode(id.Low, sizeBytes)
{
    private int _usedAtSeconds;
    private int _countedAtSeconds;
    private byte _uses;

    /// <summary>Next older entry of the tier's list of unsaved uses, this one itself at its end; null while it is in no such list.</summary>
    private TierEntry? _olderUse;

    internal VersionId Id { get; } = id;

    /// <summary>Index of the mount point that the bytes count for; -1 for none.</summary>
    internal int Owner { get; } = owner;

    /// <summary>False without a mount point, and for a copy from another tier as long as its source counts.</summary>
    internal bool CountsForOwner { get; set; } = owner >= 0;

    internal CacheFile? File { get; set; }

    internal int Generation { get; set; }

    /// <summary>Hash of store and key, the same for all versions of an object.</summary>
    internal int ObjectHash { get; set; }

    internal bool IsPinned { get; set; }

    /// <summary>Every page was present when the file was last unloaded; meaningless while <see cref="File"/> is there.</summary>
    internal bool IsWhole { get; set; }

    /// <summary>The read that caused the file to be made is not a use of what is cached: the next <see cref="TakeFirstUse"/> takes it out.</summary>
    internal bool AwaitsFirstUse { get; set; }

    /// <summary>Used since it was stored, or before a restart.</summary>
    internal bool WasReused { get; set; }

    /// <summary>A copy from another tier that is not complete: hidden from look-ups, not in the index.</summary>
    internal bool IsIncoming { get; set; }

    /// <summary>Given up by the policy, waits to be moved to a slower tier; served until then.</summary>
    internal bool IsLeaving { get; set; }

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

    /// <summary>What its row in the index says of the last use.</summary>
    internal int SavedUseSeconds { get; set; }

    /// <summary>What its row in the index says of its reuse.</summary>
    internal bool IsSavedAsFrequent { get; set; }

    /// <summary>It lies in the main queue, or was used since it was stored and will enter that at its turn.</summary>
    internal bool HasProvedReuse => IsFrequent || Frequency > 0;

    /// <summary>The entry before it in the list of unsaved uses; for the one thread that has taken the list.</summary>
    internal TierEntry? OlderUse => ReferenceEquals(_olderUse, this) ? null : _olderUse;

    /// <summary>True for one caller until <see cref="EndUseClaim"/>: it puts the entry into the list of unsaved uses.</summary>
    internal bool TryClaimUse() => Volatile.Read(ref _olderUse) is null && Interlocked.CompareExchange(ref _olderUse, this, null) is null;

    /// <summary>Puts a claimed entry before the newest one of the list.</summary>
    /// <returns>The entry.</returns>
    internal TierEntry LinkUse(TierEntry? newest)
    {
        _olderUse = newest ?? this;
        return this;
    }

    internal void EndUseClaim() => Interlocked.Exchange(ref _olderUse, null);

    /// <summary>Tells whether a use is the one that caused the file; racily, a use may be lost.</summary>
    internal bool TakeFirstUse(int nowSeconds)
    {
        if (!AwaitsFirstUse)
        {
            return false;
        }

        AwaitsFirstUse = false;
        _countedAtSeconds = nowSeconds;
        return true;
    }

    /// <summary>Counts a use; uses that are close together are one. Racily, at worst it counts late.</summary>
    /// <returns>True once for every <paramref name="enough"/> uses.</returns>
    internal bool CountUse(int nowSeconds, int secondsApart, int enough)
    {
        if (nowSeconds - _countedAtSeconds < secondsApart)
        {
            return false;
        }

        _countedAtSeconds = nowSeconds;
        if (++_uses < enough)
        {
            return false;
        }

        _uses = 0;
        return true;
    }

    /// <summary>False also while room is no help: its sections may go, but it would still be remembered.</summary>
    internal bool MayLeaveInPart => MayLeave && !tier.IsEvictingObjects;

    /// <summary>False while its bytes must stay, whoever reads them.</summary>
    internal bool MayLeave => !IsPinned && (tier.EvictingOwner < 0 || tier.EvictingOwner == Owner);

    public override bool CanEvict => MayLeave && (File is null || !File.IsReferenced);
}
