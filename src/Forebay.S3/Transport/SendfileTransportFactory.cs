using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Forebay.S3.Transport;

/// <summary>
/// A transport under Kestrel: event loops of its own (<see cref="EventLoop"/>), responses straight to the socket, and pieces of files by
/// <c>sendfile(2)</c> (<see cref="ISendfileFeature"/>). HTTP, timeouts, limits, logging and shutdown stay Kestrel's.
/// </summary>
public sealed class SendfileTransportFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly SocketTransportOptions _options;
    private readonly ILogger _logger;

    /// <summary>Creates the factory; Kestrel calls it through the service container.</summary>
    /// <param name="options">Only <see cref="SocketTransportOptions.Backlog"/> and <see cref="SocketTransportOptions.NoDelay"/> are used.</param>
    /// <param name="loggerFactory">Log of the transport.</param>
    public SendfileTransportFactory(IOptions<SocketTransportOptions> options, ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        _options = options.Value;
        _logger = loggerFactory.CreateLogger<SendfileTransportFactory>();
    }

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint;

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint is IPEndPoint { Address: var address } && address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(endpoint);
            socket.Listen(_options.Backlog);
            return new ValueTask<IConnectionListener>(new SocketListener(socket, _options.NoDelay, _logger));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            socket.Dispose();
            throw new AddressInUseException(e.Message, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
