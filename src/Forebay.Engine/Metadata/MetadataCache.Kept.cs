using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>What outlives the process. A kept stat is one that expired: it stands in during an outage, and answers on an immutable mount point.</content>
internal sealed partial class MetadataCache
{
    /// <summary>Expired, but not refreshed away.</summary>
    private const long Expired = long.MinValue + 1;

    /// <summary>Mark of something that was kept and is not the answer's: equal to no mark.</summary>
    private const long Superseded = -1;

    private const int MostReplays = 3;

    /// <summary>Time between tries to recall listings.</summary>
    private static readonly TimeSpan RecallPause = TimeSpan.FromSeconds(10);

    private Task? _recall;
    private long _recallAgainAt;

    /// <summary>
    /// What may stand in for an answer that a read was to bring: the under-store cannot be reached. Null when the mount point does not serve stale
    /// or nothing is known.
    /// </summary>
    public StatEntry? TryStandIn(string key, ForebayException error)
    {
        _outage.ReportFailure(error, key);
        return error.IsTransient ? TryServeStale(key, requireHeaders: true) : null;
    }

    /// <summary>Completes when what was refreshed or learned until now has reached the disk or could not.</summary>
    public Task WrittenAsync(CancellationToken cancellationToken) => _kept?.WrittenAsync().WaitAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>
    /// Takes a kept stat into the table. What the table knows of the key is newer, whatever it is; only headers may be missing there, and are
    /// taken when the version is the same.
    /// </summary>
    private StatEntry? Recall(string key)
    {
        if (_kept is null || (_stats.TryFind(key, out StatEntry? known) && (known.HasHeaders || IsRefreshed(known))))
        {
            return null;
        }

        long asked = Interlocked.Read(ref _sequence);
        if (_kept.Stats.Find(key, out long mark) is not { } stat)
        {
            return null;
        }

        lock (_gate)
        {
            if (_refreshes.CoversKey(key, asked))
            {
                return null;
            }

            if (_stats.TryFind(key, out known))
            {
                return !known.IsNegative && !IsRefreshed(known) && known.TryAddHeaders(stat) ? known : null;
            }

            // Older than every question whose answer may be believed: any of them replaces it.
            var entry = new StatEntry(_store.Id, key, stat, new MetadataMoment(_allRefreshedAt, 0), _options.Immutable ? Never : Expired) { KeptMark = mark };
            _stats.Set(entry);
            return entry;
        }
    }

    /// <summary>
    /// Takes the listings that a process before this one kept into the table, once: as expired, and older than any answer. What cannot be read at the moment is
    /// tried again later, and a disk that hangs is not waited for.
    /// </summary>
    private async ValueTask RecallListingsAsync(KeptListings log, CancellationToken cancellationToken)
    {
        Task recall;
        lock (_gate)
        {
            if (_recall is { IsCompleted: true } && _time.GetTimestamp() < _recallAgainAt)
            {
                return;
            }

            if (_recall is null or { IsCompleted: true })
            {
                _recallAgainAt = _time.After(RecallPause);
                _recall = Task.Run(() => RecallListings(log), CancellationToken.None);
            }

            recall = _recall;
        }

        try
        {
            await recall.WaitAsync(Patience, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // It goes on, for those who ask later.
        }
    }

    private void RecallListings(KeptListings log)
    {
        for (int replay = 0; replay < MostReplays; replay++)
        {
            long drops = log.Drops;
            if (log.Replay(_options.MaxListingBytes - _listings.Bytes, out long latest) is not { } kept)
            {
                return;
            }

            DropWhatIsContradicted(kept);
            lock (_gate)
            {
                // What was dropped meanwhile may be in the copy that was read.
                if (log.Drops == drops)
                {
                    _listings.FillFrom(kept, latest + 1, Expired);
                    _recallAgainAt = Never;
                    return;
                }
            }
        }
    }

    /// <summary>Holds what this process was told of objects against listings of the one before it: only listings that were known were dropped when it was told.</summary>
    private void DropWhatIsContradicted(ListingTable kept)
    {
        foreach (StatEntry entry in _stats.All())
        {
            if (entry.Sequence > _allRefreshedAt && kept.Lookup(entry.Key, timestamp: 0, out ObjectStat? shown, allowExpired: true) is not null && Differ(shown, entry.Stat))
            {
                kept.DropKey(entry.Key);
            }
        }
    }

    /// <summary>Drops the listings that show a key. Caller holds the gate.</summary>
    private void DropListings(string key)
    {
        _kept?.Listings.DropKey(key);
        _listings.DropKey(key);
    }

    /// <summary>Makes what is kept follow the newest answer. Caller holds the gate.</summary>
    /// <param name="entry">With the answer.</param>
    /// <param name="mark">Of what was kept of the key, as far as this process knows; 0 for nothing.</param>
    private void KeepOrForget(StatEntry entry, long mark)
    {
        if (_kept is null || entry.IsRefreshed)
        {
            return;
        }

        entry.KeptMark = 0;
        if (entry.Stat is { Headers: not null } stat)
        {
            entry.KeptMark = _kept.Stats.Keep(stat, mark);
        }
        else if (entry.IsNegative || mark != 0)
        {
            // It is gone, or a listing told another version.
            _kept.Stats.Forget(entry.Key);
        }
    }

    private void ForgetKept(string keyOrPrefix, bool isPrefix)
    {
        if (isPrefix)
        {
            _kept?.Stats.ForgetBelow(keyOrPrefix);
            _kept?.Listings.DropPrefix(keyOrPrefix);
        }
        else
        {
            _kept?.Stats.Forget(keyOrPrefix);
            _kept?.Listings.DropKey(keyOrPrefix);
        }
    }
}
