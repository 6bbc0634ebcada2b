using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>Names as a file system sees them. Keys are full keys without a trailing slash.</content>
internal sealed partial class MetadataCache
{
    private const int ResolvePage = 100;

    /// <summary>Called after a refresh or invalidation with the full key or prefix; under no lock.</summary>
    public Action<string>? Forgotten { get; set; }

    /// <summary>What a name means, from what is known and fresh.</summary>
    public bool TryResolve(string key, NameDetail detail, out ResolvedName answer)
    {
        long now = _time.GetTimestamp();
        BelowAnswer below = AskedBelow(key, now);
        bool needsHeaders = detail == NameDetail.Headers;
        if (below.Shows == true)
        {
            StatEntry? hidden = TryGet(key);
            answer = new ResolvedName(hidden?.Stat, IsDirectory: true, Remaining(below.ExpiresAt, now));
            return true;
        }

        StatEntry? entry = below.Shows is null ? null : TryGet(key, needsHeaders) ?? TryGetFromListing(key, needsHeaders);
        if (entry is null || (entry.IsNegative ? now >= below.NothingUntil : IsGone(key, entry, below, now)))
        {
            answer = default;
            return false;
        }

        long expiresAt = entry.ExpiresAt;
        if (entry.IsNegative || !_options.Immutable)
        {
            // What is a file stays one for as long as the listing that shows it is believed; what is nothing may be a directory any moment.
            expiresAt = Math.Min(expiresAt, entry.IsNegative ? below.NothingUntil : below.ExpiresAt);
        }

        answer = new ResolvedName(entry.Stat, IsDirectory: false, Remaining(expiresAt, now));
        return true;
    }

    /// <summary>What a name means, asking where it is not known: one listing of the names that begin with it, and beside it its headers.</summary>
    public ValueTask<ResolvedName> ResolveAsync(string key, NameDetail detail, string? requestId, CancellationToken cancellationToken)
        => TryResolve(key, detail, out ResolvedName answer)
            ? new ValueTask<ResolvedName>(answer)
            : ResolveMissAsync(key, detail, requestId, cancellationToken);

    /// <summary>Exactly the object of a key, with its headers, from what is known and fresh; no object where there is none.</summary>
    public bool TryFindObject(string key, out ResolvedName answer)
    {
        StatEntry? entry = TryGet(key, requireHeaders: true) ?? TryGetFromListing(key, requireHeaders: true);
        answer = entry is null ? default : Answer(entry);
        return entry is not null;
    }

    /// <summary>As <see cref="TryFindObject"/>, asking where it is not known.</summary>
    public async ValueTask<ResolvedName> FindObjectAsync(string key, string? requestId, CancellationToken cancellationToken)
        => Answer(await GetAsync(key, requireHeaders: true, requestId, cancellationToken));

    /// <summary>How long a page of a directory may be believed: as long as the stretches of its first and last name.</summary>
    public TimeSpan FreshnessOf(string prefix, string? after, ListPage page, int cut)
    {
        long now = _time.GetTimestamp();
        string first = after ?? prefix;
        string last = page.Entries.Count == 0 ? first : prefix[..cut] + page.Entries[^1].Name;
        long expiresAt = Math.Min(ExpiryAt(prefix, first, now), ExpiryAt(prefix, last, now));
        return Remaining(expiresAt, now);
    }

    private async ValueTask<ResolvedName> ResolveMissAsync(string key, NameDetail detail, string? requestId, CancellationToken cancellationToken)
    {
        if (_outage.IsDown && TryResolveStale(key, detail, out ResolvedName stale))
        {
            if (_outage.TryBeginProbe())
            {
                _ = EndProbeAfterAsync(FlyAsync(new ListingQuestion(key, "/", After: null, SmallPage), requestId: null, _lifetime.Token));
            }

            return stale;
        }

        Task<ResolvedName> asking = AskForNameAsync(key, detail, requestId, cancellationToken);
        try
        {
            if (await IsSlowAsync(asking, cancellationToken) && TryResolveStale(key, detail, out stale))
            {
                StandInForSlow(asking);
                return stale;
            }

            return await asking;
        }
        catch (ForebayException error) when (error.IsTransient && TryResolveStale(key, detail, out stale))
        {
            return stale;
        }
    }

