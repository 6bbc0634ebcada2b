using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// Reads a version past the cache, where nothing can be stored: a few ranges ahead of the reader, each in a buffer of its own, in order. The
/// first range waits for a buffer; more are only read ahead while the node's budget and the source's slots have some left.
/// </summary>
/// <remarks>
/// Not thread-safe, as the reader that owns it; between two reads the budget may take what it holds (<see cref="PassThroughBuffers"/>), which is then
/// read again. A buffer goes back when its last byte was copied. Disposing stops what is under way; buffers go back when their reads have ended.
/// </remarks>
internal sealed class PassThrough : IDisposable
{
    private const int MostAhead = 8;
    private readonly FillContext _context;
    private readonly PassThroughBuffers _buffers;
    private readonly ObjectVersion _version;
    private readonly string? _requestId;
    private readonly long _wantedEnd;
    private readonly CancellationTokenSource _cancellation = new();
    private Queue<Slot> _slots = new();
    private long _frontier = -1;

    internal PassThrough(FillContext context, PassThroughBuffers buffers, ObjectVersion version, long wantedEnd, string? requestId)
    {
        _context = context;
        _buffers = buffers;
        _version = version;
        _wantedEnd = wantedEnd;
        _requestId = requestId;
        Place = new LinkedListNode<PassThrough>(this);
    }

    /// <summary>Place among the idle ones of the budget; owned by it.</summary>
    internal LinkedListNode<PassThrough> Place { get; }

    /// <summary>Timestamp of the end of the last read; owned by the budget.</summary>
    internal long IdleSince { get; set; }

    internal bool HoldsBuffers => _slots.Count > 0;

    /// <summary>Copies the next bytes.</summary>
    /// <returns>Bytes copied, 0 only at the end of the object.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Throttled"/>: no buffer came free; others as for reading.</exception>
    internal async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        _buffers.BeginRead(this);
        try
        {
            Slot slot = await SlotAtAsync(offset, destination.Length, cancellationToken);
            int filled = await slot.WaitAsync(offset, cancellationToken);
            int start = (int)(offset - slot.Range.Offset);
            int count = Math.Min(destination.Length, filled - start);
            if (count <= 0)
            {
                return 0;
            }

            slot.Buffer.AsMemory(start, count).CopyTo(destination);
            if (offset + count == slot.Range.End)
            {
                _slots.Dequeue().Abandon();
            }

            return count;
        }
        catch (ForebayException)
        {
            // The error is that of this read; the next one asks again.
            Abandon(TakeSlots());
            throw;
        }
        finally
        {
            _buffers.EndRead(this);
        }
    }

    public void Dispose()
    {
        _buffers.BeginRead(this);
        _cancellation.Cancel();
        Abandon(TakeSlots());
    }

    /// <summary>Takes all that is held, for <see cref="Abandon"/>. Only by the reader, or by the budget while it is idle.</summary>
    internal Queue<Slot> TakeSlots()
    {
        Queue<Slot> taken = _slots;
        _slots = new Queue<Slot>();
        return taken;
    }

    internal static void Abandon(Queue<Slot> slots)
    {
        foreach (Slot slot in slots)
        {
            slot.Abandon();
        }
    }

    private async ValueTask<Slot> SlotAtAsync(long offset, int length, CancellationToken cancellationToken)
    {
        while (_slots.TryPeek(out Slot? head))
        {
            if (offset >= head.Range.Offset && offset < head.Range.End)
            {
                StartAhead();
                return head;
            }

            _slots.Dequeue();
            head.Abandon();
        }

        await _buffers.WaitAsync(cancellationToken);
        _frontier = offset;
        Start(offset < _wantedEnd ? _wantedEnd : offset + length);
        StartAhead();
        return _slots.Peek();
    }

    private void StartAhead()
    {
        while (_slots.Count < MostAhead && _frontier < _wantedEnd && _context.HasFreeSlots && _buffers.TryTake())
        {
            Start(_wantedEnd);
        }
    }

    private void Start(long end)
    {
        ByteRange range = ByteRange.FromBounds(_frontier, Math.Min(Math.Min(end, _version.Length), _frontier + _buffers.BufferBytes));
        var slot = new Slot(_context, _buffers, _version, range, _requestId);
        _frontier = range.End;
        _slots.Enqueue(slot);
        _ = slot.RunAsync(_cancellation.Token);
    }

    /// <summary>One range in one buffer. The buffer goes back when both the stream has ended and the reader has left it.</summary>
