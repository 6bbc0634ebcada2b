using System.Buffers;
using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>Takes the names of a listing one by one, in order. Spans and cursor are valid during the call only.</summary>
internal interface IListSink
{
    /// <summary>An object.</summary>
    void OnObject(scoped ref PackedCursor cursor);

    /// <summary>A prefix entry.</summary>
    void OnPrefix(scoped ref PackedCursor cursor, ReadOnlySpan<byte> name);
}

/// <summary>How far a listing could be answered.</summary>
internal enum ListingCoverage
{
    /// <summary>To its end.</summary>
    Complete,

    /// <summary>As many names as wanted; more may follow.</summary>
    Full,

    /// <summary>To a place that is unknown.</summary>
    Hole,
}

/// <summary>A listing in bytes.</summary>
internal readonly struct ListingRange
{
    private ListingRange(byte[] prefix, byte[]? delimiter, byte[] lower, byte[]? upper)
    {
        Prefix = prefix;
        Delimiter = delimiter;
        Lower = lower;
        Upper = upper;
    }

    /// <summary>All names begin with it.</summary>
    public byte[] Prefix { get; }

    /// <summary>Groups names; null in a flat listing.</summary>
    public byte[]? Delimiter { get; }

    /// <summary>First position wanted.</summary>
    public byte[] Lower { get; }

    /// <summary>First position not wanted.</summary>
    public byte[]? Upper { get; }

    /// <summary>True when no name can be in it.</summary>
    public bool IsEmpty => !KeyBytes.IsBefore(Lower, Upper);

    /// <summary>Translates what a client asks for.</summary>
    public static ListingRange From(string prefix, string? delimiter, string? after)
    {
        byte[] prefixBytes = Encoding.UTF8.GetBytes(prefix);
        byte[]? delimiterBytes = delimiter is null ? null : Encoding.UTF8.GetBytes(delimiter);
        byte[] lower = prefixBytes;
        if (after is not null)
        {
            byte[] afterBytes = Encoding.UTF8.GetBytes(after);
            byte[] behind = KeyBytes.After(afterBytes);
            int group = delimiterBytes is not null && afterBytes.AsSpan().StartsWith(prefixBytes)
                ? GroupLength(afterBytes, prefixBytes.Length, delimiterBytes)
                : -1;

            // Names below a prefix entry hide behind it, and its own name is not greater than `after`.
            lower = group >= 0 ? KeyBytes.EndOfPrefix(afterBytes.AsSpan(0, group)) ?? behind
                : behind.AsSpan().SequenceCompareTo(prefixBytes) > 0 ? behind
                : prefixBytes;
        }

        return new ListingRange(prefixBytes, delimiterBytes, lower, KeyBytes.EndOfPrefix(prefixBytes));
    }

    /// <summary>Length of the prefix entry that stands for a name; −1 when the name stands for itself.</summary>
    public static int GroupLength(ReadOnlySpan<byte> name, int prefixLength, ReadOnlySpan<byte> delimiter)
    {
        int at = name[prefixLength..].IndexOf(delimiter);
        return at < 0 ? -1 : prefixLength + at + delimiter.Length;
    }
}

