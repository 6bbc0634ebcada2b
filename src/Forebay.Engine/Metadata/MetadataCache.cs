using Forebay.Core;
using Forebay.Engine.Options;

namespace Forebay.Engine.Metadata;

/// <summary>
/// What one mount point knows of its under-store without asking: stats, "does not exist", and listings, each for as long as the mount
/// point's options say. Keys are full keys of the under-store. Thread-safe.
/// </summary>
/// <remarks>
/// Locks: 1. the gate (writes of the stat table, refresh log), 2. those of what is kept or the listing table's own. Flights have a lock of their own that is
/// never held with another. No lock is taken on a hit of a stat, none is held while the under-store is asked.
/// A failed question leaves the cache as it was. Retries and deadlines are the business of the store handed in.
/// </remarks>
internal sealed partial class MetadataCache : IDisposable
{
    private const long Never = long.MaxValue;

    /// <summary>Longest wait for an answer while something that expired could stand in: a source that hangs must not hang those who look at what they know.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly IUnderStore _store;
    private readonly MountPointOptions _options;
    private readonly TimeProvider _time;
    private readonly string _prefix;
    private readonly Lock _gate = new();
    private readonly StatTable _stats;
    private readonly RefreshLog _refreshes = new();
    private readonly SingleFlight<string, StatEntry> _statFlights = new(StringComparer.Ordinal);
    private readonly OutageGuard _outage;
    private readonly KeptMetadata? _kept;
    private readonly StripedCounter _hits = new();
    private readonly StripedCounter _misses = new();
    private readonly CancellationTokenSource _lifetime = new();
    private long _sequence;
    private long _allRefreshedAt;

    /// <summary>Creates an empty cache.</summary>
    /// <param name="store">Asked on a miss; already retries. Not owned.</param>
    /// <param name="options">Prefix, TTLs and bounds of the mount point.</param>
    /// <param name="time">Clock for expiry.</param>
    /// <param name="kept">What outlives the process; null keeps nothing. Not owned.</param>
    public MetadataCache(IUnderStore store, MountPointOptions options, TimeProvider time, KeptMetadata? kept = null)
    {
        _kept = kept;
        _store = store;
        _options = options;
        _time = time;
        _prefix = options.Prefix;
        _stats = new StatTable(options.MaxCachedStats);
        _outage = new OutageGuard(time);
        _listings = new ListingTable(options.MaxListingBytes);
    }

    /// <summary>Stats answered from the cache, stale ones included.</summary>
    public long Hits => _hits.Value;

    /// <summary>Stats that asked the under-store; callers that shared one question count once.</summary>
    public long Misses => _misses.Value;

    /// <summary>Keys whose stat is cached, negative and expired ones included.</summary>
    public long CachedStats => _stats.Count;

    /// <summary>The moment to remember before asking the under-store, for <see cref="Put(ObjectStat, MetadataMoment)"/>.</summary>
    public MetadataMoment Now() => new(Interlocked.Increment(ref _sequence), _time.GetTimestamp());

    /// <summary>Looks up a fresh entry, positive or negative. Takes no lock, allocates nothing, counts a hit when it finds one.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="requireHeaders">Ignore what is known from listings only.</param>
    public StatEntry? TryGet(string key, bool requireHeaders = false)
        => _stats.TryFind(key, out StatEntry? entry) ? UseIfFresh(entry, requireHeaders) : null;

    /// <summary>As <see cref="TryGet"/> for a key below the mount point's prefix, without joining the two on the heap.</summary>
    public StatEntry? TryGetRelative(string relativeKey, bool requireHeaders = false)
    {
        const int LongestOnStack = 1024;
        if (_prefix.Length == 0)
        {
            return TryGet(relativeKey, requireHeaders);
        }

        int length = _prefix.Length + relativeKey.Length;
        if (length > LongestOnStack)
        {
            return TryGet(_prefix + relativeKey, requireHeaders);
        }

        Span<char> key = stackalloc char[LongestOnStack];
        _prefix.CopyTo(key);
        relativeKey.CopyTo(key[_prefix.Length..]);
        return _stats.TryFind(key[..length], out StatEntry? entry) ? UseIfFresh(entry, requireHeaders) : null;
    }

