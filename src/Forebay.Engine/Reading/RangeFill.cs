using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Engine.Reading;

/// <summary>
/// Brings one range of one version from the under-store into its cache file, for everybody who waits for it. Bytes up to
/// <see cref="Progress"/> lie in the file and may be read while the rest still streams.
/// </summary>
/// <remarks>
/// Lives while someone has an interest in it; without any it is cancelled and its finished pages stay. A broken stream is taken up again where it
/// broke, with back-off, on the deadline of the whole range. After a failure the finished pages stay, the rest is absent.
/// Thread-safety: progress and interest are guarded by <c>_lock</c>; the stream is touched by <see cref="RunAsync"/> alone.
/// </remarks>
#pragma warning disable CA1001 // A cancellation source without timer and wait handle holds nothing, and may be cancelled after the end.
internal sealed class RangeFill
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly FillContext _context;
    private readonly SemaphoreSlim _writeTurn;
    private readonly Action<RangeFill> _ended;
    private readonly CancellationTokenSource _cancellation = new();
    private TaskCompletionSource? _signal;
    private UnderStoreRead? _firstRead;
    private Exception? _failure;
    private long _progress;
    private int _interest;
    private int _waiters;
    private bool _isEnded;
    private bool _isStreaming;

    /// <summary>Prepares a fill with an interest of one, the caller's.</summary>
    /// <param name="context">Store and bounds.</param>
    /// <param name="file">Where the bytes go; the fill holds its range while it runs.</param>
    /// <param name="range">Begins at a page and ends at a page or at the end of the object.</param>
    /// <param name="writeTurn">Held while bytes are written to the file; shared by the fills of one version.</param>
    /// <param name="firstRead">A read that was already started at the range's first byte, and with it one of the context's slots; both owned by
    /// the fill. Null to start one.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    /// <param name="ended">Called once, after the last progress and before anybody is told of the end.</param>
    internal RangeFill(FillContext context, CacheFile file, ByteRange range, SemaphoreSlim writeTurn, UnderStoreRead? firstRead, string? requestId, Action<RangeFill> ended)
    {
        _context = context;
        _ended = ended;
        _writeTurn = writeTurn;
        _firstRead = firstRead;
        _progress = range.Offset;
        _interest = 1;
        File = file;
        Range = range;
        RequestId = requestId;
    }

    internal CacheFile File { get; }

    internal ByteRange Range { get; }

    /// <summary>End of the bytes that may be read from the file, an offset in the object.</summary>
    internal long Progress => Volatile.Read(ref _progress);

    private string? RequestId { get; }

    /// <summary>Runs from the start to the end of the work; never fails.</summary>
    internal Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>True when it no longer holds its range: what it brought may leave.</summary>
    internal bool HasEnded
    {
        get
        {
            lock (_lock)
            {
                return _isEnded;
            }
        }
    }

    /// <summary>False when the fill is ending: nobody can join it any more.</summary>
    internal bool IsJoinable
    {
        get
        {
            lock (_lock)
            {
                return !_isEnded && _interest > 0;
            }
        }
    }

    /// <summary>Bytes of a fill under way lie in the file before their pages are committed.</summary>
    /// <param name="offset">First byte wanted.</param>
    /// <param name="maxLength">Most bytes wanted, &gt; 0.</param>
    /// <returns>A held segment that begins at <paramref name="offset"/>; empty when the file must be looked at again.</returns>
    internal FileSegment SegmentOf(long offset, long maxLength)
    {
        long available = Math.Min(Progress, offset + maxLength);
        var range = ByteRange.FromBounds(offset, available);
        if (available <= offset || !File.TryHold(range, out SafeFileHandle? handle))
        {
            return default;
        }

        if (!File.IsPartial || !HasEnded)
        {
            return new FileSegment(handle!, offset, available - offset, File);
        }

        // The fill's own hold ended, perhaps before this one began: only what the page map shows now is surely there.
        File.Release(range);
        return File.TryGetSegment(offset, maxLength, out FileSegment segment) == SegmentStatus.Hit ? segment : default;
    }

    /// <summary>Tries to take an interest; false when the fill is ending.</summary>
    internal bool TryJoin()
    {
        lock (_lock)
        {
            if (_isEnded || _interest == 0)
            {
                return false;
            }

            _interest++;
            return true;
        }
    }

    /// <summary>Gives an interest back; the last one stops the fill.</summary>
    internal void Leave()
    {
        lock (_lock)
        {
            if (--_interest > 0 || _isEnded)
            {
                return;
            }
        }

        _cancellation.Cancel();
    }

    /// <summary>Waits until the byte at <paramref name="offset"/> may be read, or the fill has ended.</summary>
    /// <exception cref="ForebayException">The fill failed before that byte; <see cref="ErrorKind.NoSpace"/>: it cannot be stored.</exception>
    internal async ValueTask WaitAsync(long offset, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task signal;
            lock (_lock)
            {
                if (_progress > offset)
                {
                    return;
                }

                if (_isEnded)
                {
                    if (_failure is not null)
                    {
                        throw Rethrowable(_failure);
                    }

                    return;
                }

                _signal ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                signal = _signal.Task;
                Interlocked.Increment(ref _waiters);
            }

            try
            {
                await signal.WaitAsync(cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _waiters);
            }
        }
    }

    /// <summary>Starts the work in the background.</summary>
    internal void Start() => Running = Task.Run(RunAsync);

    /// <summary>Stops the work, whoever waits for it.</summary>
    internal void Stop() => _cancellation.Cancel();

    /// <summary>Runs to the end; never throws.</summary>
    private async Task RunAsync()
    {
        Exception? failure = null;
        bool referenced = false;

        // A read that was started before holds its slot already.
        bool slot = _firstRead is not null;
        try
        {
            if (!slot)
            {
                await _context.Slots.WaitAsync(_cancellation.Token);
                slot = true;
            }

            referenced = await File.TryHoldAsync(Range, _cancellation.Token);
            if (!referenced)
            {
                throw new ForebayException(ErrorKind.NoSpace, "The cache file was dropped before it could be filled.");
            }

            await FillAsync();
        }
        catch (Exception e)
        {
            failure = e;
        }
        finally
        {
            if (_firstRead is not null)
            {
                await _firstRead.DisposeAsync();
            }

            if (slot)
            {
                _context.Slots.Release();
            }

            End(failure);
            if (referenced)
            {
                File.Release(Range);
            }
        }
    }

    /// <summary>Attempts until the range is complete, or the deadline or the last attempt is over.</summary>
    private async Task FillAsync()
    {
        byte[] buffer = _context.Buffers.Rent();
        var writer = new PageWriter(File, Range.Offset);
        long deadline = _context.Time.After(_context.Options.OperationTimeout);
        int failures = 0;
        try
        {
            while (writer.Position < Range.End)
            {
                long before = writer.Position;
                try
                {
                    await StreamAsync(writer, buffer);
                }
                catch (ForebayException e) when (e.IsTransient && _isStreaming)
                {
                    // The store below repeats what fails before the first byte; a body that breaks is taken up again here.
                    writer.Rewind();
                    failures = writer.Position > before ? 1 : failures + 1;
                    TimeSpan delay = _context.Backoff.DelayAfter(failures, e.RetryAfter);
                    long resumed = _context.Time.After(delay);
                    if (failures >= _context.Options.MaxAttempts || resumed > deadline)
                    {
                        throw;
                    }

                    await Task.Delay(delay, _context.Time, _cancellation.Token);
                }
            }
        }
        finally
        {
            _context.Buffers.Return(buffer);
        }
    }

    private async Task StreamAsync(PageWriter writer, byte[] buffer)
    {
        UnderStoreRead? read = _firstRead;
        _firstRead = null;
        MetadataMoment asOf = _context.Metadata.Now();
        bool isFirst = read is not null;
        _isStreaming = false;
        read ??= await _context.Store.ReadAsync(File.Version.Key, ByteRange.FromBounds(writer.Position, Range.End), File.Version.Token, RequestId, _cancellation.Token);
        _isStreaming = true;
        await using (read)
        {
            if (!isFirst)
            {
                // The answer is as good as a stat, headers included.
                _context.Metadata.Put(read.Stat, asOf);
            }

            if (read.Stat.Token != File.Version.Token || read.Stat.Length != File.Version.Length)
            {
                throw new ForebayException(ErrorKind.StaleVersion, $"'{File.Version.Key}' was overwritten while it was read.");
            }

            if (read.Range.Offset != writer.Position)
            {
                throw new ForebayException(ErrorKind.Unavailable, $"The under-store answered another range of '{File.Version.Key}' than it was asked for.");
            }

            writer.Begin(read.IsProvisional);
            int filled = 0;
            bool ended = false;
            while (!ended && writer.Position < Range.End)
            {
                int most = WriteBytes(writer.Position, buffer.Length);
                int room = (int)Math.Min(most - filled, Range.End - writer.Position - filled);
                int count;
                try
                {
                    count = room == 0 ? 0 : await read.ReadAsync(buffer.AsMemory(filled, room), _cancellation.Token);
                }
                catch (ForebayException e) when (e.IsTransient && filled > 0 && !read.IsProvisional)
                {
                    // What came before the break is good: only the rest is asked for again.
                    await WriteAsync(writer, buffer.AsMemory(0, filled));
                    Advance(writer.Position);
                    throw;
                }

                ended = room > 0 && count == 0;
                filled += count;
                bool complete = writer.Position + filled == Range.End;
                if (filled == most || complete || ended || (Volatile.Read(ref _waiters) > 0 && !read.IsProvisional))
                {
                    await WriteAsync(writer, buffer.AsMemory(0, filled));
                    filled = 0;
                    if (!read.IsProvisional)
                    {
                        Advance(writer.Position);
                    }
                }
            }

            if (writer.Position < Range.End)
            {
                throw new ForebayException(ErrorKind.Unavailable, $"The under-store ended '{File.Version.Key}' early, at {writer.Position} of {Range.End}.");
            }

            if (read.IsProvisional)
            {
                // The version is compared behind the last byte: only the 0 that follows it makes these bytes true.
                if (await read.ReadAsync(buffer.AsMemory(0, 1), _cancellation.Token) != 0)
                {
                    throw new ForebayException(ErrorKind.StaleVersion, $"'{File.Version.Key}' grew while it was read.");
                }

                await CommitProvisionalAsync(writer);
                Advance(writer.Position);
            }
        }
    }

    /// <summary>Bytes gathered before they are written: up to the end of a page, so that a write that came early does not cut all later ones in two.</summary>
    private int WriteBytes(long position, int bufferBytes)
    {
        long end = position + bufferBytes;
        long aligned = end - (end % File.PageSizeBytes);
        return aligned > position ? (int)(aligned - position) : bufferBytes;
    }

    private async ValueTask WriteAsync(PageWriter writer, ReadOnlyMemory<byte> bytes)
    {
        await _writeTurn.WaitAsync(_cancellation.Token);
        try
        {
            ThrowIfUnwanted();
            writer.Write(bytes.Span);
        }
        finally
        {
            _writeTurn.Release();
        }
    }

    private async ValueTask CommitProvisionalAsync(PageWriter writer)
    {
        await _writeTurn.WaitAsync(_cancellation.Token);
        try
        {
            ThrowIfUnwanted();
            writer.CommitProvisional();
        }
        finally
        {
            _writeTurn.Release();
        }
    }

    /// <summary>In the write turn: once nobody wants this fill another one may write its pages, perhaps from another version.</summary>
    private void ThrowIfUnwanted()
    {
        if (!IsJoinable)
        {
            throw new OperationCanceledException("Nobody waits for this fill any more.");
        }
    }

    private void Advance(long progress)
    {
        TaskCompletionSource? signal;
        lock (_lock)
        {
            _progress = progress;
            signal = _signal;
            _signal = null;
        }

        signal?.SetResult();
    }

    private void End(Exception? failure)
    {
        _ended(this);
        TaskCompletionSource? signal;
        lock (_lock)
        {
            _isEnded = true;
            _failure = failure;
            signal = _signal;
            _signal = null;
        }

        signal?.SetResult();
    }

    /// <summary>Many waiters may see the same failure: each gets an exception of its own, so that stack traces do not mix.</summary>
    private ForebayException Rethrowable(Exception failure) => failure switch
    {
        ForebayException e => new ForebayException(e.Kind, e.Message, e) { RetryAfter = e.RetryAfter },
        OperationCanceledException => new ForebayException(ErrorKind.Unavailable, $"The fill of '{File.Version.Key}' was stopped.", failure),
        _ => new ForebayException(ErrorKind.Unavailable, $"The fill of '{File.Version.Key}' failed: {failure.Message}", failure) { IsUnforeseen = true },
    };
}
