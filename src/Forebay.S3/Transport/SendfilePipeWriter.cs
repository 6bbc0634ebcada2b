using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Forebay.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>
/// The output of a connection that sends straight on the socket: buffered bytes first, then the announced piece of a file by
/// <c>sendfile(2)</c>. A flush ends when the kernel has taken everything, so back-pressure is the socket's own send buffer. On the thread of an event loop only what lies in memory is sent, in turns
/// with the loop's other connections; what may wait for a disk goes to the pool.
/// <list type="bullet">
/// <item>Thread-safety: one writer at a time, as for any <see cref="PipeWriter"/>; <see cref="OnHeartbeat"/> comes from Kestrel's timer and
/// <see cref="OnWritable"/> from the event loop beside it. Whoever takes <c>Waiting</c> out of <c>_writability</c> ends the wait.</item>
/// <item>After a failure (the client is gone, the file is shorter than announced, its disk fails) the connection is aborted, what is not sent is
/// dropped and every flush answers <see cref="FlushResult.IsCompleted"/>; nothing is thrown, as Kestrel expects of a transport.</item>
/// </list>
/// </summary>
internal sealed class SendfilePipeWriter : PipeWriter, ISendfileFeature, IValueTaskSource
{
    /// <summary>Bytes of files after which the loop's other connections have their turn, if this one is served on the loop's thread.</summary>
    internal const int TurnBytes = 1 << 20;

    /// <summary>Most bytes of one call: more at a time are slower, by a seventh with eight connections (docs/BENCHMARKS.md, P3).</summary>
    private const int MaxSendfileBytes = 1 << 20;

    /// <summary>Heartbeats (about a second each) in which a waiting client takes no byte before it is given up.</summary>
    internal const int MaxStalledHeartbeats = 60;

    // The socket took no more, or may have been told to; it may take bytes again; the flush waits for that.
    private const int Full = 0;
    private const int Writable = 1;
    private const int Waiting = 2;

    private readonly SocketConnection _connection;
    private readonly OutgoingBuffers _buffers = new();

    private SafeFileHandle? _file;
    private long _fileOffset;
    private int _fileAnnounced;
    private int _fileAdvanced;
    private bool _closed;
    private bool _cancelRequested;
    private volatile bool _isFlushing;
    private long _progress;
    private bool _watched;
    private long _progressAtHeartbeat;
    private int _stalledHeartbeats;
    private ManualResetValueTaskSourceCore<bool> _wait;
    private CancellationTokenRegistration _registration;
    private int _writability;
    private int _turnBytes;

    internal SendfilePipeWriter(SocketConnection connection)
    {
        _connection = connection;
    }

    private enum SendStatus
    {
        Done,
        WouldBlock,
        NeedsTurn,
        NeedsPool,
        Failed,
    }

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _buffers.Count + _fileAdvanced;

    /// <inheritdoc/>
    public void BeginFile(SafeFileHandle file, long offset, int length)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        if (_file is not null)
        {
            throw new InvalidOperationException("A piece of a file is announced already; flush it first.");
        }