#pragma warning disable CA1001 // As for RangeFill.
    internal sealed class Slot(FillContext context, PassThroughBuffers buffers, ObjectVersion version, ByteRange range, string? requestId)
#pragma warning restore CA1001
    {
        private readonly Lock _lock = new();
        private readonly CancellationTokenSource _abandoned = new();
        private TaskCompletionSource? _signal;
        private Exception? _failure;
        private int _filled;
        private int _users = 2;
        private bool _isEnded;

        internal ByteRange Range { get; } = range;

        internal byte[] Buffer { get; } = buffers.Take();

        internal async ValueTask<int> WaitAsync(long offset, CancellationToken cancellationToken)
        {
            while (true)
            {
                Task signal;
                lock (_lock)
                {
                    if (Range.Offset + _filled > offset || (_isEnded && _failure is null))
                    {
                        return _filled;
                    }

                    if (_isEnded)
                    {
                        throw _failure as ForebayException ?? new ForebayException(ErrorKind.Unavailable, $"Reading '{version.Key}' failed: {_failure!.Message}", _failure) { IsUnforeseen = _failure is not OperationCanceledException };
                    }

                    _signal ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    signal = _signal.Task;
                }

                await signal.WaitAsync(cancellationToken);
            }
        }

        internal void Abandon()
        {
            _abandoned.Cancel();
            LetGo();
        }

        internal async Task RunAsync(CancellationToken cancellationToken)
        {
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _abandoned.Token);
            Exception? failure = null;
            try
            {
                await FillAsync(linked.Token);
            }
            catch (Exception e)
            {
                failure = e;
            }

            Report(_filled, isEnded: true, failure);
            LetGo();
        }

        private async Task FillAsync(CancellationToken cancellationToken)
        {
            int position = 0;
            int failures = 0;
            bool isStreaming = false;
            TimeSpan? retryAfter = null;
            while (position < Range.Length)
            {
                int before = position;
                isStreaming = false;
                await context.Slots.WaitAsync(cancellationToken);
                try
                {
                    UnderStoreRead read = await context.Store.ReadAsync(version.Key, ByteRange.FromBounds(Range.Offset + position, Range.End), version.Token, requestId, cancellationToken);
                    isStreaming = true;
                    await using (read)
                    {
                        if (read.Stat.Token != version.Token || read.Stat.Length != version.Length)
                        {
                            throw new ForebayException(ErrorKind.StaleVersion, $"'{version.Key}' was overwritten while it was read.");
                        }

                        if (read.Range.Offset != Range.Offset + position)
                        {
                            throw new ForebayException(ErrorKind.Unavailable, $"The under-store answered another range of '{version.Key}' than it was asked for.");
                        }

                        position = await StreamAsync(read, position, cancellationToken);
                    }
                }
                catch (ForebayException e) when (e.IsTransient && isStreaming)
                {
                    position = Math.Max(position, _filled);
                    failures = position > before ? 1 : failures + 1;
                    if (failures >= context.Options.MaxAttempts)
                    {
                        throw;
                    }

                    retryAfter = e.RetryAfter;
                }
                finally
                {
                    context.Slots.Release();
                }

                if (position < Range.Length)
                {
                    await Task.Delay(context.Backoff.DelayAfter(failures, retryAfter), context.Time, cancellationToken);
                }
            }
        }

        private async Task<int> StreamAsync(UnderStoreRead read, int position, CancellationToken cancellationToken)
        {
            while (position < Range.Length)
            {
                int count = await read.ReadAsync(Buffer.AsMemory(position, (int)Range.Length - position), cancellationToken);
                if (count == 0)
                {
                    throw new ForebayException(ErrorKind.Unavailable, $"The under-store ended '{version.Key}' early.");
                }

                position += count;
                if (!read.IsProvisional)
                {
                    Report(position, isEnded: false, failure: null);
                }
            }

            if (read.IsProvisional && read.Range.End == Range.End && await read.ReadAsync(new byte[1], cancellationToken) != 0)
            {
                throw new ForebayException(ErrorKind.StaleVersion, $"'{version.Key}' grew while it was read.");
            }

            Report(position, isEnded: false, failure: null);
            return position;
        }

        private void Report(int filled, bool isEnded, Exception? failure)
        {
            TaskCompletionSource? signal;
            lock (_lock)
            {
                _filled = Math.Max(_filled, filled);
                _isEnded |= isEnded;
                _failure = failure;
                signal = _signal;
                _signal = null;
            }

            signal?.SetResult();
        }

        private void LetGo()
        {
            if (Interlocked.Decrement(ref _users) == 0)
            {
                buffers.Return(Buffer);
            }
        }
    }
}

