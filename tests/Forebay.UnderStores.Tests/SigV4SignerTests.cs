using Forebay.UnderStores.S3;
using Xunit;

namespace Forebay.UnderStores.Tests;

/// <summary>Examples of the Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header".</summary>
public sealed class SigV4SignerTests
{
    private const string Host = "examplebucket.s3.amazonaws.com";
    private const string Timestamp = "20130524T000000Z";

    private static readonly UnderStoreCredentials Credentials = new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

    [Fact]
    public void GetObjectWithARange()
    {
        string authorization = Sign(
            "/test.txt", "", [new("host", Host), new("range", "bytes=0-9"), new("x-amz-content-sha256", SigV4Signer.EmptyPayloadHash), new("x-amz-date", Timestamp)]);

        Assert.Equal(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            authorization);
    }

    [Theory]
    [InlineData("lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")]
    [InlineData("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")]
    public void RequestsWithAQuery(string query, string signature)
    {
        string authorization = Sign("/", query, [new("host", Host), new("x-amz-content-sha256", SigV4Signer.EmptyPayloadHash), new("x-amz-date", Timestamp)]);

        Assert.EndsWith($"Signature={signature}", authorization, StringComparison.Ordinal);
    }

    [Fact]
    public void TheKeptKeyFollowsDayRegionAndSecret()
    {
        SigV4Signer signer = new();
        SignedHeader[] headers = [new("host", Host)];
        string first = signer.Authorize("GET", "/", "", headers, "us-east-1", Credentials, Timestamp);

        string[] others =
        [
            signer.Authorize("GET", "/", "", headers, "eu-west-1", Credentials, Timestamp),
            signer.Authorize("GET", "/", "", headers, "us-east-1", Credentials, "20130525T000000Z"),
            signer.Authorize("GET", "/", "", headers, "us-east-1", new UnderStoreCredentials(Credentials.AccessKeyId, "other"), Timestamp),
        ];

        Assert.All(others, other => Assert.NotEqual(first[^64..], other[^64..]));
        Assert.Equal(first, signer.Authorize("GET", "/", "", headers, "us-east-1", Credentials, Timestamp));
    }

    [Theory]
    [InlineData("a/b-c_d.e~f", "a/b-c_d.e~f")]
    [InlineData("a b+c%d", "a%20b%2Bc%25d")]
    [InlineData("é/😀", "%C3%A9/%F0%9F%98%80")]
    [InlineData("../a//./b", "../a//./b")]
    [InlineData("!*'()&=?#\n", "%21%2A%27%28%29%26%3D%3F%23%0A")]
    public void PathsAreEncodedAsSigned(string key, string expected) => Assert.Equal(expected, PercentEncoding.EncodePath(key));

    private static string Sign(string path, string query, SignedHeader[] headers)
        => new SigV4Signer().Authorize("GET", path, query, headers, "us-east-1", Credentials, Timestamp);
}
