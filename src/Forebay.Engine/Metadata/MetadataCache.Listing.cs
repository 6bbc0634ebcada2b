using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>Listings.</content>
internal sealed partial class MetadataCache
{
    private const int LargestPage = 1_000;
    private const int SmallPage = 100;
    private const int MaxReadAheads = 4;
    private const int PagesAhead = 2;

    private readonly ListingTable _listings;
    private readonly SingleFlight<ListingQuestion, ListPage> _listFlights = new();
    private readonly SemaphoreSlim _readAheads = new(MaxReadAheads);
    private readonly StripedCounter _listingHits = new();
    private readonly StripedCounter _listingMisses = new();
    private long _totalBytes = -1;

    /// <summary>Bytes of cached listings.</summary>
    public long ListingBytes => _listings.Bytes;

    /// <summary>Pages answered without asking the under-store.</summary>
    public long ListingHits => _listingHits.Value;

    /// <summary>Pages asked of the under-store, those of read-ahead and walks included.</summary>
    public long ListingMisses => _listingMisses.Value;

    /// <summary>Bytes of all objects the last complete listing of the mount point saw; null when it was never listed whole.</summary>
    public long? TotalBytes => Volatile.Read(ref _totalBytes) is >= 0 and long bytes ? bytes : null;

    /// <summary>
    /// Lists one page, from what is known where it is fresh, else with at most one question to the under-store, which those who ask the same share.
    /// </summary>
    /// <param name="query">Full prefix and names.</param>
    /// <param name="requestId">Passed on to the under-store.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    /// <exception cref="ForebayException">As <see cref="IUnderStore.ListAsync"/>.</exception>
    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => ListAsync(query, cut: 0, requestId, cancellationToken);

    /// <summary>
    /// As <see cref="ListAsync(ListQuery, string?, CancellationToken)"/> with prefix, start and names relative to the mount point's prefix; the keys
    /// of the stats are then the same relative strings.
    /// </summary>
    public ValueTask<ListPage> ListRelativeAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => _prefix.Length == 0
            ? ListAsync(query, cut: 0, requestId, cancellationToken)
            : ListAsync(
                query with { Prefix = _prefix + query.Prefix, After = query.After is null ? null : _prefix + query.After },
                _prefix.Length,
                requestId,
                cancellationToken);

    /// <summary>
    /// Feeds a page that is known and fresh to a sink as UTF-8, without making strings; false (and an untouched sink) when it is not known to
    /// its end: <see cref="ListAsync(ListQuery, string?, CancellationToken)"/> brings it.
    /// </summary>
    /// <param name="query">Full prefix and names.</param>
    /// <param name="sink">Takes the names; its state is replaced only on success.</param>
    /// <param name="isTruncated">True when more names may follow.</param>
    public bool TryVisit<TSink>(ListQuery query, ref TSink sink, out bool isTruncated)
        where TSink : struct, IListSink
    {
        ListingRange range = ListingRange.From(query.Prefix, query.Delimiter is { Length: 0 } ? null : query.Delimiter, query.After);
        TSink trial = sink;
        ListingCoverage coverage = FlatAnswers(range.Delimiter is not null)
            ? ListingReader.Read(_listings, _listings.Flat, range, query.MaxEntries, _time.GetTimestamp(), allowExpired: false, ref trial)
            : ListingCoverage.Hole;
        isTruncated = coverage == ListingCoverage.Full;
        if (coverage == ListingCoverage.Hole)
        {
            return false;
        }

        sink = trial;
        _listingHits.Increment();
        return true;
    }

    private ValueTask<ListPage> ListAsync(ListQuery query, int cut, string? requestId, CancellationToken cancellationToken)
    {
        if (query.MaxEntries is < 1 or > LargestPage)
        {
            throw new ArgumentOutOfRangeException(nameof(query), query.MaxEntries, "A page has 1 to 1,000 entries.");
        }

        if (query.Delimiter is { Length: 0 })
        {
            query = query with { Delimiter = null };
        }

        ListingRange range = ListingRange.From(query.Prefix, query.Delimiter, query.After);
        if (range.IsEmpty)
        {
            return new ValueTask<ListPage>(new ListPage([], IsTruncated: false));
        }

        TreeWalk? walk = WalkOf(query);
        ListingCoverage coverage = ReadKnown(query, range, cut, allowExpired: false, out ListEntrySink sink);
        if (coverage != ListingCoverage.Hole)
        {
            _listingHits.Increment();
            GoAhead(walk);
            return new ValueTask<ListPage>(Finish(query, sink.ToArray(), coverage == ListingCoverage.Full, cut));
        }

        return FillAsync(query, range, sink, cut, walk, requestId, cancellationToken);
    }

