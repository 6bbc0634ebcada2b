using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Forebay.Cli.Configuration;
using Forebay.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Forebay.Cli.Serve;

/// <summary>
/// One Kestrel server for one edge. Built from the empty builder: no configuration files, no routing, no middleware, which is most of
/// what start-up would cost.
/// </summary>
internal sealed class KestrelEdge : IEdge
{
    private readonly ListenAddress _listen;
    private readonly WebApplication _application;
    private readonly bool _tls;

    /// <summary>Prepares the server; nothing is bound yet.</summary>
    /// <param name="name">For people.</param>
    /// <param name="listen">Where.</param>
    /// <param name="handler">Answers every request.</param>
    /// <param name="configureHost">Adds a transport or logging.</param>
    /// <param name="configureServer">Limits of the server.</param>
    /// <param name="tls">Paths of certificate and key in PEM; null for plain HTTP.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: certificate or key cannot be read.</exception>
    public KestrelEdge(
        string name,
        ListenAddress listen,
        RequestDelegate handler,
        Action<IWebHostBuilder>? configureHost = null,
        Action<KestrelServerOptions>? configureServer = null,
        (string Certificate, string Key)? tls = null)
    {
        Name = name;
        _listen = listen;
        _tls = tls is not null;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        if (_tls)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        HttpsConnectionAdapterOptions? https = tls is { } files ? Load(files.Certificate, files.Key) : null;
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            configureServer?.Invoke(options);
            options.Listen(listen.Host, listen.Port, endpoint =>
            {
                if (https is not null)
                {
                    endpoint.UseHttps(https);
                }
            });
        });
        configureHost?.Invoke(builder.WebHost);

        // Signals belong to the command, not to each server.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = NodeHost.DrainTime);
        _application = builder.Build();
        _application.Run(handler);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Address { get; private set; } = "";

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _application.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or UnauthorizedAccessException)
        {
            string why = e is IOException { InnerException: AddressInUseException } ? "is in use" : "cannot be used here";
            throw new ForebayException(ErrorKind.Unavailable, $"the address {_listen} of the {Name} endpoint {why}; choose another with --{Name.ToLowerInvariant()} ADDR (port 0 takes a free one).", e);
        }

        string bound = _application.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        int port = BindingAddress.Parse(bound).Port;
        IPAddress shown = _listen.Host.Equals(IPAddress.Any) ? IPAddress.Loopback : _listen.Host;
        Address = $"{(_tls ? "https" : "http")}://{new IPEndPoint(shown, port)}";
    }

    /// <inheritdoc/>
    public Task DrainAsync(CancellationToken cancellationToken) => _application.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static HttpsConnectionAdapterOptions Load(string certificate, string key)
    {
        try
        {
            X509Certificate2Collection chain = [];
            chain.ImportFromPemFile(certificate);
            return new HttpsConnectionAdapterOptions
            {
                ServerCertificate = X509Certificate2.CreateFromPemFile(certificate, key),
                ServerCertificateChain = chain,
            };
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{certificate} and {key} are not a certificate and its key in PEM form that this user may read.", e);
        }
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