    /// <summary>
    /// Entry that expired but may stand in while the under-store cannot be reached; also a fresh one. Never a negative one ("not found"
    /// is not guessed) and never one from before a refresh. Does not look at <see cref="MountPointOptions.ServeStaleOnError"/>.
    /// </summary>
    public StatEntry? TryGetStale(string key)
        => _stats.TryFind(key, out StatEntry? entry) && !entry.IsNegative && !IsRefreshed(entry) ? entry : null;

    /// <summary>
    /// Gives the entry of a key: from the cache while it is fresh (completes synchronously), else from a fresh listing, else by asking
    /// the under-store, once for all who ask at the same time.
    /// </summary>
    /// <param name="key">Full key.</param>
    /// <param name="requireHeaders">Whether <see cref="ObjectStat.Headers"/> must be there; false lets a listing answer.</param>
    /// <param name="requestId">Passed on to the under-store.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    /// <returns>The entry; negative when there is no such object. <see cref="StatEntry.IsStale"/> when the under-store could not be
    /// reached and the mount point serves stale.</returns>
    /// <exception cref="ForebayException">As <see cref="IUnderStore.StatAsync"/>, but never <see cref="ErrorKind.NotFound"/>.</exception>
    public ValueTask<StatEntry> GetAsync(string key, bool requireHeaders, string? requestId, CancellationToken cancellationToken)
        => TryGet(key, requireHeaders) is { } entry
            ? new ValueTask<StatEntry>(entry)
            : GetMissAsync(key, requireHeaders, requestId, cancellationToken);

    /// <summary>Stores what a ranged read told, as if it had been asked now.</summary>
    public StatEntry Put(ObjectStat stat) => Put(stat, Now());

    /// <summary>
    /// Stores what the under-store told about an object. The entry that is there stays (renewed) when the version is the same.
    /// </summary>
    /// <param name="stat">The object, with headers.</param>
    /// <param name="asOf">Taken by <see cref="Now"/> before the question was sent.</param>
    /// <returns>The entry of exactly this version; not the cached one if a later question already had another answer.</returns>
    public StatEntry Put(ObjectStat stat, MetadataMoment asOf)
    {
        _outage.ReportAnswer();
        return StoreAnswer(stat.Key, stat, asOf);
    }

    /// <summary>Stores that the under-store has no such object; as <see cref="Put(ObjectStat, MetadataMoment)"/>.</summary>
    public StatEntry PutNotFound(string key, MetadataMoment asOf)
    {
        _outage.ReportAnswer();
        return StoreAnswer(key, stat: null, asOf);
    }

    /// <summary>
    /// Drops what is known of one key because it is wrong (another version was seen), and the listings that show it. Of many readers of one version the
    /// first does so: what has been learned since stays, and so does a question on its way.
    /// </summary>
    /// <param name="stale">The entry that turned out to be wrong.</param>
    public void Invalidate(StatEntry stale)
    {
        string key = stale.Key;
        lock (_gate)
        {
            bool isSuperseded = _stats.TryFind(key, out StatEntry? current) && !ReferenceEquals(current, stale) && !current.IsSameVersion(stale.Stat!);
            if (isSuperseded || stale.IsContradicted)
            {
                return;
            }

            stale.IsContradicted = true;
            _refreshes.Add(Interlocked.Increment(ref _sequence), key, isPrefix: false);
            _stats.Remove(key);
            _kept?.Stats.Forget(key);
            DropListings(key);
        }

        DetachFlights(key, isPrefix: false);
        Forgotten?.Invoke(key);
    }

