using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>What outlives the process. A kept stat is one that expired: it stands in during an outage, and answers on an immutable mount point.</content>
internal sealed partial class MetadataCache
{
    /// <summary>Expired, but not refreshed away.</summary>
    private const long Expired = long.MinValue + 1;

    /// <summary>Mark of something that was kept and is not the answer's: equal to no mark.</summary>
    private const long Superseded = -1;

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
        if (_kept.Find(key, out long mark) is not { } stat)
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
            entry.KeptMark = _kept.Keep(stat, mark);
        }
        else if (entry.IsNegative || mark != 0)
        {
            // It is gone, or a listing told another version.
            _kept.Forget(entry.Key);
        }
    }

    private void ForgetKept(string keyOrPrefix, bool isPrefix)
    {
        if (isPrefix)
        {
            _kept?.ForgetBelow(keyOrPrefix);
        }
        else
        {
            _kept?.Forget(keyOrPrefix);
        }
    }
}
