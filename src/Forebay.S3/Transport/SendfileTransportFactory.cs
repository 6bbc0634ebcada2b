using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Forebay.S3.Transport;

/// <summary>
/// Kestrel's socket transport with another output: responses go straight to the socket, and pieces of files by <c>sendfile(2)</c>
/// (<see cref="ISendfileFeature"/>). Input, timeouts, limits, logging and shutdown stay Kestrel's.
/// </summary>
public sealed class SendfileTransportFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly SocketTransportFactory _sockets;

    /// <summary>Creates the factory; Kestrel calls it through the service container.</summary>
    public SendfileTransportFactory(IOptions<SocketTransportOptions> options, ILoggerFactory loggerFactory)
        => _sockets = new SocketTransportFactory(options, loggerFactory);

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => _sockets.CanBind(endpoint);

    /// <inheritdoc/>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        => new Listener(await _sockets.BindAsync(endpoint, cancellationToken));

    private sealed class Listener(IConnectionListener inner) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            ConnectionContext? connection = await inner.AcceptAsync(cancellationToken);
            Socket? socket = connection?.Features.Get<IConnectionSocketFeature>()?.Socket;
            if (connection is null || socket is null)
            {
                return connection;
            }

            SendfilePipeWriter output = new(connection, socket);
            connection.Transport = new DuplexPipe(connection.Transport.Input, output);
            connection.Features.Set<ISendfileFeature>(output);
            return connection;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class DuplexPipe(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
