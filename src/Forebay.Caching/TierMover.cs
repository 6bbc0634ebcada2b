using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>
/// Moves whole cache files between media, one at a time, on a thread of its own: victims of a tier's maintenance go down, what proves reuse
/// goes up. A move copies, publishes the copy, then drops the source; readers of the source keep their file.
/// </summary>
/// <remarks>
/// <para>Nothing a reader or a fill waits for depends on it. The queue is bounded; what finds it full is not moved: a victim is dropped, a
/// promotion waits for the next use.</para>
/// <para>A move that fails or is stopped leaves the source as it was and nothing of the copy: it is hidden until it is whole and has no row in
/// the index before. A victim that could not be moved is evicted.</para>
/// <para>Lock order: 1. a tier's lock, 2. <c>_lock</c> here. The two tiers of a move are never locked together.</para>
/// </remarks>
internal sealed class TierMover : IDisposable
{
    /// <summary>Jobs that may wait: a maintenance round of a tier of small files fills it, and the rest is dropped as without a slower medium.</summary>
    internal const int MaxQueued = 1024;

    /// <summary>Long-time rate of copying: about what one spinning disk writes in sequence, so that an SSD keeps most of its speed for readers.</summary>
    internal const long BytesPerSecond = 128L << 20;

    /// <summary>Copied between two pauses.</summary>
    private const long PaceBytes = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Queue<Move> _queue = new();
    private readonly Placement _placement;
    private readonly Tier[] _tiers;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Thread? _thread;
    private readonly Action<long> _pace;
    private long _unpacedBytes;
    private long _completed;
    private bool _isReconciled;

    /// <param name="placement">Where things go.</param>
    /// <param name="runsByItself">False: nothing moves but by <see cref="RunOnce"/>, for tests.</param>
    /// <param name="pace">Called after each piece with its bytes, for tests; null waits so that <see cref="BytesPerSecond"/> holds.</param>
    internal TierMover(Placement placement, bool runsByItself = true, Action<long>? pace = null)
    {
        _placement = placement;
        _tiers = [.. placement.Media.SelectMany(medium => medium)];
        _pace = pace ?? Pace;
        foreach (Tier tier in _tiers)
        {
            tier.Attach(this, promotes: placement.Above(tier).Length > 0);
        }

        if (runsByItself)
        {
            _thread = new Thread(Work) { IsBackground = true, Name = "tier mover" };
            _thread.Start();
        }
    }

    /// <summary>Moves that have published their copy; a look-up that found nothing while it changed must look again.</summary>
    internal long Completed => Volatile.Read(ref _completed);

    /// <summary>Jobs that wait.</summary>
    internal int Queued
    {
        get
        {
            lock (_lock)
            {
                return _queue.Count;
            }
        }
    }

    internal bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>Takes over a victim that is worth a place in the slower medium; called under its tier's lock.</summary>
    /// <returns>False when the tier should drop it.</returns>
    internal bool TryDemote(Tier from, TierEntry entry)
    {
        Tier[] below = _placement.Below(from);
        return below.Length > 0
            && (entry.File?.IsWhole ?? entry.IsWhole)
            && Array.Exists(below, tier => entry.WasReused || tier.HasFreeRoom(entry.SizeBytes))
            && TryEnqueue(new Move(from, entry, IsDemotion: true, HasMadeRoom: false));
    }

    /// <summary>Asks for a file to be copied to a faster medium; any thread, for a reader.</summary>
    internal void Promote(Tier from, TierEntry entry) => TryEnqueue(new Move(from, entry, IsDemotion: false, HasMadeRoom: false));

    /// <summary>Does the job that waits longest.</summary>
    /// <returns>False when none waits, or the tiers still read their rows.</returns>
    internal bool RunOnce()
    {
        if (!_isReconciled && !TryReconcile())
        {
            return false;
        }

        Move move;
        lock (_lock)
        {
            if (IsStopping || !_queue.TryDequeue(out move))
            {
                return false;
            }
        }

        if (Run(move) == MoveResult.Impossible && move.IsDemotion)
        {
            move.From.EvictLeaving(move.Entry);
        }

        return true;
    }

    /// <summary>Stops a copy in the middle and lets everything that waits stay where it is. The tiers must still be open.</summary>
    public void Dispose()
    {
        if (IsStopping)
        {
            return;
        }

        _stopping.Cancel();
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
        _stopping.Dispose();
    }

    private void Work()
    {
        while (!IsStopping)
        {
            _wake.WaitOne(_isReconciled ? Timeout.Infinite : 200);
            while (RunOnce())
            {
            }
        }
    }

    private bool TryEnqueue(Move move)
    {
        lock (_lock)
        {
            if (IsStopping || _queue.Count >= MaxQueued)
            {
                return false;
            }

            _queue.Enqueue(move);
        }

        _wake.Set();
        return true;
    }

    private MoveResult Run(Move move)
    {
        CacheFile? source = move.From.FindForMove(move.Entry);
        if (source is null || !source.TryAcquire(out SafeFileHandle? handle))
        {
            return MoveResult.Impossible;
        }

        try
        {
            if (!source.IsWhole)
            {
                return MoveResult.Impossible;
            }

            Tier[] targets = move.IsDemotion ? _placement.Below(move.From) : _placement.Above(move.From);
            foreach (Tier target in Placement.InOrder(targets, source.Version.Id))
            {
                MoveResult result = RunInto(target, move, source, handle!);
                if (result != MoveResult.Impossible)
                {
                    return result;
                }
            }

            return MoveResult.Impossible;
        }
        finally
        {
            source.Release();
        }
    }

