namespace Forebay.Engine.Metadata;

/// <summary>
/// A stretch of names that is known completely: everything in [<see cref="Lower"/>, <see cref="Upper"/>) is in <see cref="Entries"/>.
/// The block may hold more than the stretch (a newer answer took the rest over); what lies outside does not count. Immutable but
/// for its links, which the <see cref="ListingTable"/> guards.
/// </summary>
internal sealed class ListingSegment(byte[] lower, byte[]? upper, PackedEntries entries, MetadataMoment asOf, long expiresAt)
{
    // The object itself, its bounds' headers and its place in the list of its space.
    private const int Overhead = 200;

    // Of a space of its own: most hold one stretch.
    private const int SpaceOverhead = 250;
    private readonly long _cost = entries.SizeBytes + lower.Length + (upper?.Length ?? 0) + Overhead;

    /// <summary>First position inside.</summary>
    public byte[] Lower { get; } = lower;

    /// <summary>First position outside; null for the end of the space.</summary>
    public byte[]? Upper { get; } = upper;

    /// <summary>The names.</summary>
    public PackedEntries Entries { get; } = entries;

    /// <summary>When the under-store was asked.</summary>
    public MetadataMoment AsOf { get; } = asOf;

    /// <summary>Timestamp from which on it is not believed without asking.</summary>
    public long ExpiresAt { get; } = expiresAt;

    /// <summary>Bytes that count against the bound, with those of the space it lies in.</summary>
    public long Cost => _cost + (Space is { Delimiter: not null } space ? SpaceOverhead + (2L * space.Prefix.Length) : 0);

    /// <summary>Of the <see cref="KeptListings"/> that keep it; 0 for none. Owned by them.</summary>
    internal int KeptEpoch { get; set; }

    internal ListingSpace? Space { get; set; }

    internal ListingSegment? Newer { get; set; }

    internal ListingSegment? Older { get; set; }

    /// <summary>The same block seen through narrower bounds.</summary>
    public ListingSegment Narrow(byte[] lower, byte[]? upper) => new(lower, upper, Entries, AsOf, ExpiresAt);

    /// <summary>True when the other one says the same of the same stretch.</summary>
    public bool SaysTheSame(ListingSegment other)
        => Lower.AsSpan().SequenceEqual(other.Lower)
            && (Upper is null ? other.Upper is null : other.Upper is not null && Upper.AsSpan().SequenceEqual(other.Upper))
            && Entries.IsSame(other.Entries);
}