    /// <summary>
    /// Makes the next use ask the under-store, whatever questions are still on their way: for one key, or with a trailing <c>/</c> or
    /// empty for everything below. Entries stay for their attachments but are not served before they are validated.
    /// </summary>
    public void Refresh(string keyOrPrefix)
    {
        bool isPrefix = keyOrPrefix.Length == 0 || keyOrPrefix.EndsWith('/');
        bool isAll = isPrefix && _prefix.StartsWith(keyOrPrefix, StringComparison.Ordinal);
        lock (_gate)
        {
            long sequence = Interlocked.Increment(ref _sequence);
            _refreshes.Add(sequence, keyOrPrefix, isPrefix);
            ForgetKept(keyOrPrefix, isPrefix);
            if (isAll)
            {
                Volatile.Write(ref _allRefreshedAt, sequence);
            }
            else if (!isPrefix && _stats.TryFind(keyOrPrefix, out StatEntry? entry))
            {
                entry.MarkRefreshed();
            }
        }

        // Whoever stores an older answer from here on sees the log; what is in the table already is found by the walk.
        if (isPrefix && !isAll)
        {
            _stats.MarkRefreshed(keyOrPrefix);
        }

        DetachFlights(keyOrPrefix, isPrefix);
        if (isAll)
        {
            _listings.Clear();
        }
        else if (isPrefix)
        {
            _listings.DropPrefix(keyOrPrefix);
        }
        else
        {
            _listings.DropKey(keyOrPrefix);
        }

        Forgotten?.Invoke(keyOrPrefix);
    }

    /// <summary>Stops read-ahead and probes.</summary>
    public void Dispose()
    {
        // Not disposed: background work may still ask for the token, and a cancelled source holds nothing.
        _lifetime.Cancel();
    }

    private StatEntry? UseIfFresh(StatEntry entry, bool requireHeaders)
    {
        if (!entry.IsFreshAt(_time.GetTimestamp())
            || entry.Sequence < Volatile.Read(ref _allRefreshedAt)
            || (requireHeaders && !entry.HasHeaders))
        {
            return null;
        }

        entry.MarkVisited();
        _hits.Increment();
        return entry;
    }

    private bool IsRefreshed(StatEntry entry) => entry.IsRefreshed || entry.Sequence < Volatile.Read(ref _allRefreshedAt);

    private async ValueTask<StatEntry> GetMissAsync(
        string key, bool requireHeaders, string? requestId, CancellationToken cancellationToken)
    {
        if (TryGetFromListing(key, requireHeaders) is { } listed)
        {
            return listed;
        }

        if (_options.Immutable && Recall(key) is { } recalled && UseIfFresh(recalled, requireHeaders) is { } known)
        {
            return known;
        }

        if (_outage.IsDown && TryServeStale(key, requireHeaders) is { } stale)
        {
            if (_outage.TryBeginProbe())
            {
                _ = EndProbeAfterAsync(FlyAsync(key, requestId: null, _lifetime.Token));
            }

            return stale;
        }

        try
        {
            Task<StatEntry> asking = _outage.Confirmed is null
                ? FlyAsync(key, requestId, cancellationToken)
                : AskInOutageAsync(token => FlyAsync(key, requestId, token), cancellationToken);
            if (await IsSlowAsync(asking, cancellationToken) && TryServeStale(key, requireHeaders) is { } old)
            {
                StandInForSlow(asking);
                return old;
            }

            return await asking;
        }
        catch (ForebayException error) when (error.IsTransient)
        {
            if (TryServeStale(key, requireHeaders) is { } substitute)
            {
                return substitute;
            }

            throw;
        }
    }

    /// <summary>Waits until a question is answered, or so long that something older shall stand in if there is something. Fails as the question does.</summary>
    private async ValueTask<bool> IsSlowAsync(Task asking, CancellationToken cancellationToken)
    {
        if (asking.IsCompleted || !_options.ServeStaleOnError)
        {
            return false;
        }

        try
        {
            await asking.WaitAsync(Patience, _time, cancellationToken);
            return false;
        }
        catch (TimeoutException)
        {
            return !asking.IsCompleted;
        }
    }

    /// <summary>The question goes on to its own deadline; until it is answered the under-store counts as down, so that the next ones do not wait as long.</summary>
    private void StandInForSlow(Task asking)
    {
        Forget(asking);
        _outage.ReportFailure(new ForebayException(ErrorKind.Timeout, $"{_store.DisplayName} did not answer within {Patience.TotalSeconds:0} s."), about: null);
    }

