namespace Forebay.Engine.Metadata;

/// <summary>What of one mount point outlives the process: its part of a <see cref="MetadataFile"/>.</summary>
internal sealed class KeptMetadata
{
    /// <summary>Creates an empty part.</summary>
    /// <param name="file">Where it is.</param>
    /// <param name="identity">Names the mount point and its rights; rows of another identity are never read.</param>
    /// <param name="bounds">What may be kept.</param>
    /// <param name="isCached">Tells whether bytes of a key may be cached.</param>
    internal KeptMetadata(MetadataFile file, string identity, KeptBounds bounds, Func<string, bool> isCached)
    {
        Identity = identity;
        Stats = new KeptStats(file, this, bounds.Stats, isCached);
        Listings = new KeptListings(file, this, bounds.ListingBytes);
    }

    /// <summary>Stats with headers.</summary>
    public KeptStats Stats { get; }

    /// <summary>Listings.</summary>
    public KeptListings Listings { get; }

    internal string Identity { get; }

    /// <summary>Number of the mount point in the file that is open; owned by <see cref="MetadataFile"/>.</summary>
    internal long Number { get; set; }

    /// <summary>Completes when everything noted until now was written, or could not be.</summary>
    public Task WrittenAsync() => Task.WhenAll(Stats.WrittenAsync(), Listings.WrittenAsync());
}

/// <summary>What may be kept of a mount point.</summary>
/// <param name="Stats">Most rows.</param>
/// <param name="ListingBytes">Most bytes of listings.</param>
internal readonly record struct KeptBounds(int Stats, long ListingBytes);
