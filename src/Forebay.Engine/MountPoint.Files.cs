using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Reading;

namespace Forebay.Engine;

/// <content>What a file system asks.</content>
internal sealed partial class MountPoint
{
    /// <inheritdoc/>
    public string Source => Options.Source;

    /// <inheritdoc/>
    public void WatchForgotten(Action<string> watcher) => _forgottenWatchers += watcher;

    /// <inheritdoc/>
    public bool TryResolve(string path, NameDetail detail, out ResolvedName answer)
    {
        if (!Metadata.TryResolve(FullKey(path), detail, out answer))
        {
            return false;
        }

        answer = Relative(answer, path);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<ResolvedName> ResolveAsync(string path, NameDetail detail, string? requestId, CancellationToken cancellationToken)
        => Relative(await Metadata.ResolveAsync(FullKey(path), detail, requestId, cancellationToken), path);

    /// <inheritdoc/>
    public bool TryResolveMarker(string path, out ResolvedName marker)
    {
        if (!Metadata.TryFindObject(FullKey(path), out marker))
        {
            return false;
        }

        marker = Relative(marker, path);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<ResolvedName> ResolveMarkerAsync(string path, string? requestId, CancellationToken cancellationToken)
        => Relative(await Metadata.FindObjectAsync(FullKey(path), requestId, cancellationToken), path);

    /// <inheritdoc/>
    public async ValueTask<DirectoryPage> ListDirectoryAsync(string prefix, string? after, int maxEntries, string? requestId, CancellationToken cancellationToken)
    {
        ListPage page = await Metadata.ListRelativeAsync(new ListQuery(prefix, "/", after, maxEntries), requestId, cancellationToken);
        TimeSpan freshFor = Metadata.FreshnessOf(FullKey(prefix), after is null ? null : FullKey(after), page, Options.Prefix.Length);
        return new DirectoryPage(page.Entries, page.IsTruncated, freshFor);
    }

    /// <inheritdoc/>
    public IFileReader OpenVersion(ObjectStat stat, string? requestId)
    {
        StatEntry entry = EntryOf(stat);
        CacheFile? file = FileOf(entry, create: true);
        file?.Touch();
        return new FileReader(this, entry, file, requestId);
    }

    /// <inheritdoc/>
    public bool TryTakeWhole(ObjectStat stat, out FileSegment file)
    {
        file = default;
        if (stat.Length == 0 || FileOf(EntryOf(stat), create: false) is not { IsWholeAndVerified: true } found)
        {
            return false;
        }

        if (found.TryGetSegment(0, found.Length, out file) != SegmentStatus.Hit)
        {
            return false;
        }

        if (file.Length == found.Length)
        {
            found.Touch();
            return true;
        }

        file.Dispose();
        file = default;
        return false;
    }

    /// <inheritdoc/>
    public long CachedBytesOf(ObjectStat stat)
        => Math.Min(stat.Length, _cache.Tiers.Sum(tier => tier.PresentBytes(EntryOf(stat).Version)));

    /// <inheritdoc/>
    public async ValueTask<long> BringAsync(ObjectStat stat, CancellationToken cancellationToken)
    {
        StatEntry entry = EntryOf(stat);
        if (stat.Length == 0 || FileOf(entry, create: false) is { IsWhole: true })
        {
            return 0;
        }

        using ObjectReader reader = OpenKnown(stat.Key, entry, new ByteRange(0, stat.Length), requestId: null);
        return await reader.BringAllAsync(AheadContext, cancellationToken);
    }

    private void RaiseForgotten(string fullKey)
    {
        // What was refreshed may lie above this mount point's prefix.
        string prefix = Options.Prefix;
        if (fullKey.StartsWith(prefix, StringComparison.Ordinal))
        {
            _forgottenWatchers?.Invoke(fullKey[prefix.Length..]);
        }
        else if (prefix.StartsWith(fullKey, StringComparison.Ordinal))
        {
            _forgottenWatchers?.Invoke("");
        }
    }

    /// <summary>The entry of a version: the one that is known of its key if it is of this version, for its attachment; else one of its own.</summary>
    private StatEntry EntryOf(ObjectStat stat)
    {
        if (Metadata.TryGetRelative(stat.Key) is { IsNegative: false } known && known.IsSameVersion(stat))
        {
            return known;
        }

        string fullKey = FullKey(stat.Key);
        return new StatEntry(_store.Id, fullKey, stat with { Key = fullKey }, Metadata.Now(), expiresAt: 0);
    }

    private static ResolvedName Relative(ResolvedName answer, string path)
        => answer.Object is { } stat && stat.Key.Length != path.Length ? answer with { Object = stat with { Key = path } } : answer;
}
