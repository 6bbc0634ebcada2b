using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;

namespace Forebay.S3.Transport;

/// <summary>
/// The input of a connection. Bytes are received only when they are asked for, so back-pressure is the socket's own buffer, and an idle
/// connection holds no memory. Buffered bytes lie in one rented array.
/// <list type="bullet">
/// <item>Thread-safety: one reader at a time; <see cref="OnReadable"/>, <see cref="OnAborted"/> and <see cref="CancelPendingRead"/> come beside it. Whoever
/// takes <c>Waiting</c> out of <c>_readiness</c> owns the reader's state until the wait is ended or begun again.</item>
/// <item>A reset or aborted connection makes reads throw, as Kestrel expects of a transport.</item>
/// </list>
/// </summary>
internal sealed class SocketPipeReader : PipeReader, IValueTaskSource<ReadResult>
{
    private const int SmallestArrayBytes = 4096;
    private const int LargestArrayBytes = 64 << 10;

    /// <summary>Reads answered without a pause on the loop's thread before other connections have a turn: pipelined requests must not starve them.</summary>
    private const int ReadsInARow = 16;

    // Nothing is known to have come since the socket was found empty; something may have come; the reader waits for it.
    private const int Empty = 0;
    private const int Ready = 1;
    private const int Waiting = 2;

    private readonly SocketConnection _connection;
    private ManualResetValueTaskSourceCore<ReadResult> _wait;
    private CancellationTokenRegistration _registration;
    private CancellationToken _waitToken;
    private byte[] _array = [];
    private int _start;
    private int _examined;
    private int _end;
    private int _wantedBytes = SmallestArrayBytes;
    private int _readsInARow;
    private int _readiness = Ready;
    private bool _hasEnded;
    private Exception? _failure;
    private volatile bool _isPeerGone;
    private volatile bool _isCancelRequested;

    internal SocketPipeReader(SocketConnection connection) => _connection = connection;

