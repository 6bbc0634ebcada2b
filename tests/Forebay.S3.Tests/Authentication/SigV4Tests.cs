using System.Globalization;
using System.Net;
using System.Text;
using Forebay.S3.Addressing;
using Forebay.S3.Authentication;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Tests.Authentication;

/// <summary>The examples that the Amazon S3 API reference publishes for Signature Version 4, and what must be refused.</summary>
public sealed class SigV4Tests
{
    private const string KeyId = "AKIAIOSFODNN7EXAMPLE";
    private const string Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    private const string EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const string Host = "examplebucket.s3.amazonaws.com";
    private static readonly DateTimeOffset Published = new(2013, 5, 24, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("GET", "/test.txt", "range", "bytes=0-9", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")]
    [InlineData("GET", "/?lifecycle", null, null, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")]
    [InlineData("GET", "/?max-keys=2&prefix=J", null, null, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")]
    public void PublishedHeaderSignaturesHold(string method, string target, string? header, string? value, string signature)
    {
        HttpRequest request = Request(method);
        string signed = header is null ? "host;x-amz-content-sha256;x-amz-date" : $"host;{header};x-amz-content-sha256;x-amz-date";
        if (header is not null)
        {
            request.Headers[header] = value;
        }

        request.Headers.Authorization = $"AWS4-HMAC-SHA256 Credential={KeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}";

        AuthOutcome outcome = Authenticate(request, target);

        Assert.Null(outcome.Error);
        Assert.Equal(KeyId, outcome.Identity!.AccessKeyId);
        Assert.Equal(EmptyHash, outcome.PayloadHash);
    }

    [Fact]
    public void ThePublishedPutWithAnEscapedKeyHolds()
    {
        HttpRequest request = Request("PUT");
        request.Headers.Date = "Fri, 24 May 2013 00:00:00 GMT";
        request.Headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
        request.Headers["x-amz-content-sha256"] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        request.Headers.Authorization = $"AWS4-HMAC-SHA256 Credential={KeyId}/20130524/us-east-1/s3/aws4_request,"
            + "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";

        Assert.Null(Authenticate(request, "/test%24file.text").Error);
        Assert.Null(Authenticate(request, "/test$file.text").Error);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(86_399, null)]
    [InlineData(86_401, "Request has expired")]
    [InlineData(-901, "Request is not yet valid")]
    public void ThePublishedPresignedUrlHoldsForItsDay(int secondsLater, string? message)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = "GET";
        request.Headers.Host = Host;
        const string Target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

        AuthOutcome outcome = Authenticate(request, Target, at: Published.AddSeconds(secondsLater));

        Assert.Equal(message, outcome.Error?.Message);
        Assert.Equal(message is null ? null : "AccessDenied", outcome.Error?.Code);
    }

    [Theory]
    [InlineData(-901, "RequestTimeTooSkewed")]
    [InlineData(901, "RequestTimeTooSkewed")]
    [InlineData(899, null)]
    public void ASkewedClockIsToldSo(int seconds, string? code)
        => Assert.Equal(code, Authenticate(Lifecycle(), "/?lifecycle", at: Published.AddSeconds(seconds)).Error?.Code);

    [Fact]
    public void TheExpectedRegionIsNamed()
    {
        S3Error error = Authenticate(Lifecycle(), "/?lifecycle", region: "eu-north-1").Error!;

        Assert.Equal("AuthorizationHeaderMalformed", error.Code);
        Assert.Contains("the region 'us-east-1' is wrong; expecting 'eu-north-1'", error.Message, StringComparison.Ordinal);
        Assert.Contains(new KeyValuePair<string, string>("Region", "eu-north-1"), error.Details);
    }

    [Theory]
    [InlineData("AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "InvalidRequest", "AWS4-HMAC-SHA256")]
    [InlineData("AWS4-ECDSA-P256-SHA256 Credential=a", "InvalidRequest", "AWS4-HMAC-SHA256")]
    [InlineData("Basic dXNlcjpwYXNz", "InvalidArgument", "AWS4-HMAC-SHA256")]
    [InlineData("Basic", "InvalidArgument", "AWS4-HMAC-SHA256")]
    [InlineData("", "InvalidArgument", "AWS4-HMAC-SHA256")]
    [InlineData("AWS4-HMAC-SHA256 ", "AuthorizationHeaderMalformed", "malformed")]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=00", "AuthorizationHeaderMalformed", "malformed")]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request, SignedHeaders=host", "AuthorizationHeaderMalformed", "malformed")]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request, SignedHeaders=host, Signature=00", "AuthorizationHeaderMalformed", "incorrect service")]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws5, SignedHeaders=host, Signature=00", "AuthorizationHeaderMalformed", "incorrect terminal")]
    [InlineData("AWS4-HMAC-SHA256 Credential=a/20130525/r/s3/aws4_request, SignedHeaders=host, Signature=00", "AuthorizationHeaderMalformed", "date")]
    [InlineData("AWS4-HMAC-SHA256 Credential=nobody/20130524/r/s3/aws4_request, SignedHeaders=host, Signature=00", "InvalidAccessKeyId", "does not exist")]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/r/s3/aws4_request, SignedHeaders=x-amz-date;x-amz-content-sha256, Signature=00", "AccessDenied", "not signed")]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/r/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "AccessDenied", "not signed")]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/r/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00", "SignatureDoesNotMatch", "does not match")]
    [InlineData("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=zza454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", "SignatureDoesNotMatch", "does not match")]
    public void ABadAuthorizationIsRefusedWithItsReason(string authorization, string code, string message)
    {
        HttpRequest request = Request("GET");
        request.Headers.Authorization = authorization;

        S3Error error = Authenticate(request, "/?lifecycle").Error!;

        Assert.Equal(code, error.Code);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Amz-Algorithm=AWS4-HMAC-SHA256", "AuthorizationQueryParametersError")]
    [InlineData("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=1", "InvalidRequest")]
    [InlineData("X-Amz-Algorithm=AWS4-HMAC-SHA1&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=0&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=604801&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "AuthorizationQueryParametersError")]
    [InlineData("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=0", "InvalidAccessKeyId")]
    public void ABadPresignedQueryIsRefusedWithItsReason(string query, string code)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = "GET";
        request.Headers.Host = Host;

        Assert.Equal(code, Authenticate(request, "/test.txt?" + query).Error!.Code);
    }

    [Fact]
    public void WithoutASignatureThereIsNoAccessUnlessAnonymousIsAllowed()
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = "GET";

        Assert.Equal("AccessDenied", Authenticate(request, "/x").Error!.Code);
        Assert.True(Authenticate(request, "/x", anonymous: true).Identity!.IsAnonymous);
    }

    [Fact]
    public void HeaderValuesAreTrimmedJoinedAndCollapsed()
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = "GET";
        request.Headers.Host = "h";
        request.Headers["a"] = new(["  x   y ", "z"]);
        Assert.Null(RequestTarget.TryParse("/b/%7Ek%2a?b=2&a=%20+&a=1&c", null, out RequestTarget? target));
        var builder = new ByteBuilder(stackalloc byte[16]);
        var claim = new SignatureClaim { SignedHeaders = "a;host", PayloadHash = "UNSIGNED-PAYLOAD" };

        Assert.True(CanonicalRequest.TryAppend(ref builder, request, target!, in claim));

        Assert.Equal("GET\n/b/~k%2A\na=%20%20&a=1&b=2&c=\na:x y,z\nhost:h\n\na;host\nUNSIGNED-PAYLOAD", Encoding.UTF8.GetString(builder.Written));
        builder.Dispose();
    }

    private static HttpRequest Request(string method)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = method;
        request.Headers.Host = Host;
        request.Headers["x-amz-content-sha256"] = EmptyHash;
        request.Headers["x-amz-date"] = "20130524T000000Z";
        return request;
    }

    private static HttpRequest Lifecycle()
    {
        HttpRequest request = Request("GET");
        request.Headers.Authorization = $"AWS4-HMAC-SHA256 Credential={KeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
            + "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        return request;
    }

    private static AuthOutcome Authenticate(HttpRequest request, string target, DateTimeOffset? at = null, string? region = null, bool anonymous = false)
    {
        var options = new S3Options { Region = region, AllowAnonymous = anonymous, AccessKeys = [new AccessKeyOptions { Id = KeyId, Secret = Secret }] };
        var authenticator = new SigV4Authenticator(options, new FixedTime(at ?? Published));
        Assert.Null(RequestTarget.TryParse(target, "examplebucket", out RequestTarget? parsed));
        return authenticator.Authenticate(request, parsed!);
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
