using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests.Operations;

public sealed class HeadObjectTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task AHeadTellsTheObjectAndOpensNothing()
    {
        _server.Bucket.Put("x", new byte[12345], new ObjectHeaders { ContentType = "a/b", UserMetadata = new Dictionary<string, string> { ["k"] = "v" } });
        using AmazonS3Client sdk = _server.Sdk();

        GetObjectMetadataResponse head = await sdk.GetObjectMetadataAsync("data", "x");

        Assert.Equal(12345, head.ContentLength);
        Assert.Equal("a/b", head.Headers.ContentType);
        Assert.Equal("v", head.Metadata["k"]);
        Assert.Equal(FakeBucket.Modified.UtcDateTime, head.LastModified!.Value.ToUniversalTime());
        Assert.Empty(_server.Bucket.Opens);
        Assert.Equal(1, _server.Endpoint.Counters.Requests(S3OperationKind.HeadObject, 2));
    }

    [Theory]
    [InlineData("/data/x", "Range: bytes=2-3\r\n", 206, "Content-Length: 2\r\n")]
    [InlineData("/data/x", "Range: bytes=20-\r\n", 416, "Content-Range: bytes */10\r\n")]
    [InlineData("/data/y", "", 404, "x-amz-request-id: ")]
    [InlineData("/data/%ff", "", 400, "x-amz-request-id: ")]
    public async Task AnswersToAHeadHaveNoBody(string target, string headers, int status, string line)
    {
        _server.Bucket.Put("x", "0123456789");

        string answer = await _server.GetRawAsync(target, headers, "HEAD");

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.Contains(line, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingKeyIsNotFoundForTheSdk()
    {
        using AmazonS3Client sdk = _server.Sdk();

        AmazonS3Exception missing = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => sdk.GetObjectMetadataAsync("data", "none"));

        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }
}
