namespace Forebay.Engine.Metadata;

/// <summary>
/// The listings of one mount point that outlive the process, as a log: what was listed, and which of it was dropped since. Changes are noted here and written
/// in batches by the <see cref="MetadataFile"/>; the log is replayed where it counts, in an outage. Thread-safe.
/// </summary>
/// <remarks>
/// Bounds: changes that wait take at most about <see cref="MostPendingBytes"/>. Beyond it everything is forgotten, for what was dropped must not come back, and
/// nothing more is kept before the file takes writes again.
/// </remarks>
/// <param name="file">Where the log is.</param>
/// <param name="mount">Whose it is.</param>
/// <param name="maxBytes">What the log may hold; its oldest end goes first.</param>
internal sealed class KeptListings(MetadataFile file, KeptMetadata mount, long maxBytes) : KeptPart<KeptListings.Changes>
{
    internal const long MostPendingBytes = 8 << 20;
    private const int BytesPerChange = 128;
    private long _drops;

    /// <summary>What the log may hold.</summary>
    internal long MaxBytes { get; set; } = maxBytes;

    /// <summary>Bytes written since the log was measured; owned by <see cref="MetadataFile"/>.</summary>
    internal long BytesSinceMeasured { get; set; } = long.MaxValue / 2;

    /// <summary>Drops written since then; owned by <see cref="MetadataFile"/>.</summary>
    internal long DropsSinceMeasured { get; set; }

    /// <summary>Rises with everything that is dropped.</summary>
    public long Drops
    {
        get
        {
            lock (Gate)
            {
                return _drops;
            }
        }
    }

    /// <summary>Keeps a stretch that was stored; nothing is written if it is kept already.</summary>
    /// <param name="delimiter">Of its space; null for the flat one.</param>
    /// <param name="prefix">Of its space.</param>
    /// <param name="segment">What was stored.</param>
    public void Keep(string? delimiter, string prefix, ListingSegment segment)
    {
        lock (Gate)
        {
            if (segment.KeptEpoch == Epoch || Pending.IsClosed)
            {
                return;
            }

            segment.KeptEpoch = Epoch;
            Add(new KeptListing(KeptListingKind.Listing, delimiter, prefix, segment));
        }

        file.Wake();
    }

    /// <summary>What shows a key is not believed any more.</summary>
    public void DropKey(string key) => Drop(new KeptListing(KeptListingKind.KeyDropped, Delimiter: null, key, Segment: null));

    /// <summary>What shows anything below a prefix is not believed any more; empty for everything.</summary>
    public void DropPrefix(string prefix) => Drop(new KeptListing(KeptListingKind.PrefixDropped, Delimiter: null, prefix, Segment: null));

    /// <summary>What was kept and not dropped since, in a table of its own. Writes what waits, reads the whole log and blocks meanwhile.</summary>
    /// <param name="maxBytes">Most memory of the table: what was told last stays.</param>
    /// <param name="latest">Number of the last entry: the highest sequence there is in the table.</param>
    /// <returns>Null when it cannot be told at the moment.</returns>
    public ListingTable? Replay(long maxBytes, out long latest) => file.ReplayListings(mount, maxBytes, out latest);

    protected override void TakeBack(Changes older)
    {
        Pending.PutBefore(older);
        if (Pending.IsClosed)
        {
            Epoch++;
        }

        CloseIfTooMuch();
    }

    private void Drop(KeptListing change)
    {
        lock (Gate)
        {
            _drops++;
            if (!Pending.IsClosed)
            {
                Add(change);
            }
        }

        file.Wake();
    }

    private void Add(KeptListing change)
    {
        Pending.Add(change);
        CloseIfTooMuch();
    }

    private void CloseIfTooMuch()
    {
        if (Pending.Bytes > MostPendingBytes)
        {
            Pending.Close();
            Epoch++;
        }
    }

    /// <summary>A piece of the log.</summary>
    internal sealed class Changes : KeptChanges
    {
        internal List<KeptListing> Log { get; private set; } = [];

        internal long Bytes { get; private set; }

        internal override bool IsEmpty => Log.Count == 0;

        /// <summary>True when changes were lost for want of room: everything is forgotten then.</summary>
        internal bool IsClosed { get; private set; }

        internal void Add(KeptListing change)
        {
            Log.Add(change);
            Bytes += BytesOf(change);
        }

        internal void PutBefore(Changes older)
        {
            if (IsClosed || older.IsClosed)
            {
                Close();
                return;
            }

            Log = [.. older.Log, .. Log];
            Bytes += older.Bytes;
        }

        internal void Close()
        {
            IsClosed = true;
            Log = [new KeptListing(KeptListingKind.PrefixDropped, Delimiter: null, "", Segment: null)];
            Bytes = BytesPerChange;
        }

        private static long BytesOf(KeptListing change) => BytesPerChange + (2L * change.Prefix.Length) + (change.Segment?.Cost ?? 0);
    }
}
