using System.Net;
using System.Net.Sockets;
using Forebay.Core;
using Forebay.S3;
using Microsoft.AspNetCore.Connections;

namespace Forebay.Cli.Serve;

/// <summary>The S3 endpoint as a part of the node.</summary>
internal sealed class S3Edge(S3Server server, string listen) : IEdge
{
    public string Name => "S3";

    public string Address { get; private set; } = "";

    /// <summary>As it is bound, with the real port; only after <see cref="StartAsync"/>.</summary>
    public Uri Bound => new(server.Addresses[0]);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await server.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            throw EdgeAddress.Fault(listen, Name, e);
        }

        Address = EdgeAddress.Reachable(new Uri(server.Addresses[0]));
    }

    public Task DrainAsync(CancellationToken cancellationToken) => server.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => server.DisposeAsync();
}

/// <summary>What edges say about the address they listen on.</summary>
internal static class EdgeAddress
{
    /// <summary>An address that a client on this machine can use: loopback stands for "all interfaces".</summary>
    public static string Reachable(Uri bound)
    {
        bool isAny = IPAddress.TryParse(bound.Host.Trim('[', ']'), out IPAddress? host) && (host.Equals(IPAddress.Any) || host.Equals(IPAddress.IPv6Any));
        return isAny ? $"{bound.Scheme}://127.0.0.1:{bound.Port}" : bound.GetLeftPart(UriPartial.Authority);
    }

    public static ForebayException Fault(string listen, string name, Exception e)
    {
        bool inUse = e is AddressInUseException or IOException { InnerException: AddressInUseException } or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse };
        return new ForebayException(
            ErrorKind.Unavailable,
            $"the address {listen} of the {name} endpoint {(inUse ? "is in use" : "cannot be used here")}; choose another with --{name.ToLowerInvariant()} ADDR (port 0 takes a free one).",
            e);
    }
}
