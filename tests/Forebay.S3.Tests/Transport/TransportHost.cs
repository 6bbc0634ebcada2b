using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Forebay.S3.Tests.Transport;

/// <summary>A real Kestrel over the sendfile transport with one endpoint, and files to send.</summary>
internal sealed class TransportHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-transport-").FullName;

    private TransportHost(WebApplication application) => _application = application;

    public int Port { get; private set; }

    public static async Task<TransportHost> StartAsync(
        RequestDelegate endpoint, HttpProtocols protocols = HttpProtocols.Http1, bool tls = false, Action<KestrelServerOptions>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(options =>
        {
            configure?.Invoke(options);
            options.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = protocols;
                if (tls)
                {
                    listen.UseHttps(SelfSigned());
                }
            });
        });
        builder.WebHost.UseSendfileTransport();
        WebApplication application = builder.Build();
        application.Run(endpoint);
        await application.StartAsync();
        TransportHost host = new(application);
        host.Port = new Uri(application.Urls.First()).Port;
        return host;
    }

    public TestFile CreateFile(long length, int seed = 1)
    {
        string path = Path.Combine(_directory, Guid.NewGuid().ToString("N"));
        return new TestFile(path, length, seed);
    }

    public Socket Connect(int? receiveBuffer = null)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        if (receiveBuffer is not null)
        {
            socket.ReceiveBufferSize = receiveBuffer.Value;
        }

        socket.Connect(IPAddress.Loopback, Port);
        return socket;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(10)).Token);
        await _application.DisposeAsync();
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), password: null);
    }
}
