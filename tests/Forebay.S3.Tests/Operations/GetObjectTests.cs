using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;
using ByteRange = Forebay.Core.ByteRange;

namespace Forebay.S3.Tests.Operations;

public sealed class GetObjectTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(true, int.MaxValue)]
    [InlineData(true, 100_000)]
    [InlineData(false, int.MaxValue)]
    [InlineData(false, 100_000)]
    public async Task AWholeObjectComesBackByteForByte(bool fromFiles, int maxPiece)
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(3_000_001);
        _server.Bucket.UseFiles = fromFiles;
        _server.Bucket.MaxPiece = maxPiece;
        _server.Bucket.Put("dir/big", bytes);

        using AmazonS3Client sdk = _server.Sdk();
        using GetObjectResponse response = await sdk.GetObjectAsync("data", "dir/big");
        using var copy = new MemoryStream();
        await response.ResponseStream.CopyToAsync(copy);

        Assert.Equal(bytes, copy.ToArray());
        Assert.Equal(bytes.Length, response.ContentLength);
        await _server.Bucket.IsAllClosedAsync();
        Assert.Equal(bytes.Length, _server.Endpoint.Counters.BytesSentTotal);
    }

    [Fact]
    public async Task HeadersOfTheObjectAreTold()
    {
        _server.Bucket.Put("page", "hello"u8.ToArray(), new ObjectHeaders
        {
            ContentType = "text/html",
            ContentEncoding = "identity",
            ContentLanguage = "de",
            ContentDisposition = "inline",
            CacheControl = "max-age=60",
            Expires = "Thu, 01 Dec 2033 16:00:00 GMT",
            StorageClass = "GLACIER",
            VersionId = "v7",
            UserMetadata = new Dictionary<string, string> { ["colour"] = "blue", ["name"] = "Grüße\r\nX-Evil: 1" },
        });

        using HttpResponseMessage response = await _server.Http.GetAsync("/data/page");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
        Assert.Equal("text/html", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("\"5d41402abc4b2a76b9719d911017c592\"", response.Headers.ETag!.Tag);
        Assert.Equal(FakeBucket.Modified, response.Content.Headers.LastModified);
        Assert.Equal("bytes", string.Join(",", response.Headers.AcceptRanges));
        Assert.Equal("de", string.Join(",", response.Content.Headers.ContentLanguage));
        Assert.Equal("blue", response.Headers.GetValues("x-amz-meta-colour").Single());
        Assert.Equal("=?UTF-8?B?R3LDvMOfZQ0KWC1FdmlsOiAx?=", response.Headers.GetValues("x-amz-meta-name").Single());
        Assert.Equal("v7", response.Headers.GetValues("x-amz-version-id").Single());
        Assert.Equal("GLACIER", response.Headers.GetValues("x-amz-storage-class").Single());
        Assert.Matches("^[0-9A-F]{16}$", response.Headers.GetValues("x-amz-request-id").Single());
        Assert.NotEmpty(response.Headers.GetValues("x-amz-id-2").Single());
        Assert.False(response.Headers.Contains("Server"));
        Assert.False(response.Headers.Contains("X-Evil"));
    }

    [Fact]
    public async Task AnUntypedObjectIsABinaryStream()
    {
        _server.Bucket.Put("raw", "x");

        using HttpResponseMessage response = await _server.Http.GetAsync("/data/raw");

        Assert.Equal("binary/octet-stream", response.Content.Headers.ContentType!.ToString());
    }

    [Fact]
    public async Task AnEmptyObjectHasNoBody()
    {
        _server.Bucket.Put("empty", "");

        using HttpResponseMessage whole = await _server.Http.GetAsync("/data/empty");
        string range = await _server.GetRawAsync("/data/empty", "Range: bytes=0-9\r\n");

        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
        Assert.Equal(0, whole.Content.Headers.ContentLength);
        Assert.StartsWith("HTTP/1.1 416 ", range, StringComparison.Ordinal);
        Assert.Contains("Content-Range: bytes */0\r\n", range, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bytes=0-0", 206, "0", "bytes 0-0/10")]
    [InlineData("bytes=2-4", 206, "234", "bytes 2-4/10")]
    [InlineData("BYTES=2-4", 206, "234", "bytes 2-4/10")]
    [InlineData("bytes=7-", 206, "789", "bytes 7-9/10")]
    [InlineData("bytes=-3", 206, "789", "bytes 7-9/10")]
    [InlineData("bytes=-99", 206, "0123456789", "bytes 0-9/10")]
    [InlineData("bytes=8-99999999999999999999", 206, "89", "bytes 8-9/10")]
    [InlineData("bytes=5-4", 200, "0123456789", null)]
    [InlineData("bytes=-", 200, "0123456789", null)]
    [InlineData("bytes=a-b", 200, "0123456789", null)]
    [InlineData("bytes=+1-2", 200, "0123456789", null)]
    [InlineData("bytes", 200, "0123456789", null)]
    [InlineData("lines=0-1", 200, "0123456789", null)]
    [InlineData("bytes=0-1,4-5", 200, "0123456789", null)]
    [InlineData("bytes=10-", 416, null, "bytes */10")]
    [InlineData("bytes=10-12", 416, null, "bytes */10")]
    [InlineData("bytes=-0", 416, null, "bytes */10")]
    [InlineData("bytes=9223372036854775807-", 416, null, "bytes */10")]
    public async Task RangesFollowTheRules(string range, int status, string? body, string? contentRange)
    {
        _server.Bucket.Put("ten", "0123456789");

        using var request = new HttpRequestMessage(HttpMethod.Get, "/data/ten");
        request.Headers.TryAddWithoutValidation("Range", range);
        using HttpResponseMessage response = await _server.Http.SendAsync(request);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(contentRange, response.Content.Headers.TryGetValues("Content-Range", out var values) ? values.Single() : null);
        string text = await response.Content.ReadAsStringAsync();
        if (body is not null)
        {
            Assert.Equal(body, text);
            return;
        }

        Assert.Contains("<Code>InvalidRange</Code>", text, StringComparison.Ordinal);
        Assert.Contains("<ActualObjectSize>10</ActualObjectSize>", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 0L, long.MaxValue)]
    [InlineData("bytes=2-4", 2L, 3L)]
    [InlineData("bytes=2-", 2L, long.MaxValue - 2)]
    [InlineData("bytes=-2", null, null)]
    public async Task TheEngineIsToldWhatWillBeRead(string? range, long? offset, long? length)
    {
        _server.Bucket.Put("ten", "0123456789");

        await _server.GetRawAsync("/data/ten", range is null ? "" : $"Range: {range}\r\n");

        (string key, ByteRange? wanted, string? requestId) = Assert.Single(_server.Bucket.Opens);
        Assert.Equal("ten", key);
        Assert.Equal(offset is null ? null : new ByteRange(offset.Value, length!.Value), wanted);
        Assert.Matches("^[0-9A-F]{16}$", requestId);
    }

    [Fact]
    public async Task AReadThatMayBeUnmodifiedFetchesNoBytesBeforeTheStat()
    {
        FakeObject stored = _server.Bucket.Put("ten", "0123456789");

        string answer = await _server.GetRawAsync("/data/ten", $"If-None-Match: {stored.ETag}\r\n");

        Assert.StartsWith("HTTP/1.1 304 ", answer, StringComparison.Ordinal);
        Assert.Contains($"ETag: {stored.ETag}\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.Null(Assert.Single(_server.Bucket.Opens).Wanted);
    }

    [Fact]
    public async Task AMissingKeyIsNoSuchKeyAndAMissingBucketNoSuchBucket()
    {
        using AmazonS3Client sdk = _server.Sdk();

        AmazonS3Exception key = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => sdk.GetObjectAsync("data", "none"));
        AmazonS3Exception bucket = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => sdk.GetObjectAsync("nowhere", "none"));

        Assert.Equal(("NoSuchKey", HttpStatusCode.NotFound), (key.ErrorCode, key.StatusCode));
        Assert.Equal(("NoSuchBucket", HttpStatusCode.NotFound), (bucket.ErrorCode, bucket.StatusCode));
        Assert.Matches("^[0-9A-F]{16}$", key.RequestId);
    }

    [Theory]
    [InlineData(ErrorKind.Throttled, 503, "SlowDown")]
    [InlineData(ErrorKind.Unavailable, 503, "ServiceUnavailable")]
    [InlineData(ErrorKind.Corrupt, 500, "InternalError")]
    [InlineData(ErrorKind.AccessDenied, 403, "AccessDenied")]
    public async Task AnErrorOfTheEngineIsAnsweredInTheWordsOfS3(ErrorKind kind, int status, string code)
    {
        _server.Bucket.Put("x", "bytes"u8.ToArray(), ETagged());
        _server.Bucket.BeforePiece = (_, _, _) => throw new ForebayException(kind, "for a test") { RetryAfter = TimeSpan.FromSeconds(6.2) };

        using HttpResponseMessage response = await _server.Http.GetAsync("/data/x");

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains($"<Code>{code}</Code>", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(status == 503 ? "7" : null, response.Headers.RetryAfter?.ToString());
        Assert.Null(response.Headers.ETag);
        Assert.False(response.Headers.Contains("x-amz-meta-a"));
        await _server.Bucket.IsAllClosedAsync();
    }

    [Fact]
    public async Task OverridesReplaceHeadersOfASignedGetOnly()
    {
        _server.Bucket.Put("x", "bytes");
        using AmazonS3Client sdk = _server.Sdk();
        var request = new GetObjectRequest { BucketName = "data", Key = "x" };
        request.ResponseHeaderOverrides.ContentType = "text/x-own";
        request.ResponseHeaderOverrides.ContentDisposition = "attachment; filename=\"a b.txt\"";

        using GetObjectResponse signed = await sdk.GetObjectAsync(request);
        string anonymous = await _server.GetRawAsync("/data/x?response-content-type=text/x-own");
        request.ResponseHeaderOverrides.ContentDisposition = "a\r\nX-Evil: 1";
        AmazonS3Exception evil = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => sdk.GetObjectAsync(request));

        Assert.Equal("text/x-own", signed.Headers.ContentType);
        Assert.Equal("attachment; filename=\"a b.txt\"", signed.Headers.ContentDisposition);
        Assert.StartsWith("HTTP/1.1 400 ", anonymous, StringComparison.Ordinal);
        Assert.Contains("<Code>InvalidRequest</Code>", anonymous, StringComparison.Ordinal);
        Assert.Equal("InvalidArgument", evil.ErrorCode);
    }

    [Theory]
    [InlineData("partNumber=1", 206, null)]
    [InlineData("partNumber=2", 416, "InvalidPartNumber")]
    [InlineData("partNumber=x", 400, "InvalidArgument")]
    [InlineData("versionId=null", 200, null)]
    [InlineData("versionId=abc", 404, "NoSuchVersion")]
    [InlineData("x-id=GetObject", 200, null)]
    public async Task ParametersOfAGetAreUnderstood(string query, int status, string? code)
    {
        _server.Bucket.Put("x", "bytes");

        string answer = await _server.GetRawAsync("/data/x?" + query);

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains(code is null ? "bytes" : $"<Code>{code}</Code>", answer, StringComparison.Ordinal);
    }

    private static ObjectHeaders ETagged() => new() { UserMetadata = new Dictionary<string, string> { ["a"] = "b" } };
}