    /// <summary>What a name meant when it was last known, while the under-store cannot be reached. Never "nothing": absence is not guessed.</summary>
    private bool TryResolveStale(string key, NameDetail detail, out ResolvedName answer)
    {
        answer = default;
        if (!_options.ServeStaleOnError)
        {
            return false;
        }

        if (AskedBelow(key, _time.GetTimestamp(), allowExpired: true).Shows == true)
        {
            answer = new ResolvedName(TryGetStale(key)?.Stat, IsDirectory: true, TimeSpan.Zero);
            return true;
        }

        // Without its headers a symbolic link would be shown as a file.
        ObjectStat? stat = TryServeStale(key, requireHeaders: detail == NameDetail.Headers)?.Stat;
        if (stat is null && detail != NameDetail.Headers)
        {
            _listings.Lookup(key, _time.GetTimestamp(), out stat, allowExpired: true);
        }

        answer = new ResolvedName(stat, IsDirectory: false, TimeSpan.Zero);
        return stat is not null;
    }

    private async Task<ResolvedName> AskForNameAsync(string key, NameDetail detail, string? requestId, CancellationToken cancellationToken)
    {
        bool isToldToBeNone = AskedBelow(key, _time.GetTimestamp()).Shows == false;
        if (isToldToBeNone && TryGetFromListing(key, requireHeaders: false) is { IsNegative: false }
            && await GetAsync(key, requireHeaders: true, requestId, cancellationToken) is { IsNegative: false } file)
        {
            // A listing shows the file: only its headers were missing. Is it gone, there may be a directory of its name.
            return Answer(key, isDirectory: false, file.Stat);
        }

        // Beside the listing, so that a cold name costs one round trip.
        Task<StatEntry>? head = detail != NameDetail.Listed ? GetAsync(key, requireHeaders: true, requestId, cancellationToken).AsTask() : null;
        bool isDirectory;
        ObjectStat? stat;
        try
        {
            // What a listing does not show is believed for a shorter time than what it shows: the one that is there is not to answer again.
            (isDirectory, stat) = await ListNameAsync(key, anew: isToldToBeNone, requestId, cancellationToken);
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.AccessDenied)
        {
            // Credentials that may read but not list: names are objects, directories cannot be seen.
            StatEntry only = await (head ?? GetAsync(key, detail != NameDetail.Listed, requestId, cancellationToken).AsTask());
            return new ResolvedName(only.Stat, IsDirectory: false, Remaining(only.ExpiresAt, _time.GetTimestamp()));
        }
        catch
        {
            Forget(head);
            throw;
        }

        if (isDirectory || stat is null)
        {
            Forget(head);
        }
        else if (head is not null)
        {
            stat = (await head).Stat;
        }

        return Answer(key, isDirectory, stat);
    }

    /// <summary>A name behind which a directory comes next, if there is one: '.' is the character before '/'.</summary>
    private static string JustBefore(string directory) => directory[..^1] + ".\U0010FFFF";

    private ResolvedName Answer(StatEntry entry) => new(entry.Stat, IsDirectory: false, Remaining(entry.ExpiresAt, _time.GetTimestamp()));

    private ResolvedName Answer(string key, bool isDirectory, ObjectStat? stat)
        => TryResolve(key, NameDetail.Listed, out ResolvedName known) && known.IsDirectory == isDirectory && known.Object?.Token == stat?.Token
            ? known with { Object = stat }
            : new ResolvedName(stat, isDirectory, TimeSpan.Zero);

    private async ValueTask<(bool IsDirectory, ObjectStat? Stat)> ListNameAsync(string key, bool anew, string? requestId, CancellationToken cancellationToken)
    {
        string asDirectory = key + "/";
        ListPage page = await ListAsync(after: null);
        ObjectStat? stat = null;
        bool isDirectory = false;
        foreach (ListEntry entry in page.Entries)
        {
            if (entry.Stat is { } found && string.Equals(entry.Name, key, StringComparison.Ordinal))
            {
                stat = found;
            }

            isDirectory |= string.Equals(entry.Name, asDirectory, StringComparison.Ordinal);
        }

        if (!isDirectory && page.IsTruncated && KeyOrder.Compare(page.Entries[^1].Name, asDirectory) < 0)
        {
            ListPage rest = await ListAsync(JustBefore(asDirectory));
            isDirectory = rest.Entries.Any(entry => string.Equals(entry.Name, asDirectory, StringComparison.Ordinal));
        }

        return (isDirectory, stat);

        ValueTask<ListPage> ListAsync(string? after)
            => anew
                ? new ValueTask<ListPage>(AskForPageAsync(new ListingQuestion(key, "/", after, LargestPage), requestId, cancellationToken))
                : this.ListAsync(new ListQuery(key, "/", after, ResolvePage), requestId, cancellationToken);
    }