        _file = file;
        _fileOffset = offset;
        _fileAnnounced = length;
        _fileAdvanced = 0;
    }

    /// <inheritdoc/>
    public bool HasFileFailed { get; private set; }

    /// <inheritdoc/>
    public bool IsFileMemory(ReadOnlyMemory<byte> memory)
        => MemoryMarshal.TryGetMemoryManager<byte, FileMemory>(memory, out _);

    /// <inheritdoc/>
    public void CancelFile()
    {
        if (_fileAdvanced > 0)
        {
            throw new InvalidOperationException("Bytes of the piece are counted as written already.");
        }

        ForgetFile();
    }

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_file is null)
        {
            return _buffers.GetMemory(sizeHint);
        }

        int rest = _fileAnnounced - _fileAdvanced;
        return rest > 0 && sizeHint <= rest ? FileMemory.Instance.OfLength(rest) : throw BeyondFile();
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        if (_file is null)
        {
            _buffers.Advance(bytes);
            return;
        }

        if ((uint)bytes > (uint)(_fileAnnounced - _fileAdvanced))
        {
            throw BeyondFile();
        }

        _fileAdvanced += bytes;
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        }

        SendStatus status = _closed ? SendStatus.Failed : TrySend();
        return status is SendStatus.WouldBlock or SendStatus.NeedsTurn or SendStatus.NeedsPool
            ? FlushSlowAsync(status, cancellationToken)
            : new ValueTask<FlushResult>(EndFlush(status));
    }

    /// <summary>Asks the flush in progress to answer <see cref="FlushResult.IsCanceled"/>. It does so when its bytes are sent: cutting it off would lose count of them.</summary>
    public override void CancelPendingFlush() => Volatile.Write(ref _cancelRequested, true);

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        _closed = true;
        if (!_isFlushing)
        {
            DropUnsent();
        }
    }

    /// <summary>
    /// Gives up a client that takes nothing. Kestrel's minimum data rate cannot: it allows a flush of megabytes hours.
    /// </summary>
    internal void OnHeartbeat()
    {
        long progress = Volatile.Read(ref _progress);
        if (!_isFlushing || progress != _progressAtHeartbeat)
        {
            _progressAtHeartbeat = progress;
            _stalledHeartbeats = 0;
        }
        else if (++_stalledHeartbeats == MaxStalledHeartbeats)
        {
            Fail("The client took no byte for too long.");
        }
    }

    /// <summary>The socket may take bytes again, or it is this connection's turn, or it is closed.</summary>
    internal void OnWritable()
    {
        if (Interlocked.Exchange(ref _writability, Writable) == Waiting)
        {
            // In the middle of a file the loop itself goes on; what follows bytes that were copied may wait for a disk, so it goes on in the pool.
            _wait.RunContinuationsAsynchronously = !(_fileAdvanced > 0 && _connection.RunsInline && _connection.IsOnItsLoop);
            _wait.SetResult(true);
        }
    }

    /// <summary>The loop has come to this connection, after the others.</summary>
    internal void BeginTurn() => _turnBytes = 0;

    /// <inheritdoc/>
    void IValueTaskSource.GetResult(short token)
    {
        _registration.Dispose();
        _registration = default;
        _wait.GetResult(token);
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _wait.OnCompleted(continuation, state, token, flags);

    private static InvalidOperationException BeyondFile()
        => new("More bytes were written than the piece of the file has; flush it first.");

    private SendStatus TrySend()
    {
        try
        {
            SendStatus status = TrySendBuffers();
            return status == SendStatus.Done && _fileAdvanced > 0 ? TrySendFile() : status;
        }
        catch (ObjectDisposedException)
        {
            // The connection was aborted by another thread.
            return SendStatus.Failed;
        }
    }

    private SendStatus TrySendBuffers()
    {
        while (_buffers.Count > 0)
        {
            nint sent = _buffers.SendTo(_connection.Handle, more: _fileAdvanced > 0);
            if (sent < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Native.EINTR)
                {
                    continue;
                }

                return errno == Native.EAGAIN ? SendStatus.WouldBlock : Fail("The client closed the connection.");
            }

            _buffers.Consume(sent);
            Volatile.Write(ref _progress, _progress + sent);
        }

        return SendStatus.Done;
    }

    private SendStatus TrySendFile()
    {
        bool isOnLoop = LoopThread.IsCurrent;
        if (isOnLoop && !_connection.IsOnItsLoop)
        {
            return SendStatus.NeedsPool;
        }

        while (_fileAdvanced > 0)
        {
            int most = Math.Min(_fileAdvanced, MaxSendfileBytes);
            if (isOnLoop && _turnBytes >= TurnBytes)
            {
                return SendStatus.NeedsTurn;
            }

            if (isOnLoop && !Native.IsResident(_file!, _fileOffset, most))
            {
                return SendStatus.NeedsPool;
            }

            long offset = _fileOffset;
            nint sent = Native.SendFile(_connection.Handle, _file!, ref offset, most);
            if (sent > 0)
            {
                FileBytesSent((int)sent);
                if (isOnLoop)
                {
                    _turnBytes += (int)sent;
                }

                continue;
            }

            if (sent == 0)
            {
                HasFileFailed = true;
                return Fail("The file ended before the announced length.");
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Native.EINTR:
                    continue;
                case Native.EAGAIN:
                    return SendStatus.WouldBlock;
                case Native.EIO:
                    HasFileFailed = true;
                    return Fail("The disk failed under the file being sent.");
                default:
                    return Fail("The client closed the connection.");
            }
        }

        return SendStatus.Done;
    }

    /// <summary>The rest of a flush that has to wait: for the client to take bytes, for its turn, or for the disk.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> FlushSlowAsync(SendStatus status, CancellationToken cancellationToken)
    {
        _isFlushing = true;
        Watch();
        while (status is not (SendStatus.Done or SendStatus.Failed))
        {
            if (status == SendStatus.NeedsPool)
            {
                await LoopThread.LeaveAsync();
            }
            else
            {
                if (status == SendStatus.NeedsTurn)
                {
                    Interlocked.Exchange(ref _writability, Full);
                    _connection.PostWrite();
                }

                try
                {
                    await WaitAsync(cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    // An unknown part of the message has left: nothing may follow it on this connection.
                    EndFlush(SendStatus.Failed);
                    throw;
                }
            }

            // Before it is tried: what the loop tells from here on is news.
            Interlocked.Exchange(ref _writability, Full);
            status = _closed ? SendStatus.Failed : TrySend();
        }

        return EndFlush(status);
    }

    /// <summary>Waits until the loop tells that the socket may take bytes again, or that it is this connection's turn.</summary>
    private ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        _wait.Reset();
        if (Interlocked.CompareExchange(ref _writability, Waiting, Full) != Full)
        {
            return default;
        }

        short version = _wait.Version;
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(static (writer, token) => ((SendfilePipeWriter)writer!).CancelWait(token), this);
        }

        return new ValueTask(this, version);
    }

    private void CancelWait(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _writability, Writable, Waiting) == Waiting)
        {
            _wait.RunContinuationsAsynchronously = true;
            _wait.SetException(new OperationCanceledException(cancellationToken));
        }
    }

    private void FileBytesSent(int sent)
    {
        _fileOffset += sent;
        _fileAnnounced -= sent;
        _fileAdvanced -= sent;
        Volatile.Write(ref _progress, _progress + sent);
    }

    private void Watch()
    {
        if (!_watched)
        {
            _watched = true;
            _connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static writer => ((SendfilePipeWriter)writer).OnHeartbeat(), this);
        }
    }

    private SendStatus Fail(string reason)
    {
        _connection.Abort(new ConnectionAbortedException(reason));
        return SendStatus.Failed;
    }

    private FlushResult EndFlush(SendStatus status)
    {
        _isFlushing = false;
        if (status == SendStatus.Failed)
        {
            _closed = true;
            DropUnsent();
        }
        else if (_file is not null && _fileAnnounced == 0)
        {
            ForgetFile();
        }

        bool canceled = _cancelRequested;
        if (canceled)
        {
            Volatile.Write(ref _cancelRequested, false);
        }

        return new FlushResult(canceled, isCompleted: status == SendStatus.Failed);
    }

    private void DropUnsent()
    {
        _buffers.Clear();
        ForgetFile();
    }

    private void ForgetFile()
    {
        _file = null;
        _fileAnnounced = 0;
        _fileAdvanced = 0;
    }
}
