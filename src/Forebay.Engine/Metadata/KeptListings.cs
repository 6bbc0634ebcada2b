namespace Forebay.Engine.Metadata;

/// <summary>
/// The listings of one mount point that outlive the process, as a log: what was listed, and which of it was dropped since. Changes are noted here and written
/// in batches by the <see cref="MetadataFile"/>; the log is replayed where it counts, in an outage. Thread-safe.
/// </summary>
/// <remarks>
/// Bounds: changes that wait take at most about <see cref="MostPendingBytes"/>. Beyond it everything is forgotten, for what was dropped must not come back, and
/// nothing more is kept before the file takes writes again. Lock: <c>_gate</c>, never held while a file is read or written.
/// </remarks>
/// <param name="file">Where the log is.</param>
/// <param name="mount">Whose it is.</param>
/// <param name="maxBytes">What the log may hold; its oldest end goes first.</param>
internal sealed class KeptListings(MetadataFile file, KeptMetadata mount, long maxBytes)
{
    internal const long MostPendingBytes = 8 << 20;
    private const int BytesPerChange = 128;
    private readonly Lock _gate = new();
    private Changes _pending = new();
    private Changes? _committing;
    private int _epoch = 1;
    private long _drops;

    /// <summary>What the log may hold.</summary>
    internal long MaxBytes { get; } = maxBytes;

    /// <summary>Bytes written since the log was measured; owned by <see cref="MetadataFile"/>.</summary>
    internal long BytesSinceMeasured { get; set; } = long.MaxValue / 2;

    /// <summary>Drops written since then; owned by <see cref="MetadataFile"/>.</summary>
    internal long DropsSinceMeasured { get; set; }

    /// <summary>Rises with everything that is dropped.</summary>
    public long Drops
    {
        get
        {
            lock (_gate)
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
        lock (_gate)
        {
            if (segment.KeptEpoch == _epoch || _pending.IsClosed)
            {
                return;
            }

            segment.KeptEpoch = _epoch;
            Add(new KeptListing(KeptListingKind.Listing, delimiter, prefix, segment));
        }

        file.Wake();
    }

    /// <summary>What shows a key is not believed any more.</summary>
    public void DropKey(string key) => Drop(new KeptListing(KeptListingKind.KeyDropped, Delimiter: null, key, Segment: null));

    /// <summary>What shows anything below a prefix is not believed any more; empty for everything.</summary>
    public void DropPrefix(string prefix) => Drop(new KeptListing(KeptListingKind.PrefixDropped, Delimiter: null, prefix, Segment: null));

    /// <summary>What was kept and not dropped since, in a table of its own. Writes what waits, reads the whole log and blocks meanwhile.</summary>
    /// <returns>Null when it cannot be told at the moment.</returns>
    public ListingTable? Replay() => file.ReplayListings(mount);

    /// <summary>Completes when everything noted until now was written, or could not be.</summary>
    public Task WrittenAsync()
    {
        lock (_gate)
        {
            return _pending.Log.Count > 0 ? _pending.Written.Task : _committing?.Written.Task ?? Task.CompletedTask;
        }
    }

    /// <summary>The changes to write now; null when there are none. Ends with <see cref="EndCommit"/>.</summary>
    internal Changes? BeginCommit()
    {
        lock (_gate)
        {
            if (_pending.Log.Count == 0)
            {
                return null;
            }

            _committing = _pending;
            _pending = new Changes();
            return _committing;
        }
    }

    /// <summary>What was begun is in the file, or waits again.</summary>
    internal void EndCommit(bool isWritten)
    {
        Changes? ended;
        lock (_gate)
        {
            ended = _committing;
            _committing = null;
            if (ended is not null && !isWritten)
            {
                _pending.PutBefore(ended);
                CloseIfTooMuch();
            }
        }

        ended?.Written.TrySetResult();
    }

    /// <summary>The file is a new, empty one: nothing is kept.</summary>
    internal void BeginAnew()
    {
        lock (_gate)
        {
            _epoch++;
        }
    }

    private void Drop(KeptListing change)
    {
        lock (_gate)
        {
            _drops++;
            if (!_pending.IsClosed)
            {
                Add(change);
            }
        }

        file.Wake();
    }

    private void Add(KeptListing change)
    {
        _pending.Add(change);
        CloseIfTooMuch();
    }

    private void CloseIfTooMuch()
    {
        if (_pending.Bytes > MostPendingBytes)
        {
            _pending.Close();
            _epoch++;
        }
    }

    /// <summary>A piece of the log.</summary>
    internal sealed class Changes
    {
        internal List<KeptListing> Log { get; private set; } = [];

        internal long Bytes { get; private set; }

        internal TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

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