    /// <summary>A listing that was asked for after an object was seen does not show it any more.</summary>
    private bool IsGone(string key, StatEntry entry, BelowAnswer below, long now)
        => !_options.Immutable
            && below.Sequence > entry.Sequence
            && _listings.Lookup(key, now, out ObjectStat? shown) is { } segment
            && shown is null
            && segment.AsOf.Sequence > entry.Sequence;

    /// <summary>Whether keys lie below <c>key/</c>, by the newest listing that tells.</summary>
    private BelowAnswer AskedBelow(string key, long now, bool allowExpired = false)
    {
        string asDirectory = key + "/";
        byte[] below = Encoding.UTF8.GetBytes(asDirectory);
        BelowAnswer answer = ShowsBelow(_listings.Flat, below, now, allowExpired);
        if (answer.Shows == false && _store.HasDirectories && !IsListedFile(key, now, allowExpired))
        {
            // An empty directory has no names that a flat listing could show; only what is a file is none.
            answer = default;
        }

        foreach (string prefix in (ReadOnlySpan<string>)[ListingTable.DirectoryOf(key), key, asDirectory])
        {
            // Most names are settled by the first listing; only one that shows nothing, and is believed in that no longer, may be older than another.
            if (answer.Shows == true || (answer.Shows == false && now < answer.NothingUntil))
            {
                break;
            }

            if (_listings.TryGetDelimited(prefix, "/", out ListingSpace? space))
            {
                BelowAnswer other = ShowsBelow(space, below, now, allowExpired);
                if (other.Shows == false && _store.HasDirectories && ReferenceEquals(prefix, asDirectory))
                {
                    // What it lists itself says nothing of whether it is there.
                    break;
                }

                answer = answer.Shows is null || (other.Shows is not null && other.Sequence > answer.Sequence) ? other : answer;
            }
        }

        return answer;
    }

    private bool IsListedFile(string key, long now, bool allowExpired)
    {
        _listings.Lookup(key, now, out ObjectStat? shown, allowExpired);
        return shown is not null;
    }

    private BelowAnswer ShowsBelow(ListingSpace space, byte[] below, long now, bool allowExpired)
    {
        if (_listings.Find(space, below, now, allowExpired) is not { } segment)
        {
            return default;
        }

        var cursor = new PackedCursor(segment.Entries, new byte[segment.Entries.LongestName]);
        byte[]? end = KeyBytes.EndOfPrefix(below);
        if (cursor.Seek(below) && cursor.Name.StartsWith(below) && KeyBytes.IsBefore(cursor.Name, segment.Upper))
        {
            return new BelowAnswer(true, _options.Immutable ? Never : segment.ExpiresAt, 0, segment.AsOf.Sequence);
        }

        return segment.Upper is { } upper && KeyBytes.IsBefore(upper, end)
            ? default
            : new BelowAnswer(false, segment.ExpiresAt, ExpiryOf(isPositive: false, segment.AsOf), segment.AsOf.Sequence);
    }

    /// <summary>What a listing tells of the keys below a name.</summary>
    /// <param name="Shows">There are some; null when that is not known.</param>
    /// <param name="ExpiresAt">How long it is believed.</param>
    /// <param name="NothingUntil">How long it is believed that the name is nothing at all, where it shows none.</param>
    /// <param name="Sequence">When it was asked for.</param>
    private readonly record struct BelowAnswer(bool? Shows, long ExpiresAt, long NothingUntil, long Sequence);

    private long ExpiryAt(string prefix, string name, long now)
    {
        byte[] position = Encoding.UTF8.GetBytes(name);
        ListingSegment? segment = FlatAnswers(hasDelimiter: true) ? _listings.Find(_listings.Flat, position, now, allowExpired: false) : null;
        if (segment is null && _listings.TryGetDelimited(prefix, "/", out ListingSpace? space))
        {
            segment = _listings.Find(space, position, now, allowExpired: false);
        }

        return segment?.ExpiresAt ?? 0;
    }

    private TimeSpan Remaining(long expiresAt, long now)
        => expiresAt == Never ? TimeSpan.MaxValue
            : expiresAt <= now ? TimeSpan.Zero
            : _time.GetElapsedTime(now, expiresAt);

    /// <summary>Nobody wants the answer any more; a failure of it is not to be reported as unobserved.</summary>
    private static void Forget(Task? question)
        => _ = question?.ContinueWith(static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
