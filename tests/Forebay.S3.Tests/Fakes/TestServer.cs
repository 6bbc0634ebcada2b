using System.Net;
using System.Net.Sockets;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Forebay.Engine;
using Forebay.S3.Sending;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.S3.Tests.Fakes;

/// <summary>A real server on a free port over fake buckets, and ways to talk to it.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string KeyId = "AKIAFOREBAYTEST00001";
    public const string Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    public const string ReaderId = "AKIAFOREBAYREADER001";
    public const string NarrowId = "AKIAFOREBAYNARROW001";

    private readonly S3Server _server;

    private TestServer(S3Server server, S3Endpoint endpoint, FakeBucket bucket)
    {
        _server = server;
        Endpoint = endpoint;
        Bucket = bucket;
        Uri = new Uri(server.Addresses[0]);
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { BaseAddress = Uri, Timeout = TimeSpan.FromSeconds(30) };
    }

    public S3Endpoint Endpoint { get; }

    /// <summary>The bucket <c>data</c>.</summary>
    public FakeBucket Bucket { get; }

    public Uri Uri { get; }

    /// <summary>Sends unsigned requests.</summary>
    public HttpClient Http { get; }

    public static async Task<TestServer> StartAsync(
        Func<S3Options, S3Options>? change = null,
        TimeProvider? time = null,
        IEgressGate? egress = null,
        IConcurrencyGate? concurrency = null,
        INamespace? buckets = null,
        ILogger<S3Endpoint>? logger = null)
    {
        var bucket = new FakeBucket("data");
        var options = new S3Options
        {
            Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
            AllowAnonymous = true,
            AccessKeys =
            [
                new AccessKeyOptions { Id = KeyId, Secret = Secret },
                new AccessKeyOptions { Id = ReaderId, Secret = Secret, Grants = [new AccessGrant(Right: AccessRight.ReadOnly)] },
                new AccessKeyOptions { Id = NarrowId, Secret = Secret, Grants = [new AccessGrant("data", "public/", AccessRight.ReadOnly)] },
            ],
        };
        options = change?.Invoke(options) ?? options;
        var endpoint = new S3Endpoint(options, buckets ?? new FakeNamespace(bucket, new FakeBucket("other")), egress, concurrency, time, logger);
        var server = new S3Server(options, endpoint, NullLoggerFactory.Instance);
        await server.StartAsync(CancellationToken.None);
        return new TestServer(server, endpoint, bucket);
    }

    /// <summary>The AWS SDK, pointed here.</summary>
    public AmazonS3Client Sdk(string keyId = KeyId, string secret = Secret)
        => new(new BasicAWSCredentials(keyId, secret), new AmazonS3Config
        {
            ServiceURL = Uri.ToString(),
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = 0,
            UseHttp = true,
        });

    /// <summary>Sends bytes as they are and reads all that comes until the server closes. The sending side stays open: Kestrel takes its end for a client that is gone.</summary>
    public async Task<string> SendRawAsync(string request, CancellationToken cancellationToken = default)
        => Encoding.Latin1.GetString(await SendRawAsync(Encoding.Latin1.GetBytes(request), cancellationToken));

    public async Task<byte[]> SendRawAsync(byte[] request, CancellationToken cancellationToken = default)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(TimeSpan.FromSeconds(30));
        using Socket socket = await ConnectAsync();
        var answer = new MemoryStream();
        try
        {
            await socket.SendAsync(request, timeout.Token);
            byte[] buffer = new byte[64 * 1024];
            int read;
            while ((read = await socket.ReceiveAsync(buffer, timeout.Token)) > 0)
            {
                answer.Write(buffer, 0, read);
            }
        }
        catch (SocketException)
        {
            // A reset is an answer too: the connection is closed.
        }

        return answer.ToArray();
    }

    public async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, Uri.Port);
        return socket;
    }

    /// <summary>Unsigned GET of a raw path on its own connection.</summary>
    public Task<string> GetRawAsync(string target, string headers = "", string method = "GET")
        => SendRawAsync($"{method} {target} HTTP/1.1\r\nHost: {Uri.Authority}\r\nConnection: close\r\n{headers}\r\n");

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _server.StopAsync(stop.Token);
        await _server.DisposeAsync();
    }
}
