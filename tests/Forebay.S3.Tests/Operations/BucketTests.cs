using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests.Operations;

/// <summary>ListBuckets, HeadBucket and the small descriptions of buckets and objects.</summary>
public sealed class BucketTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(o => o with { Region = "eu-test-1" });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    private AmazonS3Client Sdk(string keyId = TestServer.KeyId)
        => new(new Amazon.Runtime.BasicAWSCredentials(keyId, TestServer.Secret), new AmazonS3Config
        {
            ServiceURL = _server.Uri.ToString(),
            ForcePathStyle = true,
            AuthenticationRegion = "eu-test-1",
            MaxErrorRetry = 0,
        });

    [Fact]
    public async Task BucketsAreTheMountPointsThatTheKeyMaySee()
    {
        using AmazonS3Client all = Sdk();
        using AmazonS3Client narrow = Sdk(TestServer.NarrowId);

        ListBucketsResponse both = await all.ListBucketsAsync();
        ListBucketsResponse one = await narrow.ListBucketsAsync();

        Assert.Equal(["data", "other"], both.Buckets.Select(b => b.BucketName));
        Assert.Equal(FakeBucket.Modified.UtcDateTime, both.Buckets[0].CreationDate!.Value.ToUniversalTime());
        Assert.Equal(["data"], one.Buckets.Select(b => b.BucketName));
    }

    [Fact]
    public async Task ABucketIsFoundByItsHead()
    {
        string found = await _server.GetRawAsync("/data", method: "HEAD");
        string missing = await _server.GetRawAsync("/nowhere", method: "HEAD");

        Assert.StartsWith("HTTP/1.1 200 ", found, StringComparison.Ordinal);
        Assert.Contains("x-amz-bucket-region: eu-test-1\r\n", found, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 404 ", missing, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", missing, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DescriptionsOfABucketAreTruthful()
    {
        using AmazonS3Client sdk = Sdk();

        Assert.Equal("eu-test-1", (await sdk.GetBucketLocationAsync(new GetBucketLocationRequest { BucketName = "data" })).Location.Value);
        Assert.Equal(VersionStatus.Off, (await sdk.GetBucketVersioningAsync(new GetBucketVersioningRequest { BucketName = "data" })).VersioningConfig.Status ?? VersionStatus.Off);
        Assert.Equal("READ", Assert.Single((await sdk.GetBucketAclAsync(new GetBucketAclRequest { BucketName = "data" })).Grants).Permission.Value);
        Assert.Empty((await sdk.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = "data" })).MultipartUploads ?? []);
        AmazonS3Exception cors = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => sdk.GetBucketTaggingAsync(new GetBucketTaggingRequest { BucketName = "data" }));
        Assert.Equal(("NoSuchTagSet", HttpStatusCode.NotFound), (cors.ErrorCode, cors.StatusCode));
    }

    [Fact]
    public async Task AclAndTagsOfAnObjectNeedTheObject()
    {
        _server.Bucket.Put("x", "v");
        using AmazonS3Client sdk = Sdk();

        Assert.Empty((await sdk.GetObjectTaggingAsync(new GetObjectTaggingRequest { BucketName = "data", Key = "x" })).Tagging ?? []);
        Assert.Single((await sdk.GetObjectAclAsync(new GetObjectAclRequest { BucketName = "data", Key = "x" })).Grants);
        AmazonS3Exception missing = await Assert.ThrowsAnyAsync<AmazonS3Exception>(
            () => sdk.GetObjectTaggingAsync(new GetObjectTaggingRequest { BucketName = "data", Key = "y" }));
        Assert.Equal("NoSuchKey", missing.ErrorCode);
    }

    [Theory]
    [InlineData("GET", "/data?analytics", 501, "NotImplemented")]
    [InlineData("GET", "/data/x?torrent", 501, "NotImplemented")]
    [InlineData("GET", "/data/x?attributes", 501, "NotImplemented")]
    [InlineData("GET", "/data?unheard-of", 501, "NotImplemented")]
    [InlineData("GET", "/data?unheard-of=1", 200, "ListBucketResult")]
    [InlineData("GET", "/data?policy", 404, "NoSuchBucketPolicy")]
    [InlineData("PUT", "/data/x", 403, "AccessDenied")]
    [InlineData("PUT", "/nowhere/x", 404, "NoSuchBucket")]
    [InlineData("PUT", "/nowhere", 403, "AccessDenied")]
    [InlineData("PUT", "/data/x?tagging", 403, "AccessDenied")]
    [InlineData("DELETE", "/data/x", 403, "AccessDenied")]
    [InlineData("DELETE", "/data", 403, "AccessDenied")]
    [InlineData("POST", "/data?delete", 403, "AccessDenied")]
    [InlineData("POST", "/data/x?uploads", 403, "AccessDenied")]
    [InlineData("POST", "/data", 403, "AccessDenied")]
    [InlineData("PUT", "/", 405, "MethodNotAllowed")]
    [InlineData("PATCH", "/data/x", 405, "MethodNotAllowed")]
    [InlineData("TRACE", "/data/x", 405, "MethodNotAllowed")]
    [InlineData("FOO", "/data/x", 405, "MethodNotAllowed")]
    [InlineData("OPTIONS", "/data/x", 403, "AccessForbidden")]
    public async Task WhatIsNotServedIsRefusedInTheWordsOfS3(string method, string target, int status, string text)
    {
        string answer = await _server.GetRawAsync(target, method: method);

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains(text, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARefusedUploadIsAnsweredBeforeItsBody()
    {
        using var sdk = Sdk();
        AmazonS3Exception small = await Assert.ThrowsAnyAsync<AmazonS3Exception>(
            () => sdk.PutObjectAsync(new PutObjectRequest { BucketName = "data", Key = "x", ContentBody = "text" }));
        string large = await _server.GetRawAsync("/data/x", "Content-Length: 5000000000\r\nExpect: 100-continue\r\n", "PUT");

        Assert.Equal("AccessDenied", small.ErrorCode);
        Assert.StartsWith("HTTP/1.1 403 ", large, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", large, StringComparison.Ordinal);
        Assert.DoesNotContain("100 Continue", large, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARefusedUploadThatKeepsItsBodyBackIsNotFollowedOnTheSameConnection()
    {
        const string asking = "PUT /data/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
        const string next = "GET /data/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

        string answers = await _server.SendRawAsync(asking + next);

        // Else the G would be the body and the rest another request.
        Assert.StartsWith("HTTP/1.1 403 ", answers, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answers, StringComparison.Ordinal);
        Assert.Equal(2, answers.Split("HTTP/1.1 ").Length);
    }

    [Fact]
    public async Task ANarrowKeyReadsBelowItsPrefixOnly()
    {
        _server.Bucket.Put("public/x", "v");
        _server.Bucket.Put("secret/x", "v");
        using AmazonS3Client narrow = Sdk(TestServer.NarrowId);

        using (await narrow.GetObjectAsync("data", "public/x"))
        {
        }

        Assert.Single((await narrow.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "data", Prefix = "public/" })).S3Objects);
        await DeniedAsync(() => narrow.GetObjectAsync("data", "secret/x"));
        await DeniedAsync(() => narrow.GetObjectAsync("data", "public"));
        await DeniedAsync(() => narrow.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "data" }));
        await DeniedAsync(() => narrow.ListVersionsAsync(new ListVersionsRequest { BucketName = "data", Prefix = "pub" }));
        await DeniedAsync(() => narrow.GetObjectAsync("other", "x"));
        await DeniedAsync(() => narrow.GetObjectAsync("nowhere", "x"));
        await DeniedAsync(() => narrow.GetObjectTaggingAsync(new GetObjectTaggingRequest { BucketName = "data", Key = "secret/x" }));

        static async Task DeniedAsync(Func<Task> call)
            => Assert.Equal("AccessDenied", (await Assert.ThrowsAnyAsync<AmazonS3Exception>(call)).ErrorCode);
    }
}
