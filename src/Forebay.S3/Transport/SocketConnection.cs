using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Forebay.S3.Transport;

/// <summary>
/// One accepted socket: reads and writes go straight to it, and its event loop tells when they may be tried again. Thread-safe where Kestrel needs it:
/// <see cref="Abort(ConnectionAbortedException)"/> and the events come beside the one reader and the one writer.
/// </summary>
internal sealed class SocketConnection : DefaultConnectionContext, IDuplexPipe, IInlineFeature
{
    /// <summary>
    /// Most bytes of an unread request that are thrown away before closing: bytes left in the socket would make the kernel send a reset, which
    /// takes the answer from the client.
    /// </summary>
    private const int MaxDrainedBytes = 1 << 20;

    private readonly CancellationTokenSource _closed = new();
    private readonly Socket _socket;
    private readonly EventLoop _loop;
    private readonly SocketPipeReader _input;
    private readonly SendfilePipeWriter _output;
    private int _isAborted;
    private int _isPeerGone;
    private bool _isReadPosted;
    private bool _isWritePosted;

    /// <summary>Takes the socket over and begins to watch it.</summary>
    /// <exception cref="IOException">The loop cannot watch it; the socket stays the caller's.</exception>
    internal SocketConnection(Socket socket, EventLoop loop)
    {
        socket.Blocking = false;
        _socket = socket;
        _loop = loop;
        Handle = socket.SafeHandle;
        _input = new SocketPipeReader(this);
        _output = new SendfilePipeWriter(this);
        Transport = this;
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
        ConnectionClosed = _closed.Token;
        Features.Set<ISendfileFeature>(_output);
        Features.Set<IInlineFeature>(this);
        loop.Add(this);
    }

    /// <inheritdoc/>
    public PipeReader Input => _input;

    /// <inheritdoc/>
    public PipeWriter Output => _output;

    /// <inheritdoc/>
    public bool RunsInline { get; set; }

    internal SafeSocketHandle Handle { get; }

    /// <summary>What the loop knows it by.</summary>
    internal ulong Tag { get; set; }

    /// <summary>True on the thread of this connection's loop.</summary>
    internal bool IsOnItsLoop => _loop.IsCurrent;

    /// <summary>Why the connection was aborted; null while it is not.</summary>
    internal ConnectionAbortedException? AbortReason { get; private set; }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        if (Interlocked.Exchange(ref _isAborted, 1) != 0)
        {
            return;
        }

        AbortReason = abortReason;

        // A reset: what still lies in the send buffer is worthless and must not outlive the connection.
        _socket.Close(timeout: 0);
        TellClosed();
        _input.OnAborted();
        _output.OnWritable();
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _input.CompleteAsync();
        await _output.CompleteAsync();
        _loop.Remove(this);
        if (Interlocked.Exchange(ref _isAborted, 1) == 0)
        {
            CloseInOrder();
        }

        await base.DisposeAsync();
    }

    /// <summary>What the kernel says of the socket; on the loop's thread.</summary>
    internal void OnEvents(uint events)
    {
        _output.BeginTurn();
        bool isPeerGone = (events & (Native.EPOLLRDHUP | Native.EPOLLHUP | Native.EPOLLERR)) != 0;
        if (isPeerGone || (events & Native.EPOLLIN) != 0)
        {
            _input.OnReadable(isPeerGone);
        }

        if ((events & (Native.EPOLLOUT | Native.EPOLLHUP | Native.EPOLLERR)) != 0)
        {
            _output.OnWritable();
        }

        if (isPeerGone)
        {
            TellClosed();
        }
    }

    /// <summary>The turn that <see cref="PostRead"/> or <see cref="PostWrite"/> asked for.</summary>
    internal void OnPosted()
    {
        _output.BeginTurn();
        if (_isReadPosted)
        {
            _isReadPosted = false;
            _input.OnReadable(isPeerGone: false);
        }

        if (_isWritePosted)
        {
            _isWritePosted = false;
            _output.OnWritable();
        }
    }

    /// <summary>Lets the others have a turn before the reader goes on; on the loop's thread.</summary>
    internal void PostRead()
    {
        _isReadPosted = true;
        _loop.Post(this);
    }

    /// <summary>Lets the others have a turn before the writer goes on; on the loop's thread.</summary>
    internal void PostWrite()
    {
        _isWritePosted = true;
        _loop.Post(this);
    }

    private void TellClosed()
    {
        if (Interlocked.Exchange(ref _isPeerGone, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static closed => closed.Cancel(), _closed, preferLocal: false);
        }
    }

    private void CloseInOrder()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
            Drain();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client was first.
        }

        _socket.Dispose();
    }

    private unsafe void Drain()
    {
        byte* scratch = stackalloc byte[4096];
        for (int drained = 0; drained < MaxDrainedBytes;)
        {
            nint count = Native.Receive(Handle, scratch, 4096, Native.MSG_DONTWAIT);
            if (count <= 0 && (count == 0 || Marshal.GetLastPInvokeError() != Native.EINTR))
            {
                return;
            }

            drained += (int)Math.Max(count, 0);
        }
    }
}