/// <summary>The node's budget of buffers for reading past the cache, and the readers that hold some of it without reading. Thread-safe.</summary>
/// <remarks>
/// Whoever waits takes from readers that have been idle for <see cref="MostIdle"/>, the longest idle first: an open file that nobody reads and a client that
/// does not take its bytes must not keep others out. Lock: <c>_lock</c>, nothing is called under it but <see cref="PassThrough.TakeSlots"/>.
/// </remarks>
internal sealed class PassThroughBuffers(int bufferBytes, int count, TimeProvider time) : IDisposable
{
    /// <summary>After which a reader's buffers may be taken.</summary>
    internal static readonly TimeSpan MostIdle = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for a buffer.</summary>
    internal static readonly TimeSpan MostWait = TimeSpan.FromSeconds(20);

    private readonly BufferPool _pool = new(bufferBytes, Math.Min(count, 8));
    private readonly SemaphoreSlim _budget = new(count, count);
    private readonly Lock _lock = new();
    private readonly LinkedList<PassThrough> _idle = new();

    internal int BufferBytes => _pool.BufferBytes;

    internal int Outstanding => _pool.Outstanding;

    /// <summary>Waits until a buffer may be taken.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Throttled"/>: none came free.</exception>
    internal ValueTask WaitAsync(CancellationToken cancellationToken)
        => _budget.Wait(0, CancellationToken.None) ? default : WaitLongAsync(cancellationToken);

    /// <summary>True when a buffer may be taken now. Reading ahead leaves half of the budget to first ranges, so that slow readers do not keep others out.</summary>
    internal bool TryTake() => _budget.CurrentCount > count / 2 && _budget.Wait(0);

    /// <summary>Takes a buffer that was granted.</summary>
    internal byte[] Take() => _pool.Rent();

    internal void Return(byte[] buffer)
    {
        _pool.Return(buffer);
        _budget.Release();
    }

    /// <summary>From here on nothing is taken from a reader.</summary>
    internal void BeginRead(PassThrough reader)
    {
        lock (_lock)
        {
            if (reader.Place.List is not null)
            {
                _idle.Remove(reader.Place);
            }
        }
    }

    /// <summary>What the reader holds may be taken when it has been idle for long.</summary>
    internal void EndRead(PassThrough reader)
    {
        lock (_lock)
        {
            if (reader.HoldsBuffers)
            {
                reader.IdleSince = time.GetTimestamp();
                _idle.AddLast(reader.Place);
            }
        }
    }

    public void Dispose() => _budget.Dispose();

    private async ValueTask WaitLongAsync(CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task turn = _budget.WaitAsync(enough.Token);
        while (true)
        {
            TakeFromIdle();
            try
            {
                await turn.WaitAsync(MostIdle / 4, time, CancellationToken.None);
                return;
            }
            catch (TimeoutException) when (time.GetElapsedTime(began) < MostWait)
            {
                // Others may have become idle meanwhile.
            }
            catch (TimeoutException)
            {
                await enough.CancelAsync();
                if (await IsGrantedAsync(turn))
                {
                    return;
                }

                throw new ForebayException(
                    ErrorKind.Throttled,
                    $"All {count} buffers for reading past the cache have been in use for {MostWait.TotalSeconds:0} s. Try again; if it lasts, raise the memory limit or give the node a cache directory with room.");
            }
        }
    }

    /// <summary>The turn may have come at the moment it was given up.</summary>
    private static async Task<bool> IsGrantedAsync(Task turn)
    {
        try
        {
            await turn;
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void TakeFromIdle()
    {
        Queue<PassThrough.Slot> taken;
        lock (_lock)
        {
            if (_idle.First?.Value is not { } longest || time.GetElapsedTime(longest.IdleSince) < MostIdle)
            {
                return;
            }

            _idle.RemoveFirst();
            taken = longest.TakeSlots();
        }

        // Outside the lock: a cancelled read may end here and now.
        PassThrough.Abandon(taken);
    }
}