    private StatEntry? TryServeStale(string key, bool requireHeaders)
    {
        if (!_options.ServeStaleOnError)
        {
            return null;
        }

        StatEntry? entry = TryGetStale(key);
        if (entry is null || (requireHeaders && !entry.HasHeaders))
        {
            entry = Recall(key);
        }

        if (entry is null)
        {
            return null;
        }

        entry.MarkStale();
        entry.MarkVisited();
        _hits.Increment();
        return entry;
    }

    private Task<StatEntry> FlyAsync(string key, string? requestId, CancellationToken cancellationToken)
        => _statFlights.RunAsync(
            key,
            (Cache: this, RequestId: requestId),
            static (key, state, flightToken) => state.Cache.AskAsync(key, state.RequestId, flightToken),
            cancellationToken);

    private async Task<StatEntry> AskAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        // Another flight may have landed between this caller's look and its take-off.
        if (_stats.TryFind(key, out StatEntry? known)
            && known.HasHeaders && known.IsFreshAt(_time.GetTimestamp()) && !IsRefreshed(known))
        {
            return known;
        }

        _misses.Increment();
        MetadataMoment asOf = Now();
        try
        {
            ObjectStat stat = await _store.StatAsync(key, requestId, cancellationToken);
            return Put(stat, asOf);
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.NotFound)
        {
            return PutNotFound(key, asOf);
        }
        catch (ForebayException error)
        {
            _outage.ReportFailure(error, key);
            throw;
        }
    }

    // Who has read a new version or a new object must not be shown the old listing afterwards.
    private StatEntry StoreAnswer(string key, ObjectStat? stat, MetadataMoment asOf)
    {
        StatEntry entry = Store(key, stat, asOf, out bool contradicts);
        if (contradicts || _listings.IsContradictedBy(key, stat, asOf))
        {
            lock (_gate)
            {
                DropListings(key);
            }
        }

        return entry;
    }

    // By ETag, not token: where versions have ids only a HEAD tells them, and a listing is not wrong for that.
    internal static bool Differ(ObjectStat? known, ObjectStat? answer)
        => known is null || answer is null
            ? !ReferenceEquals(known, answer)
            : known.Length != answer.Length || !string.Equals(known.ETag, answer.ETag, StringComparison.Ordinal);

    private StatEntry Store(string key, ObjectStat? stat, MetadataMoment asOf, out bool contradicts)
    {
        lock (_gate)
        {
            bool isRefreshed = asOf.Sequence < _allRefreshedAt || _refreshes.CoversKey(key, asOf.Sequence);
            long expiresAt = isRefreshed ? 0 : ExpiryOf(stat is not null, asOf);
            bool isKnown = _stats.TryFind(key, out StatEntry? existing);
            contradicts = false;
            if (isKnown && (stat is null ? existing!.IsNegative : existing!.IsSameVersion(stat)))
            {
                if (asOf.Sequence >= existing!.Sequence)
                {
                    long mark = IsRefreshed(existing) ? 0 : existing.KeptMark;
                    existing.Renew(stat, asOf, expiresAt);
                    if (isRefreshed)
                    {
                        existing.MarkRefreshed();
                    }

                    KeepOrForget(existing, mark);
                }

                return existing;
            }

            var entry = new StatEntry(_store.Id, key, stat, asOf, expiresAt);
            if (isRefreshed)
            {
                entry.MarkRefreshed();
            }

            if (isKnown && existing!.Sequence > asOf.Sequence)
            {
                return entry;
            }

            KeepOrForget(entry, existing is { IsNegative: false, KeptMark: not 0 } ? Superseded : 0);
            contradicts = isKnown && Differ(existing!.Stat, stat);
            if (stat is null && _options.NegativeTtl <= TimeSpan.Zero)
            {
                _stats.Remove(key);
                return entry;
            }

            _stats.Set(entry);
            return entry;
        }
    }

    private long ExpiryOf(bool isPositive, MetadataMoment asOf)
    {
        if (isPositive && _options.Immutable)
        {
            return Never;
        }

        return _time.After(asOf.Timestamp, isPositive ? _options.MetadataTtl : _options.NegativeTtl);
    }
}
