using System.Security.Cryptography;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;
using Forebay.Testing;
using Microsoft.Extensions.Logging;

namespace Forebay.S3.Tests.Operations;

/// <summary>Objects that change, clients that leave and sources that fail while a body is sent.</summary>
public sealed class OverwriteTests : IAsyncLifetime
{
    private readonly LoggedEvents<S3Endpoint> _log = new();
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(logger: _log);

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnOverwriteBeforeTheFirstByteIsAnsweredFromTheNewVersion(bool fromFiles)
    {
        _server.Bucket.UseFiles = fromFiles;
        _server.Bucket.Put("x", "old bytes"u8.ToArray(), new ObjectHeaders { UserMetadata = new Dictionary<string, string> { ["old"] = "1" } });
        int left = 2;
        _server.Bucket.BeforePiece = (_, _, _) =>
        {
            if (left-- > 0)
            {
                _server.Bucket.Put("x", $"new bytes, longer {left}");
                throw new ForebayException(ErrorKind.StaleVersion, "overwritten");
            }

            return Task.CompletedTask;
        };

        using HttpResponseMessage response = await _server.Http.GetAsync("/data/x");

        Assert.Equal("new bytes, longer 0", await response.Content.ReadAsStringAsync());
        Assert.Equal(19, response.Content.Headers.ContentLength);
        Assert.False(response.Headers.Contains("x-amz-meta-old"));
        Assert.Equal(3, _server.Bucket.Opens.Count);
        await _server.Bucket.IsAllClosedAsync();
    }

    [Fact]
    public async Task AnOverwriteUnderAConditionIsAFailedPrecondition()
    {
        FakeObject stored = _server.Bucket.Put("x", "old bytes");
        _server.Bucket.BeforePiece = (_, _, _) => throw new ForebayException(ErrorKind.StaleVersion, "overwritten");

        string answer = await _server.GetRawAsync("/data/x", $"If-Match: {stored.ETag}\r\n");

        Assert.StartsWith("HTTP/1.1 412 ", answer, StringComparison.Ordinal);
        Assert.Single(_server.Bucket.Opens);
    }

    [Fact]
    public async Task AnOverwriteUnderAConditionThatAnyVersionMeetsIsAnsweredFromTheNewVersion()
    {
        OverwriteAtTheFirstPiece();

        string answer = await _server.GetRawAsync("/data/x", "If-Match: *\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nnew bytes, longer", answer, StringComparison.Ordinal);
    }

    /// <summary>A download that is resumed: were the whole new object told as a range, the client would hang it behind its piece of the old one.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnOverwriteUnderARangeOfTheOldVersionIsAnsweredWithTheWholeNewOne(bool fromFiles)
    {
        _server.Bucket.UseFiles = fromFiles;
        FakeObject old = OverwriteAtTheFirstPiece();

        string answer = await _server.GetRawAsync("/data/x", $"Range: bytes=4-\r\nIf-Range: {old.ETag}\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Range", answer, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith("\r\n\r\nnew bytes, longer", answer, StringComparison.Ordinal);
    }

    /// <summary>As where a time-out inside the node cancels something: the client is there and gets an answer.</summary>
    [Fact]
    public async Task ACancellationThatIsNotTheClientsIsAnswered()
    {
        _server.Bucket.Put("x", "bytes");
        _server.Bucket.BeforePiece = (_, _, _) => throw new TaskCanceledException("a time-out inside");

        string answer = await _server.GetRawAsync("/data/x");

        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Single(_log.All, line => line.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task EndlessOverwritesEndInABoundedNumberOfOpens()
    {
        _server.Bucket.Put("x", "old bytes");
        _server.Bucket.BeforePiece = (_, _, _) => throw new ForebayException(ErrorKind.StaleVersion, "overwritten");

        string answer = await _server.GetRawAsync("/data/x");

        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Equal(4, _server.Bucket.Opens.Count);
        await _server.Bucket.IsAllClosedAsync();
    }

    /// <summary>Its answer is lost, the next one must not be.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(500_000)]
    public async Task ACacheFileThatEndsUnderItsAnswerIsReported(int fileBytes)
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(900_000);
        _server.Bucket.UseFiles = true;
        _server.Bucket.FileBytes = fileBytes;
        _server.Bucket.Put("x", bytes);

        await Assert.ThrowsAnyAsync<Exception>(() => _server.Http.GetByteArrayAsync("/data/x"));

        // A client may ask again where it saw nothing of the answer.
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _server.Bucket.Unreadable) > 0, TimeSpan.FromSeconds(20)), "the file is not reported");
    }

    [Theory]
    [InlineData(true, ErrorKind.StaleVersion)]
    [InlineData(false, ErrorKind.StaleVersion)]
    [InlineData(true, ErrorKind.Unavailable)]
    public async Task AFailureAfterTheFirstByteEndsTheConnection(bool fromFiles, ErrorKind kind)
    {
        byte[] old = RandomNumberGenerator.GetBytes(1_000_000);
        _server.Bucket.UseFiles = fromFiles;
        _server.Bucket.MaxPiece = 300_000;
        _server.Bucket.Put("x", old);
        _server.Bucket.BeforePiece = (_, offset, _) => offset < 600_000 ? Task.CompletedTask : throw new ForebayException(kind, "for a test");

        using HttpResponseMessage response = await _server.Http.GetAsync("/data/x", HttpCompletionOption.ResponseHeadersRead);
        using var received = new MemoryStream();
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.CopyToAsync(received));

        Assert.True(received.Length < 900_000, $"{received.Length} bytes arrived");
        Assert.Equal(old[..(int)received.Length], received.ToArray());
        await _server.Bucket.IsAllClosedAsync();
        Assert.Equal(1, _server.Endpoint.Counters.BodiesAborted);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AClientThatLeavesReleasesItsReaderWithoutAWarning(bool waitingForTheSource)
    {
        var reached = new TaskCompletionSource();
        _server.Bucket.MaxPiece = 1 << 20;
        _server.Bucket.Put("x", new byte[64 << 20]);
        _server.Bucket.BeforePiece = async (_, offset, token) =>
        {
            if (offset >= 2 << 20)
            {
                reached.TrySetResult();
                if (waitingForTheSource)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, token);
                }
            }
        };
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        using (System.Net.Sockets.Socket socket = await _server.ConnectAsync())
        {
            await socket.SendAsync("GET /data/x HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
            byte[] buffer = new byte[1 << 20];
            while (!reached.Task.IsCompleted)
            {
                // The last bytes may be here before the server says it reached the place, and nothing follows them then.
                await Task.WhenAny(reached.Task, socket.ReceiveAsync(buffer, timeout.Token).AsTask());
            }
        }

        while (Volatile.Read(ref _server.Bucket.OpenReaders) > 0 || _server.Endpoint.Counters.ActiveRequests > 0)
        {
            await Task.Delay(10, timeout.Token);
        }

        await _server.Bucket.IsAllClosedAsync();
        Assert.DoesNotContain(_log.All, line => line.Level >= LogLevel.Warning);
    }

    private FakeObject OverwriteAtTheFirstPiece()
    {
        FakeObject old = _server.Bucket.Put("x", "old bytes");
        bool isOverwritten = false;
        _server.Bucket.BeforePiece = (_, _, _) =>
        {
            if (!isOverwritten)
            {
                isOverwritten = true;
                _server.Bucket.Put("x", "new bytes, longer");
                throw new ForebayException(ErrorKind.StaleVersion, "overwritten");
            }

            return Task.CompletedTask;
        };
        return old;
    }
}