    private ListingCoverage ReadKnown(ListQuery query, in ListingRange range, int cut, bool allowExpired, out ListEntrySink sink)
    {
        int cutBytes = cut == 0 ? 0 : Encoding.UTF8.GetByteCount(query.Prefix.AsSpan(0, cut));
        long timestamp = _time.GetTimestamp();
        sink = new ListEntrySink(query.MaxEntries, cutBytes);
        bool isFlatAll = FlatAnswers(query.Delimiter is not null);

        // In an outage what names the files is better than nothing.
        ListingCoverage coverage = isFlatAll || allowExpired
            ? ListingReader.Read(_listings, _listings.Flat, range, query.MaxEntries, timestamp, allowExpired, ref sink)
            : ListingCoverage.Hole;
        if ((coverage != ListingCoverage.Hole && !allowExpired) || query.Delimiter is null
            || !_listings.TryGetDelimited(query.Prefix, query.Delimiter, out ListingSpace? space))
        {
            return coverage;
        }

        var other = new ListEntrySink(query.MaxEntries, cutBytes);
        ListingCoverage otherCoverage = ListingReader.Read(_listings, space, range, query.MaxEntries, timestamp, allowExpired, ref other);
        bool isFlatBetter = coverage != ListingCoverage.Hole && (otherCoverage == ListingCoverage.Hole || (isFlatAll && IsNewer(_listings.Flat, space, range.Lower, timestamp)));
        if (!isFlatBetter && (otherCoverage != ListingCoverage.Hole || other.Count > sink.Count))
        {
            sink = other;
            return otherCoverage;
        }

        return coverage;
    }

    /// <summary>Whether what is known of the flat space answers a listing: not for directories that may be empty.</summary>
    private bool FlatAnswers(bool hasDelimiter) => !hasDelimiter || !_store.HasDirectories;

    /// <summary>Of two listings that both expired, the one that was asked for later counts.</summary>
    private bool IsNewer(ListingSpace one, ListingSpace other, byte[] position, long timestamp)
        => _listings.Find(one, position, timestamp, allowExpired: true)?.AsOf.Sequence > _listings.Find(other, position, timestamp, allowExpired: true)?.AsOf.Sequence;

    private async ValueTask<ListPage> FillAsync(
        ListQuery query, ListingRange range, ListEntrySink sink, int cut, TreeWalk? walk, string? requestId, CancellationToken cancellationToken)
    {
        string? after = sink.LastName is { } last ? query.Prefix[..cut] + last : query.After;
        var question = new ListingQuestion(
            query.Prefix, query.Delimiter, after, query.MaxEntries < SmallPage ? SmallPage : LargestPage);
        if (_outage.IsDown && await TryListStaleAsync(query, range, cut, cancellationToken) is { } stale)
        {
            if (_outage.TryBeginProbe())
            {
                _ = EndProbeAfterAsync(FlyAsync(question, requestId: null, _lifetime.Token));
            }

            return stale;
        }

        ListPage page;
        try
        {
            Task<ListPage> asking = walk is null
                ? AskForPageAsync(question, requestId, cancellationToken)
                : AskInWalkAsync(walk, question, requestId, cancellationToken);
            if (await IsSlowAsync(asking, cancellationToken) && await TryListStaleAsync(query, range, cut, cancellationToken) is { } known)
            {
                StandInForSlow(asking);
                return known;
            }

            page = await asking;
        }
        catch (ForebayException error) when (error.IsTransient)
        {
            if (await TryListStaleAsync(query, range, cut, cancellationToken) is { } substitute)
            {
                return substitute;
            }

            throw;
        }

        int used = 0;
        while (used < page.Entries.Count && sink.Count < query.MaxEntries)
        {
            sink.Add(WithoutPrefix(page.Entries[used++], cut));
        }

        return Finish(query, sink.ToArray(), page.IsTruncated || used < page.Entries.Count, cut);
    }

