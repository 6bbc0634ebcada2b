using System.Net;
using System.Security.Cryptography.X509Certificates;
using Forebay.Core;
using Forebay.S3.Sending;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Forebay.S3;

/// <summary>
/// A Kestrel of its own for one <see cref="S3Endpoint"/>. It runs without a host: no service container, configuration or middleware has to be
/// built before it listens, and none is passed by a request.
/// </summary>
public sealed class S3Server : IAsyncDisposable
{
    private readonly KestrelServer _server;
    private readonly S3Endpoint _endpoint;
    private readonly ILogger _logger;

    /// <summary>Creates the server; nothing listens yet.</summary>
    /// <param name="options">Valid options.</param>
    /// <param name="endpoint">Answers the requests.</param>
    /// <param name="loggerFactory">Log of server and endpoint.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the TLS certificate cannot be used.</exception>
    public S3Server(S3Options options, S3Endpoint endpoint, ILoggerFactory loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(loggerFactory);
        _endpoint = endpoint;
        _logger = loggerFactory.CreateLogger<S3Server>();
        var kestrel = new KestrelServerOptions { ApplicationServices = CreateServices(options, loggerFactory) };
        Configure(kestrel, options, endpoint);
        var transport = new SendfileTransportFactory(Options.Create(new SocketTransportOptions { Backlog = 1024 }), loggerFactory);
        _server = new KestrelServer(Options.Create(kestrel), transport, loggerFactory);
    }

    /// <summary>Where the server listens, ports resolved; empty before <see cref="StartAsync"/>.</summary>
    public IReadOnlyList<string> Addresses
        => _server.Features.Get<IServerAddressesFeature>() is { } feature ? [.. feature.Addresses] : [];

    /// <summary>Sets the limits and listeners of a Kestrel, own or of a host.</summary>
    /// <param name="kestrel">Receives them.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="endpoint">Counts the connections; the caller routes its requests to <see cref="S3Endpoint.HandleAsync"/>.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the TLS certificate cannot be used.</exception>
    public static void Configure(KestrelServerOptions kestrel, S3Options options, S3Endpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(kestrel);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(endpoint);
        kestrel.AddServerHeader = false;
        kestrel.AllowSynchronousIO = false;
        kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
        kestrel.Limits.MaxRequestHeadersTotalSize = options.MaxHeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = options.MaxHeaders;
        kestrel.Limits.MaxRequestLineSize = options.MaxRequestLineBytes;
        kestrel.Limits.MaxRequestBufferSize = Math.Max(1 << 20, options.MaxRequestLineBytes + options.MaxHeaderBytes);
        kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        kestrel.Limits.RequestHeadersTimeout = options.HeadersTimeout;
        kestrel.Limits.KeepAliveTimeout = options.KeepAliveTimeout;
        HttpsConnectionAdapterOptions? tls = options.Tls is null ? null : LoadCertificate(options.Tls);
        foreach (IPEndPoint address in options.Listen)
        {
            kestrel.Listen(address, listen =>
            {
                // S3 speaks HTTP/1.1 only, and so do its clients; the less is open to strangers.
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection => ServeAsync(next, connection, endpoint, isPlain: tls is null));
                if (tls is not null)
                {
                    listen.UseHttps(tls);
                }
            });
        }
    }

    /// <summary>Begins to listen.</summary>
    /// <exception cref="IOException">An address is taken.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _server.StartAsync(new S3Application(_endpoint), cancellationToken);
        foreach (string address in Addresses)
        {
            S3Log.Listening(_logger, address);
        }
    }

    /// <summary>Stops to listen and waits for running requests; those that still run when the token is cancelled are aborted.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _server.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        return default;
    }

    /// <summary>TLS asks for Kestrel's own metrics, whose type is internal, so only then a container is built.</summary>
    private static IServiceProvider CreateServices(S3Options options, ILoggerFactory loggerFactory)
    {
        if (options.Tls is null)
        {
            return new LoggingServices(loggerFactory);
        }

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton(loggerFactory);
        return builder.Services.BuildServiceProvider();
    }

    private static async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection, S3Endpoint endpoint, bool isPlain)
    {
        // TLS computes too long for an event loop.
        if (isPlain && connection.Features.Get<IInlineFeature>() is { } inline)
        {
            inline.RunsInline = true;
        }

        if (endpoint.Egress is not null)
        {
            connection.Features.Set(new EgressFeature(endpoint.Egress.Connect()));
        }

        endpoint.Counters.ConnectionOpened();
        try
        {
            await next(connection);
        }
        finally
        {
            endpoint.Counters.ConnectionClosed();
        }
    }

    private static HttpsConnectionAdapterOptions LoadCertificate(TlsOptions tls)
    {
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(tls.CertificatePemPath);
            return new HttpsConnectionAdapterOptions
            {
                ServerCertificate = X509Certificate2.CreateFromPemFile(tls.CertificatePemPath, tls.KeyPemPath),
                ServerCertificateChain = chain,
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new ForebayException(
                ErrorKind.InvalidArgument,
                $"The TLS certificate {tls.CertificatePemPath} with key {tls.KeyPemPath} cannot be used: {exception.Message} Give a readable PEM certificate and its unencrypted PEM key.",
                exception);
        }
    }

    /// <summary>All that Kestrel asks of a container when it is configured in code and serves no TLS.</summary>
    private sealed class LoggingServices(ILoggerFactory loggerFactory) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(ILoggerFactory) ? loggerFactory : null;
    }
}
