namespace Forebay.Engine.Metadata;

/// <summary>
/// One ordered space of names and the disjoint stretches of it that are known: the flat space of all keys, or what a listing of one prefix
/// with one delimiter shows. Not thread-safe.
/// </summary>
internal sealed class ListingSpace(string? delimiter, string prefix)
{
    private readonly List<ListingSegment> _segments = [];

    /// <summary>Null for the flat space.</summary>
    public string? Delimiter { get; } = delimiter;

    /// <summary>Every name of the space begins with it; empty for the flat space.</summary>
    public string Prefix { get; } = prefix;

    /// <summary>Stretches in order.</summary>
    public IReadOnlyList<ListingSegment> Segments => _segments;

    /// <summary>The stretch that holds a position; null when it is unknown.</summary>
    public ListingSegment? Find(ReadOnlySpan<byte> position)
    {
        int index = LastAtOrBefore(position);
        return index >= 0 && KeyBytes.IsBefore(position, _segments[index].Upper) ? _segments[index] : null;
    }

    /// <summary>Stretches that overlap [lower, upper), as a range of <see cref="Segments"/>.</summary>
    public (int Start, int Count) FindOverlapping(ReadOnlySpan<byte> lower, byte[]? upper)
    {
        int start = LastAtOrBefore(lower);
        if (start < 0 || !KeyBytes.IsBefore(lower, _segments[start].Upper))
        {
            start++;
        }

        int end = start;
        while (end < _segments.Count && KeyBytes.IsBefore(_segments[end].Lower, upper))
        {
            end++;
        }

        return (start, end - start);
    }

    /// <summary>Puts stretches in the place of others.</summary>
    public void Replace(int start, int count, ReadOnlySpan<ListingSegment> replacements)
    {
        if (count == 1 && replacements.Length == 1)
        {
            _segments[start] = replacements[0];
            return;
        }

        _segments.RemoveRange(start, count);
        _segments.InsertRange(start, replacements.ToArray());
    }

    /// <summary>Drops one stretch.</summary>
    public void Remove(ListingSegment segment)
    {
        int index = LastAtOrBefore(segment.Lower);
        if (index >= 0 && ReferenceEquals(_segments[index], segment))
        {
            _segments.RemoveAt(index);
        }
    }

    private int LastAtOrBefore(ReadOnlySpan<byte> position)
    {
        int low = 0;
        int high = _segments.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_segments[middle].Lower.AsSpan().SequenceCompareTo(position) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return high;
    }
}