    private MoveResult RunInto(Tier target, Move move, CacheFile source, SafeFileHandle handle)
    {
        long bytes = move.Entry.SizeBytes;
        if (!target.Takes(source.Version) || (move.IsDemotion && !move.Entry.WasReused && !target.HasFreeRoom(bytes)))
        {
            return MoveResult.Impossible;
        }

        // What must go for it gets its own chance to go down first: this job waits behind those, once.
        if (!move.HasMadeRoom && target.MakeRoomFor(bytes) && TryEnqueue(move with { HasMadeRoom = true }))
        {
            return MoveResult.Postponed;
        }

        CacheFile? copy = target.BeginIncoming(source.Version, move.Entry);
        if (copy is null || !copy.TryAcquire(out _))
        {
            return MoveResult.Impossible;
        }

        try
        {
            return Exchange(move, source, handle, target, copy) ? MoveResult.Moved : IsStopping ? MoveResult.Stopped : MoveResult.Impossible;
        }
        finally
        {
            copy.Release();
        }
    }

    /// <summary>Copies, publishes, drops the source, in this order; removes the copy when that comes to nothing.</summary>
    private bool Exchange(Move move, CacheFile source, SafeFileHandle handle, Tier target, CacheFile copy)
    {
        if (!TryCopy(move.From, source, handle, copy) || !target.TryPublish(copy))
        {
            target.Remove(copy.Entry);
            return false;
        }

        Interlocked.Increment(ref _completed);
        if (!move.From.RemoveMoved(move.Entry, out long ownerBytes))
        {
            // Freed (or found damaged) meanwhile: bytes that somebody wanted gone must not come back.
            target.Remove(copy.Entry);
            return false;
        }

        target.AdoptOwnerBytes(copy.Entry, ownerBytes);
        (move.IsDemotion ? move.From : target).CountMoved(move.IsDemotion, copy.Entry.SizeBytes);
        return true;
    }

    private bool TryCopy(Tier from, CacheFile source, SafeFileHandle handle, CacheFile copy)
    {
        // Page sizes are powers of two: a piece of the larger one is whole pages of both.
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Math.Max(source.PageSizeBytes, copy.PageSizeBytes));
        for (long offset = 0; offset < source.Length; offset += buffer.Length)
        {
            if (IsStopping || !source.IsUsable)
            {
                return false;
            }

            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, source.Length - offset));
            if (!TryReadGood(from, source, handle, offset, piece) || !TryStore(copy, offset, piece))
            {
                return false;
            }

            _pace(piece.Length);
        }

        return copy.IsWholeAndVerified;
    }

    private static bool TryReadGood(Tier from, CacheFile source, SafeFileHandle handle, long offset, Span<byte> piece)
    {
        try
        {
            int count = LocalFile.Read(handle, piece, offset);
            for (int at = 0; at < piece.Length; at += source.PageSizeBytes)
            {
                int page = source.Pages.PageOf(offset + at);
                Span<byte> bytes = piece.Slice(at, source.LengthOf(page));
                if (at + bytes.Length > count || Crc32C.Compute(bytes) != source.Pages.ChecksumOf(page))
                {
                    source.DropCorrupt(page);
                    return false;
                }
            }

            return true;
        }
        catch (TierIOException e)
        {
            from.ReportFailure(e);
            return false;
        }
    }

    private static bool TryStore(CacheFile copy, long offset, ReadOnlySpan<byte> piece)
    {
        for (int at = 0; at < piece.Length; at += copy.PageSizeBytes)
        {
            int page = copy.Pages.PageOf(offset + at);
            ReadOnlySpan<byte> bytes = piece.Slice(at, copy.LengthOf(page));
            if (copy.Reserve(page) != ReserveStatus.Reserved || !copy.Write(offset + at, bytes))
            {
                return false;
            }

            copy.Commit(page, Crc32C.Compute(bytes));
        }

        return true;
    }

    private void Pace(long bytes)
    {
        _unpacedBytes += bytes;
        if (_unpacedBytes >= PaceBytes)
        {
            _stopping.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds((double)_unpacedBytes / BytesPerSecond));
            _unpacedBytes = 0;
        }
    }

    /// <summary>
    /// A process that died between the index commits of the two tiers of a move left the version in both: the faster one stays. Needs all rows.
    /// </summary>
    private bool TryReconcile()
    {
        if (!Array.TrueForAll(_tiers, tier => tier.IsStartupScanDone))
        {
            return false;
        }

        for (int slower = 1; slower < _tiers.Length && !IsStopping; slower++)
        {
            foreach (VersionId id in _tiers[slower].WholeVersions())
            {
                for (int faster = 0; faster < slower; faster++)
                {
                    if (_tiers[faster].HoldsWhole(id))
                    {
                        _tiers[slower].Drop(id, pinnedToo: true, dryRun: false);
                        break;
                    }
                }
            }
        }

        _isReconciled = true;
        return true;
    }

    private enum MoveResult
    {
        Moved,
        Postponed,
        Stopped,
        Impossible,
    }

    /// <summary>One job.</summary>
    /// <param name="From">Tier that holds the file.</param>
    /// <param name="Entry">Its entry there; when it is no longer the current one, there is nothing to do.</param>
    /// <param name="IsDemotion">Down instead of up.</param>
    /// <param name="HasMadeRoom">It waited already for room in the target.</param>
    private readonly record struct Move(Tier From, TierEntry Entry, bool IsDemotion, bool HasMadeRoom);
}