/// <summary>Answers listings from what a <see cref="ListingTable"/> knows.</summary>
internal static class ListingReader
{
    /// <summary>Feeds at most <paramref name="max"/> names to the sink.</summary>
    /// <param name="table">What is known.</param>
    /// <param name="space">Where to look: the flat space, or the delimited space of just this prefix and delimiter.</param>
    /// <param name="range">What is wanted.</param>
    /// <param name="max">Most names, &gt; 0.</param>
    /// <param name="timestamp">Now; what has expired is unknown unless <paramref name="allowExpired"/>.</param>
    /// <param name="allowExpired">For an under-store that cannot be reached.</param>
    /// <param name="sink">Takes the names.</param>
    public static ListingCoverage Read<TSink>(
        ListingTable table, ListingSpace space, in ListingRange range, int max, long timestamp, bool allowExpired, ref TSink sink)
        where TSink : struct, IListSink
    {
        byte[]? delimiter = space.Delimiter is null ? range.Delimiter : null;
        byte[]? position = range.Lower;
        int count = 0;
        byte[]? scratch = null;
        try
        {
            while (position is not null && KeyBytes.IsBefore(position, range.Upper))
            {
                ListingSegment? segment = table.Find(space, position, timestamp, allowExpired);
                if (segment is null)
                {
                    return count >= max ? ListingCoverage.Full : ListingCoverage.Hole;
                }

                PackedEntries entries = segment.Entries;
                if (scratch is null || scratch.Length < entries.LongestName)
                {
                    Return(scratch);
                    scratch = ArrayPool<byte>.Shared.Rent(entries.LongestName);
                }

                var cursor = new PackedCursor(entries, scratch);
                if (!ReadSegment(ref cursor, segment, range, delimiter, max, ref count, ref position, ref sink))
                {
                    return ListingCoverage.Full;
                }
            }

            return ListingCoverage.Complete;
        }
        finally
        {
            Return(scratch);
        }
    }

    /// <summary>Feeds the part of one segment; false when there is one name more than wanted.</summary>
    private static bool ReadSegment<TSink>(
        ref PackedCursor cursor, ListingSegment segment, in ListingRange range, byte[]? delimiter, int max,
        ref int count, ref byte[]? position, ref TSink sink)
        where TSink : struct, IListSink
    {
        // Most segments lie wholly inside what is wanted: their names need no comparison with its end.
        byte[]? end = KeyBytes.MinUpper(segment.Upper, range.Upper);
        bool checkEnd = end is not null && segment.Entries.LastName.AsSpan().SequenceCompareTo(end) >= 0;
        bool more = cursor.Seek(position);
        while (more && !(checkEnd && !KeyBytes.IsBefore(cursor.Name, end)))
        {
            if (count >= max)
            {
                return false;
            }

            count++;
            int group = delimiter is null ? -1 : ListingRange.GroupLength(cursor.Name, range.Prefix.Length, delimiter);
            if (group < 0)
            {
                if ((cursor.Flags & PackedFlags.Prefix) == PackedFlags.None)
                {
                    sink.OnObject(ref cursor);
                }
                else
                {
                    sink.OnPrefix(ref cursor, cursor.Name);
                }

                more = cursor.MoveNext();
                continue;
            }

            sink.OnPrefix(ref cursor, cursor.Name[..group]);
            position = KeyBytes.EndOfPrefix(cursor.Name[..group]);
            if (position is null || !KeyBytes.IsBefore(position, segment.Upper))
            {
                // The group reaches behind the segment; what lies between need not be known.
                return true;
            }

            more = cursor.Seek(position);
        }

        position = segment.Upper;
        return true;
    }

    private static void Return(byte[]? scratch)
    {
        if (scratch is not null)
        {
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }
}

/// <summary>Makes <see cref="ListEntry"/> values.</summary>
internal struct ListEntrySink(int max, int cut) : IListSink
{
    private ListEntry[] _entries = new ListEntry[Math.Min(max, 1_000)];

    /// <summary>Names so far.</summary>
    public int Count { get; private set; }

    /// <summary>The last name; null when there is none.</summary>
    public readonly string? LastName => Count == 0 ? null : _entries[Count - 1].Name;

    /// <inheritdoc/>
    public void OnObject(scoped ref PackedCursor cursor)
    {
        string name = cursor.ToName(cut);
        Add(new ListEntry(name, cursor.ToStat(name)));
    }

    /// <inheritdoc/>
    public void OnPrefix(scoped ref PackedCursor cursor, ReadOnlySpan<byte> name)
        => Add(new ListEntry(cursor.ToText(name[cut..]), Stat: null));

    /// <summary>Takes a ready entry.</summary>
    public void Add(ListEntry entry) => _entries[Count++] = entry;

    /// <summary>What was taken; the sink is not used afterwards.</summary>
    public ListEntry[] ToArray()
    {
        if (Count < _entries.Length)
        {
            Array.Resize(ref _entries, Count);
        }

        return _entries;
    }
}
