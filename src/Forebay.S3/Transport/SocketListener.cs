using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Forebay.S3.Transport;

/// <summary>Accepts connections and spreads them over the event loops in turn. Owns the listening socket and the loops.</summary>
internal sealed class SocketListener : IConnectionListener
{
    /// <summary>One loop serves some ten thousand small hits a second; more loops than this only share the processors with the pool.</summary>
    private const int MaxLoops = 16;

    /// <summary>Wait after an accept that failed for want of descriptors or memory: asked again at once it would fail again.</summary>
    private static readonly TimeSpan ShortageWait = TimeSpan.FromMilliseconds(50);

    private readonly Socket _socket;
    private readonly bool _noDelay;
    private readonly bool _isPaced;
    private readonly ILogger _logger;
    private readonly EventLoop[] _loops;
    private uint _next;

    /// <summary>Takes a socket that listens.</summary>
    internal SocketListener(Socket socket, bool noDelay, ILogger logger)
    {
        _socket = socket;
        _noDelay = noDelay;
        _isPaced = SameMachine.IsPaced(socket);
        _logger = logger;
        EndPoint = socket.LocalEndPoint!;
        _loops = new EventLoop[Math.Min(Environment.ProcessorCount, MaxLoops)];
        for (int i = 0; i < _loops.Length; i++)
        {
            _loops[i] = new EventLoop(i);
        }
    }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; }

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Socket? accepted = null;
            try
            {
                accepted = await _socket.AcceptAsync(cancellationToken);
                accepted.NoDelay = _noDelay;
                if (_isPaced)
                {
                    SameMachine.Unpace(accepted);
                }

                return new SocketConnection(accepted, _loops[_next++ % _loops.Length]);
            }
            catch (ObjectDisposedException)
            {
                accepted?.Dispose();
                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
            {
                return null;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // Gone again while it waited to be accepted, or no descriptor is left for it; the next may fare better.
                accepted?.Dispose();
                S3Log.AcceptFailed(_logger, e);
                if (e is not SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted })
                {
                    await Task.Delay(ShortageWait, TimeProvider.System, cancellationToken);
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _socket.Dispose();
        return default;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        foreach (EventLoop loop in _loops)
        {
            loop.Dispose();
        }

        return default;
    }
}
