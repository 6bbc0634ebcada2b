using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>
/// The output of a connection that sends straight on the socket: buffered bytes first, then the announced piece of a file by
/// <c>sendfile(2)</c>. A flush ends when the kernel has taken everything, so back-pressure is the socket's own send buffer.
/// <list type="bullet">
/// <item>Thread-safety: one writer at a time, as for any <see cref="PipeWriter"/>; <see cref="OnHeartbeat"/> comes from Kestrel's timer beside it.</item>
/// <item>After a failure (the client is gone, the file is shorter than announced, its disk fails) the connection is aborted, what is not sent is
/// dropped and every flush answers <see cref="FlushResult.IsCompleted"/>; nothing is thrown, as Kestrel expects of a transport.</item>
/// </list>
/// </summary>
internal sealed class SendfilePipeWriter : PipeWriter, ISendfileFeature
{
    /// <summary>
    /// Bytes copied while waiting for the socket to become writable. The runtime has no "wait until writable" for a socket, but an async
    /// send waits for it; a small one costs little copying. Kept a page multiple, so that sendfile goes on at a page boundary.
    /// </summary>
    private const int WaitCopyBytes = 4096;

    /// <summary>Heartbeats (about a second each) in which a waiting client takes no byte before it is given up.</summary>
    internal const int MaxStalledHeartbeats = 60;

    private readonly ConnectionContext _connection;
    private readonly Socket _socket;
    private readonly SafeHandle _socketHandle;
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

    internal SendfilePipeWriter(ConnectionContext connection, Socket socket)
    {
        _connection = connection;
        _socket = socket;
        _socketHandle = socket.SafeHandle;
    }

    private enum SendStatus
    {
        Done,
        WouldBlock,
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
        return status == SendStatus.WouldBlock
            ? FlushWhenWritableAsync(cancellationToken)
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
            nint sent = _buffers.SendTo(_socketHandle, more: _fileAdvanced > 0);
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
        while (_fileAdvanced > 0)
        {
            long offset = _fileOffset;
            nint sent = Native.SendFile(_socketHandle, _file!, ref offset, _fileAdvanced);
            if (sent > 0)
            {
                FileBytesSent((int)sent);
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> FlushWhenWritableAsync(CancellationToken cancellationToken)
    {
        _isFlushing = true;
        Watch();
        SendStatus status;
        try
        {
            do
            {
                await (_buffers.Count > 0 ? SendBufferedAsync(cancellationToken) : CopyFromFileAsync(cancellationToken));
                status = _closed ? SendStatus.Failed : TrySend();
            }
            while (status == SendStatus.WouldBlock);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            status = Fail(e is IOException ? e.Message : "The client closed the connection.");
        }
        catch (OperationCanceledException)
        {
            // An unknown part of the message has left: nothing may follow it on this connection.
            EndFlush(SendStatus.Failed);
            throw;
        }

        return EndFlush(status);
    }

    private async ValueTask SendBufferedAsync(CancellationToken cancellationToken)
    {
        int sent = await _socket.SendAsync(_buffers.First, SocketFlags.None, cancellationToken);
        _buffers.Consume(sent);
        Volatile.Write(ref _progress, _progress + sent);
    }

    private async ValueTask CopyFromFileAsync(CancellationToken cancellationToken)
    {
        int toBoundary = WaitCopyBytes - (int)(_fileOffset % WaitCopyBytes);
        int length = Math.Min(toBoundary, _fileAdvanced);
        byte[] array = ArrayPool<byte>.Shared.Rent(WaitCopyBytes);
        try
        {
            int read = RandomAccess.Read(_file!, array.AsSpan(0, length), _fileOffset);
            if (read == 0)
            {
                HasFileFailed = true;
                throw new IOException("The file ended before the announced length.");
            }

            int sent = await _socket.SendAsync(array.AsMemory(0, read), SocketFlags.None, cancellationToken);
            FileBytesSent(sent);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(array);
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
