using System.Net.Sockets;
using System.Text;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.S3.Sending;
using Forebay.S3.Tests.Fakes;
using Xunit.Abstractions;

namespace Forebay.S3.Tests;

/// <summary>Hostile, slow and limited clients, and the gates.</summary>
public sealed class ProtocolTests(ITestOutputHelper output)
{
    [Fact]
    public async Task MutatedRequestsAreRefusedAndNeverAServerError()
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using TestServer server = await TestServer.StartAsync(o => o with { HeadersTimeout = TimeSpan.FromSeconds(1), KeepAliveTimeout = TimeSpan.FromSeconds(1) });
        server.Bucket.Put("dir/a b", "0123456789");
        string[] seeds =
        [
            $"GET /data/dir/a%20b HTTP/1.1\r\nHost: h\r\nRange: bytes=2-5\r\nIf-Match: \"x\", W/\"y\"\r\nConnection: close\r\n\r\n",
            $"GET /data?list-type=2&prefix=d&delimiter=%2F&max-keys=3&continuation-token=AWRpcg HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            $"GET /data/dir/a%20b HTTP/1.1\r\nHost: h\r\nx-amz-date: 20240101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nAuthorization: AWS4-HMAC-SHA256 Credential={TestServer.KeyId}/20240101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={new string('a', 64)}\r\nConnection: close\r\n\r\n",
            $"GET /data/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={TestServer.KeyId}%2F20240101%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20240101T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={new string('b', 64)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "POST /data/dir/?forebay-refresh HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        ];

        await Parallel.ForEachAsync(Enumerable.Range(0, 600), new ParallelOptions { MaxDegreeOfParallelism = 100 }, async (i, token) =>
        {
            byte[] request;
            lock (random)
            {
                request = Mutate(Encoding.Latin1.GetBytes(seeds[i % seeds.Length]), random);
            }

            string answer = Encoding.Latin1.GetString(await server.SendRawAsync(request, token));
            Assert.False(answer.Contains("HTTP/1.1 5", StringComparison.Ordinal) && !answer.Contains("HTTP/1.1 501", StringComparison.Ordinal) && !answer.Contains("HTTP/1.1 505", StringComparison.Ordinal),
                $"seed {seed}: {Encoding.Latin1.GetString(request)}\n→ {answer}");
        });

