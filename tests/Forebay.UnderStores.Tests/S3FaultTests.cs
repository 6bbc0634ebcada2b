using System.Text;
using Forebay.Core;
using Forebay.Testing;
using Forebay.UnderStores.S3;
using Xunit;

namespace Forebay.UnderStores.Tests;

/// <summary>How the S3 store behaves towards a store that breaks rules, byte for byte.</summary>
public sealed class S3FaultTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
    private static readonly UnderStoreCredentials Pair = new("AKIAEXAMPLE", "topsecret", "toptoken");
    private static readonly byte[] Content = Encoding.ASCII.GetBytes("0123456789abcdefghij");

    private readonly CancellationToken _token = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Theory]
    [InlineData(0, 5, "01234")]
    [InlineData(10, 5, "abcde")]
    [InlineData(18, 100, "ij")]
    public async Task AWholeObjectInsteadOfARangeIsCutToTheRange(long offset, long length, string expected)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("200 OK", "ETag: \"v1\"", "0123456789abcdefghij"));
        await using IUnderStore store = Open(server);

        Assert.Equal(expected, Encoding.ASCII.GetString(await store.ReadAllAsync("a", new ByteRange(offset, length), cancellationToken: _token)));
    }

    [Fact]
    public async Task AWholeObjectInsteadOfARangePastItsEndIsAnInvalidRange()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("200 OK", "ETag: \"v1\"", "0123"));

        await FailsAsync(server, ErrorKind.InvalidRange, store => store.ReadAllAsync("a", new ByteRange(4, 1), cancellationToken: _token));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("x-forebay-has-directories: true", true)]
    public async Task ANodeTellsWithAListingThatItsSourceHasDirectories(string header, bool expected)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("200 OK", header, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
        await using IUnderStore store = Open(server);
        Assert.False(store.HasDirectories);

        await store.ListAsync(new ListQuery("", "/", null, 1000), null, _token);

        Assert.Equal(expected, store.HasDirectories);
    }

    [Theory]
    [InlineData("bytes 1-5/20")]
    [InlineData("bytes 0-3/20")]
    [InlineData("bytes 0-4/*")]
    [InlineData("bytes 4-0/20")]
    [InlineData("items 0-4/20")]
    [InlineData("bytes 0-4/4")]
    [InlineData("")]
    public async Task AnotherRangeThanAskedIsRefused(string contentRange)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("206 Partial Content", $"ETag: \"v1\"\nContent-Range: {contentRange}", "01234"));

        await FailsAsync(server, ErrorKind.Unavailable, store => store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token));
    }

    [Fact]
    public async Task AnotherVersionThanExpectedIsStaleEvenIfTheStoreIgnoresIfMatch()
    {
        await using HttpFaults server = new((_, _) => Part("\"v2\""));

        await FailsAsync(server, ErrorKind.StaleVersion, store => store.ReadAllAsync("a", new ByteRange(0, 5), new VersionToken("\"v1\""), _token));
        Assert.Contains("If-Match: \"v1\"\r\n", server.Requests[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"v1\"")]
    [InlineData("1000-1700000000")]
    public async Task ARangeBehindTheEndIsStaleWhereTheStoreLooksAtItBeforeTheVersion(string token)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("416 Range Not Satisfiable", "", "<Error><Code>InvalidRange</Code></Error>"));

        await FailsAsync(server, ErrorKind.StaleVersion, store => store.ReadAllAsync("a", new ByteRange(500, 5), new VersionToken(token), _token));
    }

    /// <summary>If-Match compares strongly, so that a weak tag never matches: its versions are compared here, behind the last byte.</summary>
    [Fact]
    public async Task AWeakETagIsNotSentAsACondition()
    {
        await using HttpFaults server = new((head, _) => head.Contains("\nIf-Match:", StringComparison.OrdinalIgnoreCase)
            ? HttpFaults.Reply("412 Precondition Failed", "", "<Error><Code>PreconditionFailed</Code></Error>")
            : head.StartsWith("HEAD", StringComparison.Ordinal) ? HttpFaults.Reply("200 OK", "ETag: W/\"v1\"\nContent-Length: 20", []) : Part("W/\"v1\""));
        await using IUnderStore store = Open(server);

        await using UnderStoreRead read = await store.ReadAsync("a", new ByteRange(0, 5), new VersionToken("W/\"v1\""), null, _token);

        Assert.True(read.IsProvisional);
        Assert.Equal("01234", Encoding.ASCII.GetString(await read.ReadToEndAsync(_token)));
    }

    [Theory]
    [InlineData("503 Slow Down", "SlowDown", ErrorKind.Throttled)]
    [InlineData("429 Too Many Requests", "", ErrorKind.Throttled)]
    [InlineData("503 Service Unavailable", "ServiceUnavailable", ErrorKind.Unavailable)]
    [InlineData("500 Internal Server Error", "InternalError", ErrorKind.Unavailable)]
    [InlineData("502 Bad Gateway", "", ErrorKind.Unavailable)]
    [InlineData("504 Gateway Timeout", "", ErrorKind.Unavailable)]
    [InlineData("400 Bad Request", "RequestTimeout", ErrorKind.Timeout)]
    [InlineData("400 Bad Request", "InvalidArgument", ErrorKind.InvalidArgument)]
    [InlineData("400 Bad Request", "ExpiredToken", ErrorKind.AccessDenied)]
    [InlineData("401 Unauthorized", "", ErrorKind.AccessDenied)]
    [InlineData("403 Forbidden", "SignatureDoesNotMatch", ErrorKind.AccessDenied)]
    [InlineData("404 Not Found", "NoSuchBucket", ErrorKind.NotFound)]
    [InlineData("404 Not Found", "", ErrorKind.NotFound)]
    [InlineData("412 Precondition Failed", "PreconditionFailed", ErrorKind.StaleVersion)]
    [InlineData("416 Range Not Satisfiable", "InvalidRange", ErrorKind.InvalidRange)]
    [InlineData("501 Not Implemented", "NotImplemented", ErrorKind.NotSupported)]
    [InlineData("302 Found", "", ErrorKind.Unavailable)]
    public async Task EveryAnswerHasItsKind(string status, string code, ErrorKind kind)
    {
        string body = code.Length == 0 ? "<html>not S3" : $"<Error><Code>{code}</Code><Message>a sentence</Message><StringToSign>topsecret</StringToSign></Error>";
        await using HttpFaults server = new((_, _) => HttpFaults.Reply(status, "Content-Type: application/xml", body));

        ForebayException error = await FailsAsync(server, kind, store => store.ReadAllAsync("some/key", new ByteRange(0, 5), cancellationToken: _token));

        Assert.Contains("some/key", error.Message, StringComparison.Ordinal);
        Assert.Contains(code, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("topsecret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RetryAfterIsPassedOn()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("503 Slow Down", "Retry-After: 7", "<Error><Code>SlowDown</Code></Error>"));

        ForebayException error = await FailsAsync(server, ErrorKind.Throttled, store => store.StatAsync("a", null, _token));

        Assert.Equal(TimeSpan.FromSeconds(7), error.RetryAfter);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("<ListBucketResult><Contents>")]
    [InlineData("<Other/>")]
    [InlineData("not xml")]
    [InlineData("<!DOCTYPE x [<!ENTITY e \"boom\">]><ListBucketResult>&e;</ListBucketResult>")]
    [InlineData("<ListBucketResult><Contents><Key>a</Key><Size>many</Size></Contents></ListBucketResult>")]
    [InlineData("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")]
    [InlineData("<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>")]
    [InlineData("")]
    public async Task AnAnswerThatIsNoListingIsUnavailable(string body)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("200 OK", "", body));

        await FailsAsync(server, ErrorKind.Unavailable, store => store.ListAllAsync(cancellationToken: _token));
    }

    [Fact]
    public async Task AStoreThatIgnoresStartAfterIsFilteredHere()
    {
        await using HttpFaults server = new((head, _) => HttpFaults.Reply("200 OK", "", head.Contains("continuation-token=next", StringComparison.Ordinal)
            ? Listing(["c", "d"], truncated: false)
            : Listing(["a", "b"], truncated: true)));
        await using IUnderStore store = Open(server);

        ListPage page = await store.ListAsync(new ListQuery("", null, "b", 2), null, _token);

        Assert.Equal(["c", "d"], page.Entries.Select(entry => entry.Name));
    }

    /// <summary>AWS lists a prefix entry again when only the entry itself is given as start-after; radosgw does not.</summary>
    [Theory]
    [InlineData("/", "d/", "start-after=d%2F%F4%8F%BF%BF ")]
    [InlineData("/", "d/e", "start-after=d%2F%F4%8F%BF%BF ")]
    [InlineData("/", "d", "start-after=d ")]
    [InlineData(null, "d/", "start-after=d%2F ")]
    public async Task BehindAPrefixEntryTheStoreIsAskedToSkipAllKeysBelow(string? delimiter, string after, string expected)
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("200 OK", "", Listing([], truncated: false)));
        await using IUnderStore store = Open(server);

        await store.ListAsync(new ListQuery("", delimiter, after, 2), null, _token);

        Assert.Contains(expected, server.Requests[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ListingsWithoutQuotesOrEncodingGiveTheSameTokensAsHeaders()
    {
        await using HttpFaults server = new((head, _) => head.StartsWith("HEAD", StringComparison.Ordinal)
            ? HttpFaults.Reply("200 OK", "ETag: \"v1\"\nContent-Length: 7\nLast-Modified: Wed, 04 Mar 2026 05:06:07 GMT", [])
            : HttpFaults.Reply("200 OK", "", "<ListBucketResult><Contents><Key>a+b%20c</Key><ETag>v1</ETag><Size>7</Size><LastModified>2026-03-04T05:06:07.890Z</LastModified></Contents></ListBucketResult>"));
        await using IUnderStore store = Open(server);

        ListEntry listed = Assert.Single(await store.ListAllAsync(cancellationToken: _token));
        ObjectStat stat = await store.StatAsync(listed.Name, null, _token);

        Assert.Equal("a+b%20c", listed.Name);
        Assert.Equal(stat.Token, listed.Stat!.Token);
        Assert.Equal(stat.LastModified, listed.Stat.LastModified);
    }

    [Fact]
    public async Task WithoutAnETagTheVersionIsComparedAgainAfterTheLastByte()
    {
        await using HttpFaults server = new((head, _) => head.StartsWith("HEAD", StringComparison.Ordinal)
            ? HttpFaults.Reply("200 OK", "Content-Length: 20\nLast-Modified: Wed, 04 Mar 2026 05:06:08 GMT", [])
            : HttpFaults.Reply("206 Partial Content", "Last-Modified: Wed, 04 Mar 2026 05:06:07 GMT\nContent-Range: bytes 0-4/20", "01234"));

        await FailsAsync(server, ErrorKind.StaleVersion, store => store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token));
    }

    [Theory]
    [InlineData("HEAD")]
    [InlineData("GET")]
    public async Task AWrongClockIsCorrectedOnceFromTheDateOfTheStore(string method)
    {
        string body = method == "HEAD" ? "" : "<Error><Code>RequestTimeTooSkewed</Code></Error>";
        await using HttpFaults server = new((head, _) => head.Contains("x-amz-date: 20260304T060607Z", StringComparison.Ordinal)
            ? method == "HEAD" ? HttpFaults.Reply("200 OK", "ETag: \"v1\"\nContent-Length: 5", []) : Part("\"v1\"")
            : HttpFaults.Reply("403 Forbidden", "Date: Wed, 04 Mar 2026 06:06:07 GMT", body));
        await using IUnderStore store = Open(server);

        for (int i = 0; i < 2; i++)
        {
            _ = method == "HEAD" ? (await store.StatAsync("a", null, _token)).Length : (await store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token)).Length;
        }

        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task ARefusalWithTheRightClockIsNotTriedAgain()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply("403 Forbidden", "Date: Wed, 04 Mar 2026 05:06:08 GMT", ""));

        await FailsAsync(server, ErrorKind.AccessDenied, store => store.StatAsync("a", null, _token));

        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("400 Bad Request", "", "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")]
    [InlineData("301 Moved Permanently", "x-amz-bucket-region: eu-west-1", "")]
    public async Task TheRightRegionIsLearned(string status, string headers, string body)
    {
        await using HttpFaults server = new((head, _) => head.Contains("/eu-west-1/s3/aws4_request", StringComparison.Ordinal)
            ? Part("\"v1\"")
            : HttpFaults.Reply(status, headers, body));
        await using IUnderStore store = Open(server);

        await store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token);
        await store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token);

        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task TheRequestCarriesWhatItShouldAndNothingElse()
    {
        await using HttpFaults server = new((_, _) => Part("\"v1\""));
        await using IUnderStore store = Open(server);

        await using (await store.ReadAsync("a/../b//c %é", new ByteRange(0, 5), null, "req-42", _token))
        {
        }

        string head = server.Requests[0];
        Assert.StartsWith("GET /bucket/a/../b//c%20%25%C3%A9 HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Contains("x-forebay-request-id: req-42\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Range: bytes=0-4\r\n", head, StringComparison.Ordinal);
        Assert.Contains("x-amz-security-token: toptoken\r\n", head, StringComparison.Ordinal);
        Assert.Contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,", head, StringComparison.Ordinal);
        Assert.DoesNotContain("topsecret", head, StringComparison.Ordinal);
        Assert.DoesNotContain("traceparent", head, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Accept-Encoding", head, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AnonymousRequestsAreUnsigned()
    {
        await using HttpFaults server = new((_, _) => Part("\"v1\""));
        await using IUnderStore store = Open(server, options => options with { Anonymous = true, Credentials = null });

        await store.ReadAllAsync("a", new ByteRange(0, 5), cancellationToken: _token);

        Assert.DoesNotContain("Authorization", server.Requests[0], StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("x-amz-", server.Requests[0], StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task HeadersAndContentEncodingPassUntouched()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Reply(
            "206 Partial Content",
            "ETag: \"v1\"\nContent-Range: bytes 0-4/20\nContent-Encoding: gzip\nContent-Type: text/x-odd; charset=\"q\"\nCache-Control: no-cache, max-age=3\nExpires: 0\n"
            + "Content-Disposition: attachment; filename=\"a.txt\"\nContent-Language: de\nx-amz-meta-Mode: 33188\nx-amz-storage-class: GLACIER_IR\nx-amz-version-id: v7\nLast-Modified: Wed, 04 Mar 2026 05:06:07 GMT",
            "01234"));
        await using IUnderStore store = Open(server);

        await using UnderStoreRead read = await store.ReadAsync("a", new ByteRange(0, 5), null, null, _token);
        ObjectHeaders headers = read.Stat.Headers!;

        Assert.Equal("01234"u8.ToArray(), await read.ReadToEndAsync(_token));
        Assert.Equal(20, read.Stat.Length);
        Assert.Equal(Now, read.Stat.LastModified);
        Assert.Equal("gzip", headers.ContentEncoding);
        Assert.Equal("text/x-odd; charset=\"q\"", headers.ContentType);
        Assert.Equal("no-cache, max-age=3", headers.CacheControl);
        Assert.Equal("0", headers.Expires);
        Assert.Equal("attachment; filename=\"a.txt\"", headers.ContentDisposition);
        Assert.Equal("de", headers.ContentLanguage);
        Assert.Equal("GLACIER_IR", headers.StorageClass);
        Assert.Equal("v7", headers.VersionId);
        Assert.Equal("33188", Assert.Single(headers.UserMetadata, pair => pair.Key == "mode").Value);
    }

    [Fact]
    public async Task AClosedPortIsUnavailable()
    {
        HttpFaults server = new((_, _) => HttpFaults.Silence);
        await server.DisposeAsync();

        await FailsAsync(server, ErrorKind.Unavailable, store => store.StatAsync("a", null, _token));
    }

    [Fact]
    public async Task ALoneSurrogateIsAnInvalidKey()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Silence);

        await FailsAsync(server, ErrorKind.InvalidArgument, store => store.StatAsync("a\uD800", null, _token));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task AProfileThatDoesNotExistIsNamed()
    {
        await using HttpFaults server = new((_, _) => HttpFaults.Silence);
        await using IUnderStore store = Open(server, options => options with { Credentials = null, Profile = "no-such-profile" });

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => store.StatAsync("a", null, _token));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("no-such-profile", error.Message, StringComparison.Ordinal);
    }

    private static HttpFaults.Answer Part(string etag) => HttpFaults.Reply("206 Partial Content", $"ETag: {etag}\nContent-Range: bytes 0-4/20", Encoding.ASCII.GetString(Content, 0, 5));

    private static string Listing(string[] keys, bool truncated)
        => $"<ListBucketResult><IsTruncated>{(truncated ? "true" : "false")}</IsTruncated><NextContinuationToken>next</NextContinuationToken>"
            + string.Concat(keys.Select(key => $"<Contents><Key>{key}</Key><ETag>\"x\"</ETag><Size>1</Size></Contents>")) + "</ListBucketResult>";

    private static IUnderStore Open(HttpFaults server, Func<UnderStoreOptions, UnderStoreOptions>? change = null)
    {
        UnderStoreOptions options = UnderStoreUrl.Parse($"s3://bucket?endpoint={server.Endpoint}&region=us-east-1", Pair).Options;
        return UnderStoreFactory.Create(change?.Invoke(options) ?? options, TimeSpan.FromSeconds(5), 4, new ManualTimeProvider(Now));
    }

    private static async Task<ForebayException> FailsAsync(HttpFaults server, ErrorKind kind, Func<IUnderStore, Task> action)
    {
        await using IUnderStore store = Open(server);
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => action(store));
        Assert.True(kind == error.Kind, $"expected {kind}, got {error}");
        return error;
    }
}