    private static ListEntry WithoutPrefix(ListEntry entry, int cut)
    {
        if (cut == 0)
        {
            return entry;
        }

        string name = entry.Name[cut..];
        return new ListEntry(name, entry.Stat is null ? null : entry.Stat with { Key = name });
    }

    private async ValueTask<ListPage?> TryListStaleAsync(ListQuery query, ListingRange range, int cut, CancellationToken cancellationToken)
    {
        if (!_options.ServeStaleOnError)
        {
            return null;
        }

        ListingCoverage coverage = ReadKnown(query, range, cut, allowExpired: true, out ListEntrySink sink);
        if (coverage == ListingCoverage.Hole && _kept is not null)
        {
            // And looked at again in any case: another question may have recalled them in between.
            await RecallListingsAsync(_kept.Listings, cancellationToken);
            coverage = ReadKnown(query, range, cut, allowExpired: true, out sink);
        }

        if (coverage == ListingCoverage.Hole && sink.Count == 0)
        {
            return null;
        }

        _listingHits.Increment();
        return new ListPage(sink.ToArray(), coverage != ListingCoverage.Complete);
    }

    private ListPage Finish(ListQuery query, ListEntry[] entries, bool isTruncated, int cut)
    {
        // A second page is what tells a pager from one who only looks.
        if (isTruncated && query.After is not null && entries.Length > 0 && _options.MetadataTtl > TimeSpan.Zero)
        {
            StartReadAhead(query.Prefix, query.Delimiter, query.Prefix[..cut] + entries[^1].Name);
        }

        return new ListPage(entries, isTruncated);
    }

    private Task<ListPage> AskForPageAsync(ListingQuestion question, string? requestId, CancellationToken cancellationToken)
        => _outage.Confirmed is null
            ? FlyAsync(question, requestId, cancellationToken)
            : AskInOutageAsync(token => FlyAsync(question, requestId, token), cancellationToken);

    private Task<ListPage> FlyAsync(ListingQuestion question, string? requestId, CancellationToken cancellationToken)
        => _listFlights.RunAsync(
            question,
            (Cache: this, RequestId: requestId),
            static (question, state, flightToken) => state.Cache.AskAsync(question, state.RequestId, flightToken),
            cancellationToken);

    private async Task<ListPage> AskAsync(ListingQuestion question, string? requestId, CancellationToken cancellationToken)
    {
        _listingMisses.Increment();
        MetadataMoment asOf = Now();
        try
        {
            ListPage page = await _store.ListAsync(
                new ListQuery(question.Prefix, question.Delimiter, question.After, question.MaxEntries), requestId, cancellationToken);
            _outage.ReportAnswer();
            Store(question, page, asOf);
            return page;
        }
        catch (ForebayException error)
        {
            _outage.ReportFailure(error, question.Prefix);
            throw;
        }
    }

    private void Store(ListingQuestion question, ListPage page, MetadataMoment asOf)
    {
        ListingRange range = ListingRange.From(question.Prefix, question.Delimiter, question.After);
        bool hasPrefixes = false;
        foreach (ListEntry entry in page.Entries)
        {
            hasPrefixes |= entry.IsPrefix;
        }

        PackedEntries packed = PackedEntries.Pack(page.Entries);

        // Behind a prefix entry nothing shows before the end of what it stands for; the next page begins just there.
        byte[]? upper = !page.IsTruncated ? range.Upper
            : page.Entries[^1].IsPrefix ? KeyBytes.EndOfPrefix(packed.LastName)
            : KeyBytes.After(packed.LastName);
        var segment = new ListingSegment(range.Lower, upper, packed, asOf, _time.After(asOf.Timestamp, _options.MetadataTtl));
        lock (_gate)
        {
            if (asOf.Sequence < _allRefreshedAt || _refreshes.TouchesPrefix(question.Prefix, asOf.Sequence))
            {
                return;
            }

            // Without prefix entries a delimited listing hides nothing: it says as much as a flat one, where that says all.
            bool isFlat = question.Delimiter is null || (!hasPrefixes && !_store.HasDirectories);
            string? delimiter = isFlat ? null : question.Delimiter;
            string space = isFlat ? "" : question.Prefix;
            if (_listings.Insert(delimiter, space, segment))
            {
                _kept?.Listings.Keep(delimiter, space, segment);
            }
        }

        if (!page.IsTruncated && !hasPrefixes && _prefix.StartsWith(question.Prefix, StringComparison.Ordinal))
        {
            byte[] lower = Encoding.UTF8.GetBytes(_prefix);
            if (_listings.SumFlat(lower, KeyBytes.EndOfPrefix(lower)) is { } total)
            {
                Volatile.Write(ref _totalBytes, total);
            }
        }
    }