        Assert.Contains("0123456789", await server.GetRawAsync("/data/dir/a%20b"), StringComparison.Ordinal);
        await server.Bucket.IsAllClosedAsync();
    }

    [Fact]
    public async Task AClientThatDripsItsHeadersIsCutOff()
    {
        await using TestServer server = await TestServer.StartAsync(o => o with { HeadersTimeout = TimeSpan.FromSeconds(1) });
        using Socket socket = await server.ConnectAsync();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await socket.SendAsync("GET /data/x HTTP/1.1\r\nHost: h\r\nX-Slow: "u8.ToArray());

        byte[] buffer = new byte[4096];
        int read = await socket.ReceiveAsync(buffer, timeout.Token);
        while (read > 0)
        {
            read = await socket.ReceiveAsync(buffer, timeout.Token);
        }

        Assert.False(timeout.IsCancellationRequested, "the connection outlived its time for headers");
    }

    [Fact]
    public async Task HeadersAndLinesBeyondTheirLimitsAreRefused()
    {
        await using TestServer server = await TestServer.StartAsync();

        Assert.StartsWith("HTTP/1.1 431 ", await server.GetRawAsync("/data/x", $"X-Long: {new string('x', 40_000)}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", await server.GetRawAsync("/data/x", string.Concat(Enumerable.Range(0, 120).Select(i => $"X-{i}: 1\r\n"))), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 414 ", await server.GetRawAsync("/data/" + new string('x', 17_000)), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", await server.GetRawAsync("/data?" + string.Concat(Enumerable.Repeat("a=1&", 100))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnlyAKeyMayRefresh()
    {
        await using TestServer server = await TestServer.StartAsync();

        string anonymous = await server.GetRawAsync("/data/dir/?forebay-refresh", "Content-Length: 0\r\n", "POST");
        using HttpResponseMessage signed = await SendSignedAsync(server, TestServer.KeyId, "dir/");
        using HttpResponseMessage narrow = await SendSignedAsync(server, TestServer.NarrowId, "dir/");
        using HttpResponseMessage own = await SendSignedAsync(server, TestServer.NarrowId, "public/x");

        Assert.StartsWith("HTTP/1.1 403 ", anonymous, StringComparison.Ordinal);
        Assert.Equal((204, 403, 204), ((int)signed.StatusCode, (int)narrow.StatusCode, (int)own.StatusCode));
        Assert.Equal(["dir/", "public/x"], server.Bucket.Refreshed);
    }

    [Fact]
    public async Task AKeyThatRefreshesWithoutEndIsSlowedDownAndNoOther()
    {
        var time = new Forebay.Testing.ManualTimeProvider(DateTimeOffset.UtcNow);
        await using TestServer server = await TestServer.StartAsync(time: time);
        var answers = new List<int>();
        for (int i = 0; i < 110; i++)
        {
            using HttpResponseMessage answer = await SendSignedAsync(server, TestServer.NarrowId, "public/x");
            answers.Add((int)answer.StatusCode);
        }

        using HttpResponseMessage other = await SendSignedAsync(server, TestServer.KeyId, "x");
        time.Advance(TimeSpan.FromMilliseconds(50));
        using HttpResponseMessage later = await SendSignedAsync(server, TestServer.NarrowId, "public/x");

        Assert.Equal([.. Enumerable.Repeat(204, 101), .. Enumerable.Repeat(503, 9)], answers);
        Assert.Equal((204, 204), ((int)other.StatusCode, (int)later.StatusCode));
    }

    [Fact]
    public async Task ABodyMustBeTheSignedOne()
    {
        await using TestServer server = await TestServer.StartAsync();
        const string Target = "/data/x?forebay-refresh";

        using HttpResponseMessage right = await HeaderSigner.SendAsync(server, HttpMethod.Post, Target, TestServer.KeyId, [1, 2, 3]);
        using HttpResponseMessage wrong = await HeaderSigner.SendAsync(server, HttpMethod.Post, Target, TestServer.KeyId, [1, 2, 3], new string('0', 64));
        using HttpResponseMessage unsigned = await HeaderSigner.SendAsync(server, HttpMethod.Post, Target, TestServer.KeyId, [1, 2, 3], "UNSIGNED-PAYLOAD");

        Assert.Equal((204, 400, 204), ((int)right.StatusCode, (int)wrong.StatusCode, (int)unsigned.StatusCode));
        Assert.Contains("XAmzContentSHA256Mismatch", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongSecretsAndUnknownKeysAreToldApartAndCounted()
    {
        await using TestServer server = await TestServer.StartAsync();
        using AmazonS3Client wrong = server.Sdk(secret: "wrong");
        using AmazonS3Client unknown = server.Sdk(keyId: "AKIANOBODY");

        AmazonS3Exception first = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => wrong.ListBucketsAsync());
        AmazonS3Exception second = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => unknown.ListBucketsAsync());

        Assert.Equal(("SignatureDoesNotMatch", "InvalidAccessKeyId"), (first.ErrorCode, second.ErrorCode));
        Assert.Equal(1, server.Endpoint.Counters.AuthenticationFailures["SignatureDoesNotMatch"]);
        Assert.Equal(1, server.Endpoint.Counters.AuthenticationFailures["InvalidAccessKeyId"]);
    }

    [Fact]
    public async Task AFullQueueAnswersSlowDown()
    {
        var gate = new ClosedGate();
        await using TestServer server = await TestServer.StartAsync(concurrency: gate);

        string answer = await server.GetRawAsync("/data");

        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Contains("<Code>SlowDown</Code>", answer, StringComparison.Ordinal);
        Assert.Contains("Retry-After: 1\r\n", answer, StringComparison.Ordinal);
        Assert.Equal(0, gate.Exits);
    }

    [Fact]
    public async Task EveryByteOfABodyIsAskedOfTheEgressGate()
    {
        var gate = new SmallGrants();
        await using TestServer server = await TestServer.StartAsync(egress: gate);
        server.Bucket.Put("x", new byte[100_000]);
        using AmazonS3Client sdk = server.Sdk();

        using GetObjectResponse response = await sdk.GetObjectAsync(new GetObjectRequest { BucketName = "data", Key = "x", ByteRange = new Amazon.S3.Model.ByteRange(1, 70_000) });
        using var copy = new MemoryStream();
        await response.ResponseStream.CopyToAsync(copy);

        Assert.Equal(70_000, copy.Length);
        Assert.Equal(70_000, gate.Granted);
        Assert.Equal(TestServer.KeyId, gate.KeyId);
    }

    [Fact]
    public async Task AConnectionIsOneToTheEgressGateHoweverManyAnswersItTakes()
    {
        var gate = new SmallGrants();
        await using TestServer server = await TestServer.StartAsync(egress: gate);
        server.Bucket.Put("x", new byte[10]);
        string get = $"GET /data/x HTTP/1.1\r\nHost: {server.Uri.Authority}\r\n";

        await server.SendRawAsync($"{get}\r\n{get}Connection: close\r\n\r\n");

        Assert.Equal((1, 20), (gate.Connects, gate.Granted));
    }

    private static Task<HttpResponseMessage> SendSignedAsync(TestServer server, string keyId, string key)
        => HeaderSigner.SendAsync(server, HttpMethod.Post, $"/data/{key}?forebay-refresh", keyId);

    private static byte[] Mutate(byte[] request, Random random)
    {
        var bytes = new List<byte>(request);
        for (int n = random.Next(1, 6); n > 0; n--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 2:
                    bytes.RemoveAt(at);
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 40), bytes.Count - at)));
                    break;
                default:
                    bytes.InsertRange(at, "%;\"=&,/"u8.ToArray().OrderBy(_ => random.Next()).Take(2));
                    break;
            }
        }

        return [.. bytes];
    }

    private sealed class ClosedGate : IConcurrencyGate
    {
        public int Exits;

        public ValueTask<bool> TryEnterAsync(CancellationToken cancellationToken) => new(false);

        public void Exit() => Exits++;
    }

    private sealed class SmallGrants : IEgressGate
    {
        public long Granted;

        public string? KeyId;

        public int Connects;

        public object Connect()
        {
            Interlocked.Increment(ref Connects);
            return this;
        }

        public ValueTask<long> AcquireAsync(object connection, string? accessKeyId, long wantedBytes, CancellationToken cancellationToken)
        {
            Assert.Same(this, connection);
            KeyId = accessKeyId;
            long granted = Math.Min(wantedBytes, 7_001);
            Granted += granted;
            return new(granted);
        }
    }
}
