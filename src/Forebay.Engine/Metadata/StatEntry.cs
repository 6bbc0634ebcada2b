using System.Diagnostics.CodeAnalysis;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// What is known about one key: one version of an object, or that there is none. The version never changes during the life of the
/// instance; expiry and headers are renewed in place, so that what hangs on <see cref="Attachment"/> survives a validation.
/// Thread-safe: fields are written under the lock of the <see cref="MetadataCache"/> and read without.
/// </summary>
internal sealed class StatEntry
{
    /// <summary>Expiry of an entry that was refreshed away: kept for its attachment only, never served.</summary>
    private const long Refreshed = long.MinValue;

    private readonly UnderStoreId _underStore;
    private ObjectStat? _stat;
    private ObjectVersion? _version;
    private object? _attachment;
    private long _expiresAt;
    private long _sequence;
    private bool _visited;
    private bool _isStale;

    internal StatEntry(UnderStoreId underStore, string key, ObjectStat? stat, MetadataMoment asOf, long expiresAt)
    {
        _underStore = underStore;
        Key = key;
        _stat = stat;
        _sequence = asOf.Sequence;
        _expiresAt = expiresAt;
    }

    /// <summary>Full key in the under-store.</summary>
    public string Key { get; }

    /// <summary>The object; null exactly when <see cref="IsNegative"/>.</summary>
    public ObjectStat? Stat => Volatile.Read(ref _stat);

    /// <summary>True when the under-store has no such object.</summary>
    [MemberNotNullWhen(false, nameof(Stat))]
    public bool IsNegative => Stat is null;

    /// <summary>True when the headers of the object are known (negative entries have none to know).</summary>
    public bool HasHeaders => Stat is not { Headers: null };

    /// <summary>True while the entry is served although it expired, because the under-store cannot be reached.</summary>
    public bool IsStale => Volatile.Read(ref _isStale);

    /// <summary>The version, its id computed at the first call.</summary>
    /// <exception cref="InvalidOperationException">The entry is negative.</exception>
    public ObjectVersion Version
    {
        get
        {
            ObjectVersion? version = Volatile.Read(ref _version);
            if (version is not null)
            {
                return version;
            }

            ObjectStat stat = Stat ?? throw new InvalidOperationException("A negative entry has no version.");
            version = new ObjectVersion(_underStore, stat.Key, stat.Token, stat.Length);
            return Interlocked.CompareExchange(ref _version, version, null) ?? version;
        }
    }

    /// <summary>Whatever the engine keeps with this version (its cache file); null at first.</summary>
    public object? Attachment
    {
        get => Volatile.Read(ref _attachment);
        set => Volatile.Write(ref _attachment, value);
    }

    internal long Sequence => Volatile.Read(ref _sequence);

    /// <summary>What <see cref="KeptStats.Keep"/> gave for it; 0 when it is not kept. Guarded by the table's owner.</summary>
    internal long KeptMark { get; set; }

    /// <summary>True once a reader was told that this version is no more. Guarded by the table's owner.</summary>
    internal bool IsContradicted { get; set; }

    /// <summary>Place in the clock of the table; −1 while in none. Guarded by the table's owner.</summary>
    internal int Slot { get; set; } = -1;

    /// <summary>Replaces the attachment if it is still <paramref name="comparand"/>.</summary>
    /// <returns>The attachment before the call.</returns>
    public object? CompareExchangeAttachment(object? value, object? comparand)
        => Interlocked.CompareExchange(ref _attachment, value, comparand);

    /// <summary>Timestamp from which on it is not believed without asking.</summary>
    internal long ExpiresAt => Volatile.Read(ref _expiresAt);

    internal bool IsFreshAt(long timestamp) => timestamp < Volatile.Read(ref _expiresAt);

    internal bool IsRefreshed => Volatile.Read(ref _expiresAt) == Refreshed;

    internal void MarkRefreshed() => Volatile.Write(ref _expiresAt, Refreshed);

    internal void MarkStale() => Volatile.Write(ref _isStale, true);

    internal void MarkVisited()
    {
        // Read first: a write would take the cache line away from other readers on every hit.
        if (!_visited)
        {
            _visited = true;
        }
    }

    internal bool TakeVisited()
    {
        bool visited = _visited;
        _visited = false;
        return visited;
    }

    internal bool IsSameVersion(ObjectStat other)
        => Stat is { } stat && stat.Length == other.Length && stat.Token == other.Token;

    /// <summary>Takes a newer answer about the same version. Caller holds the lock.</summary>
    internal void Renew(ObjectStat? stat, MetadataMoment asOf, long expiresAt)
    {
        if (stat is not null)
        {
            Volatile.Write(ref _stat, WithKnownHeaders(stat));
        }

        Volatile.Write(ref _isStale, false);
        Volatile.Write(ref _sequence, asOf.Sequence);
        Volatile.Write(ref _expiresAt, expiresAt);
    }

    /// <summary>Takes the headers of an older stat, if it is of this version and time. Caller holds the lock.</summary>
    internal bool TryAddHeaders(ObjectStat known)
    {
        if (_stat is not { } stat || !IsSameVersion(known) || !IsSameTime(known, stat))
        {
            return false;
        }

        Volatile.Write(ref _stat, stat with { Headers = known.Headers });
        return true;
    }

    private static bool IsSameTime(ObjectStat x, ObjectStat y) => x.LastModified.ToUnixTimeSeconds() == y.LastModified.ToUnixTimeSeconds();

    // A copy of an object onto itself changes headers and time but not the ETag: headers outlive a listing's answer only when
    // the time (whole seconds, as HEAD tells it) is the same.
    private ObjectStat WithKnownHeaders(ObjectStat stat)
        => stat.Headers is null && _stat is { Headers: { } headers } known
            && IsSameTime(known, stat)
            ? stat with { Headers = headers }
            : stat;
}
