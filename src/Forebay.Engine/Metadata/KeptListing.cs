namespace Forebay.Engine.Metadata;

/// <summary>What an entry of the log of kept listings says. The numbers are written to a file.</summary>
internal enum KeptListingKind
{
    /// <summary>A stretch of names was listed.</summary>
    Listing = 0,

    /// <summary>Whatever shows a key is dropped.</summary>
    KeyDropped = 1,

    /// <summary>Whatever shows something below a prefix is dropped.</summary>
    PrefixDropped = 2,
}

/// <summary>An entry of the log of kept listings.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Delimiter">Of the listing; null for the flat space, and where something is dropped.</param>
/// <param name="Prefix">Of the listing's space; or the key or prefix that is dropped.</param>
/// <param name="Segment">What was listed; null where something is dropped.</param>
internal readonly record struct KeptListing(KeptListingKind Kind, string? Delimiter, string Prefix, ListingSegment? Segment);
