using System.Diagnostics.CodeAnalysis;
using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// All known listings of one mount point: the flat space of keys, and one space for each (prefix, delimiter) whose listing shows prefix
/// entries, or is of a source with directories. Bounded in bytes; the segment used least recently goes first. Thread-safe: one lock, held for searches and
/// links only, never while names are decoded.
/// </summary>
internal sealed class ListingTable(long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Dictionary<string, ListingSpace>> _delimited = new(StringComparer.Ordinal);
    private readonly ListingSpace _flat = new(delimiter: null, prefix: "");
    private ListingSegment? _newest;
    private ListingSegment? _oldest;
    private long _bytes;

    /// <summary>Bytes of all segments, their share of objects and arrays included.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>The flat space.</summary>
    public ListingSpace Flat => _flat;

    /// <summary>The space of one prefix and delimiter; false when nothing of it is known.</summary>
    public bool TryGetDelimited(string prefix, string delimiter, [NotNullWhen(true)] out ListingSpace? space)
    {
        lock (_gate)
        {
            space = null;
            return _delimited.TryGetValue(delimiter, out Dictionary<string, ListingSpace>? spaces) && spaces.TryGetValue(prefix, out space);
        }
    }

    /// <summary>The segment that holds a position and counts as used now; null when it is unknown or, unless wanted, expired.</summary>
    public ListingSegment? Find(ListingSpace space, ReadOnlySpan<byte> position, long timestamp, bool allowExpired)
    {
        lock (_gate)
        {
            ListingSegment? segment = space.Find(position);
            if (segment is null || (!allowExpired && timestamp >= segment.ExpiresAt))
            {
                return null;
            }

            if (!ReferenceEquals(segment, _newest))
            {
                Unlink(segment);
                LinkNewest(segment);
            }

            return segment;
        }
    }

    /// <summary>
    /// Stores an answer; older ones give way where they overlap. An answer to an earlier question than one that is there is not stored.
    /// </summary>
    /// <returns>True when it was stored.</returns>
    public bool Insert(string? delimiter, string prefix, ListingSegment segment)
    {
        lock (_gate)
        {
            ListingSpace space = delimiter is null ? _flat : GetOrAddDelimited(delimiter, prefix);
            if (!TryPlace(space, segment))
            {
                return false;
            }

            bool fits = segment.Cost <= maxBytes;
            if (!fits)
            {
                // Without it, what it took the place of must not be believed either.
                Drop(segment);
            }

            while (_bytes > maxBytes && _oldest is { } victim && !ReferenceEquals(victim, segment))
            {
                Drop(victim);
            }

            return fits;
        }
    }

    /// <summary>Takes over what another table knows and this one does not, as far as there is room; it leaves again before anything else.</summary>
    /// <param name="older">What it says is older than anything here. No other thread uses it.</param>
    /// <param name="latest">Sequence above all of <paramref name="older"/>'s: what is taken over is put before zero, in its order.</param>
    /// <param name="expiresAt">For what is taken over.</param>
    public void FillFrom(ListingTable older, long latest, long expiresAt)
    {
        lock (_gate)
        {
            FillFrom(older._flat, _flat, latest, expiresAt);
            foreach ((string delimiter, Dictionary<string, ListingSpace> spaces) in older._delimited)
            {
                foreach ((string prefix, ListingSpace space) in spaces)
                {
                    ListingSpace target = GetOrAddDelimited(delimiter, prefix);
                    FillFrom(space, target, latest, expiresAt);
                    RemoveIfEmpty(target);
                }
            }
        }
    }

    /// <summary>Drops every segment that would show a key, as an object or below a prefix entry.</summary>
    public void DropKey(string key)
    {
        lock (_gate)
        {
            if (_flat.Find(Encoding.UTF8.GetBytes(key)) is { } segment)
            {
                Drop(segment);
            }

            foreach (ListingSpace space in SpacesAbove(key))
            {
                if (space.Find(NameIn(space, key)) is { } delimited)
                {
                    Drop(delimited);
                }
            }
        }
    }

    /// <summary>Drops every segment that shows or would show something below a prefix.</summary>
    public void DropPrefix(string prefix)
    {
        lock (_gate)
        {
            DropOverlapping(_flat, Encoding.UTF8.GetBytes(prefix));
            foreach (ListingSpace space in SpacesAbove(prefix))
            {
                DropOverlapping(space, NameIn(space, prefix));
            }

            foreach (ListingSpace space in SpacesBelow(prefix))
            {
                DropOverlapping(space, []);
            }
        }
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            while (_oldest is { } segment)
            {
                Drop(segment);
            }
        }
    }

    /// <summary>Looks for one object in the newest of the listings that tell of its place and are fresh, or wanted though they expired: null segment when there is none.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="timestamp">Now.</param>
    /// <param name="stat">The object, without headers; null when the listing does not show it.</param>
    /// <param name="allowExpired">For an under-store that cannot be reached.</param>
    public ListingSegment? Lookup(string key, long timestamp, out ObjectStat? stat, bool allowExpired = false)
    {
        byte[] name = Encoding.UTF8.GetBytes(key);
        ListingSegment? segment = Newer(
            Find(_flat, name, timestamp, allowExpired),
            Newer(FindDelimited(DirectoryOf(key), name, timestamp, allowExpired), FindDelimited(key, name, timestamp, allowExpired)));
        stat = segment is null ? null : Shown(segment, name, key);
        return segment;
    }

    /// <summary>True when a fresh listing that was asked for earlier shows something else than an answer of the under-store about one object.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="stat">The answer; null where there is no object.</param>
    /// <param name="asOf">When it was asked for.</param>
    public bool IsContradictedBy(string key, ObjectStat? stat, MetadataMoment asOf)
    {
        byte[] name = Encoding.UTF8.GetBytes(key);
        return Differs(Find(_flat, name, asOf.Timestamp, allowExpired: false))
            || Differs(FindDelimited(DirectoryOf(key), name, asOf.Timestamp, allowExpired: false))
            || Differs(FindDelimited(key, name, asOf.Timestamp, allowExpired: false));

        bool Differs(ListingSegment? segment)
            => segment is not null && segment.AsOf.Sequence < asOf.Sequence && MetadataCache.Differ(Shown(segment, name, key), stat);
    }

    /// <summary>The part of a key up to its last slash, and with it.</summary>
    public static string DirectoryOf(string key) => key[..(key.LastIndexOf('/') + 1)];

    private static ListingSegment? Newer(ListingSegment? one, ListingSegment? other)
        => one is null || other?.AsOf.Sequence > one.AsOf.Sequence ? other : one;

    private ListingSegment? FindDelimited(string prefix, byte[] name, long timestamp, bool allowExpired)
        => TryGetDelimited(prefix, "/", out ListingSpace? space) ? Find(space, name, timestamp, allowExpired) : null;

    private static ObjectStat? Shown(ListingSegment segment, byte[] name, string key)
    {
        var cursor = new PackedCursor(segment.Entries, new byte[segment.Entries.LongestName]);
        return cursor.Seek(name) && (cursor.Flags & PackedFlags.Prefix) == PackedFlags.None && cursor.Name.SequenceEqual(name) ? cursor.ToStat(key) : null;
    }

    /// <summary>Bytes of all objects in [lower, upper) of the flat space, expired or not; null when a part of it is unknown.</summary>
    public long? SumFlat(byte[] lower, byte[]? upper)
    {
        var chain = new List<ListingSegment>();
        lock (_gate)
        {
            byte[]? position = lower;
            while (position is not null && KeyBytes.IsBefore(position, upper))
            {
                if (_flat.Find(position) is not { } segment)
                {
                    return null;
                }

                chain.Add(segment);
                position = segment.Upper;
            }
        }

        long sum = 0;
        foreach (ListingSegment segment in chain)
        {
            var cursor = new PackedCursor(segment.Entries, new byte[segment.Entries.LongestName]);
            byte[] start = segment.Lower.AsSpan().SequenceCompareTo(lower) > 0 ? segment.Lower : lower;
            byte[]? end = KeyBytes.MinUpper(segment.Upper, upper);
            for (bool more = cursor.Seek(start); more && KeyBytes.IsBefore(cursor.Name, end); more = cursor.MoveNext())
            {
                sum += cursor.Length;
            }
        }

        return sum;
    }

    private void FillFrom(ListingSpace older, ListingSpace space, long latest, long expiresAt)
    {
        foreach (ListingSegment segment in older.Segments)
        {
            // Not where it overlaps what is known: that is newer.
            (int start, int count) = space.FindOverlapping(segment.Lower, segment.Upper);
            var taken = new ListingSegment(segment.Lower, segment.Upper, segment.Entries, new MetadataMoment(segment.AsOf.Sequence - latest, 0), expiresAt) { Space = space };
            if (count == 0 && _bytes + taken.Cost <= maxBytes)
            {
                space.Replace(start, 0, [taken]);
                LinkOldest(taken);
                Volatile.Write(ref _bytes, _bytes + taken.Cost);
            }
        }
    }

    private static byte[] NameIn(ListingSpace space, string key)
    {
        int at = key.IndexOf(space.Delimiter!, space.Prefix.Length, StringComparison.Ordinal);
        return Encoding.UTF8.GetBytes(at < 0 ? key : key[..(at + space.Delimiter!.Length)]);
    }

    private bool TryPlace(ListingSpace space, ListingSegment segment)
    {
        (int start, int count) = space.FindOverlapping(segment.Lower, segment.Upper);
        for (int i = start; i < start + count; i++)
        {
            if (space.Segments[i].AsOf.Sequence > segment.AsOf.Sequence)
            {
                RemoveIfEmpty(space);
                return false;
            }
        }

        if (count == 1 && space.Segments[start].SaysTheSame(segment))
        {
            segment.KeptEpoch = space.Segments[start].KeptEpoch;
        }

        var replacements = new List<ListingSegment>(3);
        if (count > 0 && space.Segments[start] is { } first && first.Lower.AsSpan().SequenceCompareTo(segment.Lower) < 0)
        {
            replacements.Add(first.Narrow(first.Lower, segment.Lower));
        }

        replacements.Add(segment);
        if (count > 0 && segment.Upper is { } upper && space.Segments[start + count - 1] is { } last && KeyBytes.IsBefore(upper, last.Upper))
        {
            replacements.Add(last.Narrow(upper, last.Upper));
        }

        for (int i = start; i < start + count; i++)
        {
            Forget(space.Segments[i]);
        }

        space.Replace(start, count, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(replacements));
        foreach (ListingSegment replacement in replacements)
        {
            replacement.Space = space;
            LinkNewest(replacement);
            Volatile.Write(ref _bytes, _bytes + replacement.Cost);
        }

        return true;
    }

    private ListingSpace GetOrAddDelimited(string delimiter, string prefix)
    {
        if (!_delimited.TryGetValue(delimiter, out Dictionary<string, ListingSpace>? spaces))
        {
            spaces = new Dictionary<string, ListingSpace>(StringComparer.Ordinal);
            _delimited.Add(delimiter, spaces);
        }

        if (!spaces.TryGetValue(prefix, out ListingSpace? space))
        {
            space = new ListingSpace(delimiter, prefix);
            spaces.Add(prefix, space);
        }

        return space;
    }

    private List<ListingSpace> SpacesAbove(string key)
    {
        var found = new List<ListingSpace>();
        foreach (Dictionary<string, ListingSpace> spaces in _delimited.Values)
        {
            Dictionary<string, ListingSpace>.AlternateLookup<ReadOnlySpan<char>> bySpan = spaces.GetAlternateLookup<ReadOnlySpan<char>>();
            for (int length = 0; length <= key.Length; length++)
            {
                if (bySpan.TryGetValue(key.AsSpan(0, length), out ListingSpace? space))
                {
                    found.Add(space);
                }
            }
        }

        return found;
    }

    private List<ListingSpace> SpacesBelow(string prefix)
    {
        var found = new List<ListingSpace>();
        foreach (Dictionary<string, ListingSpace> spaces in _delimited.Values)
        {
            foreach (ListingSpace space in spaces.Values)
            {
                if (space.Prefix.StartsWith(prefix, StringComparison.Ordinal))
                {
                    found.Add(space);
                }
            }
        }

        return found;
    }

    private void DropOverlapping(ListingSpace space, byte[] prefix)
    {
        byte[]? end = KeyBytes.EndOfPrefix(prefix);
        (int start, int count) = space.FindOverlapping(prefix, end);
        for (int i = start; i < start + count; i++)
        {
            Forget(space.Segments[i]);
        }

        space.Replace(start, count, []);
        RemoveIfEmpty(space);
    }

    private void Drop(ListingSegment segment)
    {
        ListingSpace space = segment.Space!;
        space.Remove(segment);
        Forget(segment);
        RemoveIfEmpty(space);
    }

    private void RemoveIfEmpty(ListingSpace space)
    {
        if (space.Delimiter is null || space.Segments.Count > 0)
        {
            return;
        }

        Dictionary<string, ListingSpace> spaces = _delimited[space.Delimiter];
        spaces.Remove(space.Prefix);
        if (spaces.Count == 0)
        {
            _delimited.Remove(space.Delimiter);
        }
    }

    private void Forget(ListingSegment segment)
    {
        Unlink(segment);
        Volatile.Write(ref _bytes, _bytes - segment.Cost);
        segment.Space = null;
    }

    private void LinkNewest(ListingSegment segment)
    {
        segment.Older = _newest;
        segment.Newer = null;
        if (_newest is not null)
        {
            _newest.Newer = segment;
        }

        _newest = segment;
        _oldest ??= segment;
    }

    private void LinkOldest(ListingSegment segment)
    {
        segment.Newer = _oldest;
        segment.Older = null;
        if (_oldest is not null)
        {
            _oldest.Older = segment;
        }

        _oldest = segment;
        _newest ??= segment;
    }

    private void Unlink(ListingSegment segment)
    {
        if (segment.Newer is { } newer)
        {
            newer.Older = segment.Older;
        }
        else
        {
            _newest = segment.Older;
        }

        if (segment.Older is { } older)
        {
            older.Newer = segment.Newer;
        }
        else
        {
            _oldest = segment.Newer;
        }

        segment.Newer = null;
        segment.Older = null;
    }
}
