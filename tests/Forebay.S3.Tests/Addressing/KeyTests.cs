using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests.Addressing;

/// <summary>Keys that servers like to fold, decode twice or lose.</summary>
public sealed class KeyTests : IAsyncLifetime
{
    public static readonly TheoryData<string> Keys = new(
        "plain", "a b", "a+b", "a%2Bb", "100%", "%", "%25", "a//b", "//", "/lead", "trail/", "a/../b", "../up", ".", "..", "a/./b", "?q=1&x", "#frag",
        "über/ñ/日本語", "😀", "e\u0301", "a\\b", "~t*i'(l)d!e", "a;b=c,d@e:f$g&h", "\"quoted\"", "<xml>&amp;", "tab\tnew\nline", "\u0001", " lead and trail ",
        new string('k', 1024), new string('ü', 512));

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(o => o with { VirtualHostDomains = ["s3.example.test"] });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [MemberData(nameof(Keys))]
    public async Task AnyKeyIsFoundRawSignedAndPresigned(string key)
    {
        _server.Bucket.Put(key, "the bytes of " + key);
        string escaped = string.Concat(System.Text.Encoding.UTF8.GetBytes(key).Select(b => b == '/' ? "/" : $"%{b:x2}"));

        string raw = await _server.GetRawAsync("/data/" + escaped);
        Assert.StartsWith("HTTP/1.1 200 ", raw, StringComparison.Ordinal);
        Assert.Equal(key, _server.Bucket.Opens[^1].Key);

        // The SDK rewrites keys that begin with a slash and refuses "." segments, so those go unsigned only.
        if (key.StartsWith('/') || key is "." or ".." or "../up" || key.Contains("/./", StringComparison.Ordinal) || key.Contains("/../", StringComparison.Ordinal))
        {
            return;
        }

        using AmazonS3Client sdk = _server.Sdk();
        using GetObjectResponse signed = await sdk.GetObjectAsync("data", key);
        Assert.Equal(key, _server.Bucket.Opens[^1].Key);
        string url = sdk.GetPreSignedURL(new GetPreSignedUrlRequest { BucketName = "data", Key = key, Expires = DateTime.UtcNow.AddMinutes(5), Protocol = Protocol.HTTP });
        Uri presigned = new(url, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using HttpResponseMessage answer = await _server.Http.GetAsync(presigned);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("the bytes of " + key, await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/data/%", 400, "InvalidURI")]
    [InlineData("/data/%4", 400, "InvalidURI")]
    [InlineData("/data/%zz", 400, "InvalidURI")]
    [InlineData("/data/%ff", 400, "InvalidURI")]
    [InlineData("/data/%c0%af", 400, "InvalidURI")]
    [InlineData("/data/%ed%a0%80", 400, "InvalidURI")]
    [InlineData("/%ff/x", 400, "InvalidURI")]
    [InlineData("/data/x?prefix=%ff", 400, "InvalidURI")]
    [InlineData("/data/a%00b", 400, "")]
    [InlineData("/data/none", 404, "NoSuchKey")]
    [InlineData("/DATA/x", 404, "NoSuchBucket")]
    [InlineData("//data/x", 400, "InvalidBucketName")]
    [InlineData("/data%2Fx", 404, "NoSuchBucket")]
    public async Task WhatCannotBeAKeyIsRefused(string target, int status, string code)
    {
        string answer = await _server.GetRawAsync(target);

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains(code, answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('k', 1024, 404)]
    [InlineData('k', 1025, 400)]
    [InlineData('ü', 512, 404)]
    [InlineData('ü', 513, 400)]
    public async Task KeysMayHave1024Bytes(char unit, int count, int status)
    {
        string answer = await _server.GetRawAsync("/data/" + Uri.EscapeDataString(new string(unit, count)));

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains(status == 400 ? "<Code>KeyTooLongError</Code>" : "<Code>NoSuchKey</Code>", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("data.s3.example.test", "/dir/x")]
    [InlineData("DATA.S3.Example.Test:9000", "/dir/x")]
    [InlineData("s3.example.test", "/data/dir/x")]
    [InlineData("[::1]:9000", "/data/dir/x")]
    [InlineData("anything", "http://anything/data/dir/x")]
    public async Task TheHostMayNameTheBucket(string host, string target)
    {
        _server.Bucket.Put("dir/x", "the bytes");

        string answer = await _server.SendRawAsync($"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("the bytes", answer, StringComparison.Ordinal);
    }
}
