using System.Net;
using Forebay.Admin.Client;
using Forebay.Core;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace Forebay.Admin;

/// <summary>The admin API on a listener of its own: Kestrel without a host, so that it starts in milliseconds.</summary>
public sealed class AdminServer : IAsyncDisposable
{
    private const int MaxConnections = 256;

    private readonly KestrelServer _server;

    private AdminServer(KestrelServer server, Uri address)
    {
        _server = server;
        Address = address;
    }

    /// <summary>Where it listens, with the real port.</summary>
    public Uri Address { get; }

    /// <summary>Starts to listen.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the address is taken or not of this machine, or nobody could sign in.</exception>
    public static async Task<AdminServer> StartAsync(AdminServerOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var application = new AdminApplication(options);
        var kestrel = new KestrelServerOptions { AddServerHeader = false };
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.Limits.MaxRequestBodySize = AdminApplication.MaxBodyBytes;
        Bind(kestrel, options);
        var server = new KestrelServer(
            Options.Create(kestrel),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions()), options.LoggerFactory),
            options.LoggerFactory);
        try
        {
            await server.StartAsync(new BareApplication(application), cancellationToken);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            server.Dispose();
            throw new ForebayException(
                ErrorKind.InvalidArgument, $"The admin API cannot listen on {options.SocketPath ?? options.Address.ToString()}: {error.Message} Choose another address with --admin.", error);
        }

        if (options.SocketPath is { } path)
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return new AdminServer(server, AdminClient.SocketAddress);
        }

        string bound = server.Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new AdminServer(server, new Uri(bound));
    }

    private static void Bind(KestrelServerOptions kestrel, AdminServerOptions options)
    {
        if (options.SocketPath is { } path)
        {
            // A predecessor that was killed left its name behind.
            File.Delete(path);
            kestrel.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http1);
            return;
        }

        kestrel.Listen(options.Address, listen => listen.Protocols = HttpProtocols.Http1);
    }

    /// <summary>Lets running requests end, at most until cancelled, and stops.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _server.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server.StopAsync(now.Token);
        _server.Dispose();
    }

    /// <summary>Reads <c>host:port</c>, where host is an IP address or <c>localhost</c>; null when it is neither.</summary>
    public static IPEndPoint? ParseAddress(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string normalized = text.StartsWith("localhost:", StringComparison.OrdinalIgnoreCase) ? $"127.0.0.1{text.AsSpan(9)}" : text;
        return normalized.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(normalized, out IPEndPoint? address) ? address : null;
    }

    private sealed class BareApplication(AdminApplication application) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => application.HandleAsync(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }
}