    private StatEntry? TryGetFromListing(string key, bool requireHeaders)
    {
        long now = _time.GetTimestamp();
        if (_listings.Lookup(key, now, out ObjectStat? stat) is not { } segment
            || (stat is not null && requireHeaders)
            || now >= ExpiryOf(stat is not null, segment.AsOf)
            || (_stats.TryFind(key, out StatEntry? known) && known.Sequence > segment.AsOf.Sequence))
        {
            return null;
        }

        _hits.Increment();
        return Store(key, stat, segment.AsOf, out _);
    }

    private void DetachFlights(string keyOrPrefix, bool isPrefix)
    {
        _statFlights.Detach(key => isPrefix
            ? key.StartsWith(keyOrPrefix, StringComparison.Ordinal)
            : string.Equals(key, keyOrPrefix, StringComparison.Ordinal));
        _listFlights.Detach(question => keyOrPrefix.StartsWith(question.Prefix, StringComparison.Ordinal)
            || (isPrefix && question.Prefix.StartsWith(keyOrPrefix, StringComparison.Ordinal)));
    }

    private void StartReadAhead(string prefix, string? delimiter, string after)
    {
        if (_readAheads.Wait(0))
        {
            _ = ReadAheadAsync(prefix, delimiter, after);
        }
    }

    /// <summary>Brings the pages behind a name that are not known yet.</summary>
    private async Task ReadAheadAsync(string prefix, string? delimiter, string after)
    {
        try
        {
            for (int page = 0; page < PagesAhead; page++)
            {
                ListingRange range = ListingRange.From(prefix, delimiter, after);
                if (range.IsEmpty || _outage.IsDown)
                {
                    return;
                }

                var query = new ListQuery(prefix, delimiter, after, LargestPage);
                if (FindHole(query, range, ref after) != ListingCoverage.Hole)
                {
                    if (page == PagesAhead - 1 || string.Equals(after, query.After, StringComparison.Ordinal))
                    {
                        return;
                    }

                    continue;
                }

                ListPage answer = await FlyAsync(new ListingQuestion(prefix, delimiter, after, LargestPage), requestId: null, _lifetime.Token);
                if (!answer.IsTruncated)
                {
                    return;
                }

                after = answer.Entries[^1].Name;
            }
        }
        catch (ForebayException)
        {
            // Optional work: whoever needs the page asks for it and gets the error.
        }
        catch (OperationCanceledException)
        {
            // The cache was disposed.
        }
        finally
        {
            _readAheads.Release();
        }
    }

    private ListingCoverage FindHole(ListQuery query, in ListingRange range, ref string after)
    {
        long timestamp = _time.GetTimestamp();
        var sink = new LastNameSink();
        ListingSpace space = query.Delimiter is not null && _listings.TryGetDelimited(query.Prefix, query.Delimiter, out ListingSpace? delimited)
            ? delimited
            : _listings.Flat;
        ListingCoverage coverage = ListingReader.Read(_listings, space, range, query.MaxEntries, timestamp, allowExpired: false, ref sink);
        after = sink.Name is { } name ? Encoding.UTF8.GetString(name, 0, sink.Length) : after;
        return coverage;
    }

    private readonly record struct ListingQuestion(string Prefix, string? Delimiter, string? After, int MaxEntries);

    private struct LastNameSink : IListSink
    {
        public byte[]? Name;
        public int Length;

        public void OnObject(scoped ref PackedCursor cursor) => Keep(cursor.Name);

        public void OnPrefix(scoped ref PackedCursor cursor, ReadOnlySpan<byte> name) => Keep(name);

        private void Keep(ReadOnlySpan<byte> name)
        {
            if (Name is null || Name.Length < name.Length)
            {
                Name = new byte[Math.Max(1024, name.Length)];
            }

            name.CopyTo(Name);
            Length = name.Length;
        }
    }
}