    private enum TakeStatus
    {
        Taken,
        NothingYet,
    }

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        }

        bool isPaused = ++_readsInARow > ReadsInARow && _connection.RunsInline && _connection.IsOnItsLoop;
        try
        {
            do
            {
                if (!isPaused && Take(out ReadResult result) == TakeStatus.Taken)
                {
                    return new ValueTask<ReadResult>(result);
                }

                _wait.Reset();
                _waitToken = cancellationToken;
            }
            while (!TryWait(ref isPaused));
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException)
        {
            return ValueTask.FromException<ReadResult>(e);
        }

        short version = _wait.Version;
        if (isPaused)
        {
            _connection.PostRead();
        }

        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(static reader => ((SocketPipeReader)reader!).EndWait(mayRunInline: false), this);
        }

        return new ValueTask<ReadResult>(this, version);
    }

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result) => Take(out result) == TakeStatus.Taken;

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _start = IndexOf(consumed);
        _examined = Math.Max(IndexOf(examined), _start);
        if (_start == _end)
        {
            ReturnArray();
        }
    }

    /// <inheritdoc/>
    public override void CancelPendingRead()
    {
        _isCancelRequested = true;
        EndWait(mayRunInline: false);
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        _hasEnded = true;
        ReturnArray();
    }

    /// <summary>Bytes came, or the end; on the loop's thread.</summary>
    /// <param name="isPeerGone">Nothing will be told any more: every further read must look by itself.</param>
    internal void OnReadable(bool isPeerGone)
    {
        if (isPeerGone)
        {
            _isPeerGone = true;
        }

        if (Interlocked.Exchange(ref _readiness, Ready) == Waiting)
        {
            Resume(mayRunInline: true);
        }
    }

    /// <summary>The socket is closed: a waiting read ends.</summary>
    internal void OnAborted()
    {
        _isPeerGone = true;
        EndWait(mayRunInline: false);
    }

    /// <inheritdoc/>
    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
        _registration.Dispose();
        _registration = default;
        return _wait.GetResult(token);
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _wait.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _wait.OnCompleted(continuation, state, token, flags);

    private void EndWait(bool mayRunInline)
    {
        if (Interlocked.CompareExchange(ref _readiness, Ready, Waiting) == Waiting)
        {
            Resume(mayRunInline);
        }
    }

    /// <summary>Publishes that the reader waits. False when there is something to look at already: nobody else will end this wait.</summary>
    /// <param name="isPaused">True when the wait is for the reader's next turn, whatever has come; false after it was refused.</param>
    private bool TryWait(ref bool isPaused)
    {
        if (isPaused)
        {
            Volatile.Write(ref _readiness, Waiting);
        }
        else if (Interlocked.CompareExchange(ref _readiness, Waiting, Empty) != Empty)
        {
            return false;
        }

        // Whoever cancelled or aborted a moment ago saw nobody waiting.
        bool isOver = _isCancelRequested || _connection.AbortReason is not null || _waitToken.IsCancellationRequested;
        if (!isOver || Interlocked.CompareExchange(ref _readiness, Ready, Waiting) != Waiting)
        {
            return true;
        }

        isPaused = false;
        return false;
    }

    /// <summary>Ends the wait whose owner the caller has become, or begins it again when nothing came.</summary>
    private void Resume(bool mayRunInline)
    {
        _readsInARow = 0;
        _wait.RunContinuationsAsynchronously = !(mayRunInline && _connection.RunsInline);
        ReadResult result;
        try
        {
            do
            {
                _waitToken.ThrowIfCancellationRequested();
                if (Take(out result) == TakeStatus.Taken)
                {
                    break;
                }

                bool isPaused = false;
                if (TryWait(ref isPaused))
                {
                    return;
                }
            }
            while (true);
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or OperationCanceledException)
        {
            _wait.SetException(e);
            return;
        }

        _wait.SetResult(result);
    }

    private TakeStatus Take(out ReadResult result)
    {
        if (_isCancelRequested)
        {
            _isCancelRequested = false;
            result = Result(isCanceled: true);
            return TakeStatus.Taken;
        }

        while (_examined == _end && !_hasEnded)
        {
            if (Interlocked.CompareExchange(ref _readiness, Empty, Ready) != Ready && _failure is null)
            {
                result = default;
                return TakeStatus.NothingYet;
            }

            Receive();
        }

        result = Result(isCanceled: false);
        return TakeStatus.Taken;
    }

    private ReadResult Result(bool isCanceled)
        => new(new ReadOnlySequence<byte>(_array, _start, _end - _start), isCanceled, _hasEnded);

    private unsafe void Receive()
    {
        if (_failure is not null || _connection.AbortReason is not null)
        {
            throw _failure ??= Aborted();
        }

        MakeRoom();
        int room = _array.Length - _end;
        nint count;
        int errno;
        try
        {
            do
            {
                fixed (byte* array = _array)
                {
                    count = Native.Receive(_connection.Handle, array + _end, room, Native.MSG_DONTWAIT);
                }

                errno = count < 0 ? Marshal.GetLastPInvokeError() : 0;
            }
            while (errno == Native.EINTR);
        }
        catch (ObjectDisposedException)
        {
            throw _failure = Aborted();
        }

        if (count > 0)
        {
            _end += (int)count;
            bool isFull = count == room;
            _wantedBytes = isFull ? Math.Min(4 * _wantedBytes, LargestArrayBytes) : SmallestArrayBytes;
            if (isFull || _isPeerGone)
            {
                // More may be here, and no event tells of what was here before.
                Interlocked.CompareExchange(ref _readiness, Ready, Empty);
            }

            return;
        }

        if (_start == _end)
        {
            ReturnArray();
        }

        if (count == 0)
        {
            _hasEnded = true;
        }
        else if (errno != Native.EAGAIN)
        {
            throw _failure = _connection.AbortReason ?? (Exception)new ConnectionResetException("The client reset the connection.");
        }
    }

    private Exception Aborted() => _connection.AbortReason ?? new ConnectionAbortedException();

    private void MakeRoom()
    {
        int held = _end - _start;
        if (_array.Length - _end >= SmallestArrayBytes / 4 || (_array.Length > 0 && _array.Length - _end > 0 && held == 0))
        {
            return;
        }

        byte[] array = ArrayPool<byte>.Shared.Rent(Math.Max(_wantedBytes, 2 * held));
        _array.AsSpan(_start, held).CopyTo(array);
        int examined = _examined - _start;
        ReturnArray();
        _array = array;
        _examined = examined;
        _end = held;
    }

    private void ReturnArray()
    {
        if (_array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_array);
            _array = [];
        }

        _start = _examined = _end = 0;
    }

    private int IndexOf(SequencePosition position)
        => ReferenceEquals(position.GetObject(), _array) ? position.GetInteger() : _start;
}
