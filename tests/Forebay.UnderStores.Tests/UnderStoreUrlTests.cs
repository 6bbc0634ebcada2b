using Forebay.Core;
using Xunit;

namespace Forebay.UnderStores.Tests;

public sealed class UnderStoreUrlTests
{
    [Theory]
    [InlineData("s3://b", "b", "", null, "us-east-1", false)]
    [InlineData("s3://b/", "b", "", null, "us-east-1", false)]
    [InlineData("s3://b/data/train", "b", "data/train/", null, "us-east-1", false)]
    [InlineData("s3://b/data/train/", "b", "data/train/", null, "us-east-1", false)]
    [InlineData("s3://b//x", "b", "/x/", null, "us-east-1", false)]
    [InlineData("s3://b/with%20space/100%25/a+b", "b", "with space/100%/a+b/", null, "us-east-1", false)]
    [InlineData("s3://b/a/../b", "b", "a/../b/", null, "us-east-1", false)]
    [InlineData("s3://b.with.dots", "b.with.dots", "", null, "us-east-1", true)]
    [InlineData("S3://b?region=eu-west-1", "b", "", null, "eu-west-1", false)]
    [InlineData("s3://b?endpoint=http://LOCALHOST:9000", "b", "", "http://localhost:9000", "us-east-1", true)]
    [InlineData("s3://b?endpoint=https://store.example:443/", "b", "", "https://store.example", "us-east-1", true)]
    [InlineData("s3://b?endpoint=http%3A%2F%2F127.0.0.1%3A80&path_style=false", "b", "", "http://127.0.0.1", "us-east-1", false)]
    [InlineData("s3://b?endpoint=s3.eu-west-1.amazonaws.com&region=eu-west-1", "b", "", "https://s3.eu-west-1.amazonaws.com", "eu-west-1", false)]
    [InlineData("oss://b/p?region=cn-hangzhou", "b", "p/", "https://s3.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", false)]
    [InlineData("oss://b?endpoint=oss-cn-shanghai-internal.aliyuncs.com", "b", "", "https://oss-cn-shanghai-internal.aliyuncs.com", "cn-shanghai", false)]
    [InlineData("cos://b-1250000000?region=ap-guangzhou", "b-1250000000", "", "https://cos.ap-guangzhou.myqcloud.com", "ap-guangzhou", false)]
    [InlineData("obs://b?region=cn-north-4", "b", "", "https://obs.cn-north-4.myhuaweicloud.com", "cn-north-4", false)]
    [InlineData("minio://b?endpoint=http://minio:9000", "b", "", "http://minio:9000", "us-east-1", true)]
    [InlineData("s3://b?endpoint=http://[::1]:9000", "b", "", "http://[::1]:9000", "us-east-1", true)]
    public void BucketsAreReadWithTheirDefaults(string url, string bucket, string prefix, string? endpoint, string region, bool pathStyle)
    {
        UnderStoreUrl parsed = Parse(url);

        Assert.Equal(UnderStoreKind.S3, parsed.Options.Kind);
        Assert.Equal(bucket, parsed.Options.Root);
        Assert.Equal(prefix, parsed.Prefix);
        Assert.Equal(endpoint, parsed.Options.Endpoint);
        Assert.Equal(region, parsed.Options.Region);
        Assert.Equal(pathStyle, parsed.Options.PathStyle);
    }

    [Theory]
    [InlineData("file:///mnt/nas", "/mnt/nas")]
    [InlineData("file:///mnt/nas/", "/mnt/nas")]
    [InlineData("file://localhost/mnt/a%20b", "/mnt/a b")]
    [InlineData("file:///mnt/x/../y", "/mnt/y")]
    [InlineData("file:///", "/")]
    public void DirectoriesAreRead(string url, string root)
    {
        UnderStoreUrl parsed = Parse(url);

        Assert.Equal(UnderStoreKind.Local, parsed.Options.Kind);
        Assert.Equal(root, parsed.Options.Root);
        Assert.Equal("", parsed.Prefix);
    }

    [Theory]
    [InlineData("bucket/key", "s3://bucket/prefix")]
    [InlineData("s4://b", "nearest is 's3'")]
    [InlineData("fil:///x", "nearest is 'file'")]
    [InlineData("s3://", "names no bucket")]
    [InlineData("s3://b?endpont=x", "nearest is 'endpoint'")]
    [InlineData("s3://b?regoin=x", "nearest is 'region'")]
    [InlineData("s3://b?path-style=maybe", "path-style needs true or false")]
    [InlineData("s3://b?region=", "region is empty")]
    [InlineData("s3://b?region=a&region=b", "given twice")]
    [InlineData("s3://b?region=a/b", "region 'a/b'")]
    [InlineData("s3://b?endpoint=ftp://x", "endpoint needs http")]
    [InlineData("s3://b?endpoint=http://x/path", "must end after host")]
    [InlineData("s3://b/%zz", "%25")]
    [InlineData("s3://b/%ff", "not UTF-8")]
    [InlineData("s3://b?anonymous=true&profile=x", "keep one")]
    [InlineData("oss://b", "region")]
    [InlineData("minio://b", "endpoint")]
    [InlineData("file://host/x", "three slashes")]
    [InlineData("file://", "absolute directory")]
    [InlineData("file:///x?region=a", "file:// source has none")]
    public void FaultsAreNamed(string url, string part)
    {
        ForebayException error = Assert.Throws<ForebayException>(() => Parse(url));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s3://AKIA:topsecret@b/p")]
    [InlineData("s3://b?access-key-id=topsecret")]
    [InlineData("s3://b?Secret_Access_Key=topsecret")]
    [InlineData("s3://b?session-token=topsecret")]
    [InlineData("s3://b?endpoint=http://u:topsecret@host")]
    [InlineData("oss://b?akSecret=topsecret")]
    public void KeyPairsInAUrlAreRefusedAndNotRepeated(string url)
    {
        ForebayException error = Assert.Throws<ForebayException>(() => Parse(url));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("configuration file", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("topsecret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void NothingPrintsASecret()
    {
        UnderStoreUrl url = Parse("s3://b/p", new UnderStoreCredentials("AKIAVISIBLE", "topsecret", "toptoken"));

        string printed = $"{url} {url.Options} {url.Options.Credentials} {url.Options.DisplayName}";

        Assert.DoesNotContain("topsecret", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("toptoken", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("AKIAVISIBLE", printed, StringComparison.Ordinal);
    }

    [Fact]
    public void TheIdentityIgnoresPrefixRegionCredentialsAndSpelling()
    {
        UnderStoreId id = Parse("s3://b/p?endpoint=https://store.example").Options.Id;

        Assert.Equal(id, Parse("s3://b/other?endpoint=STORE.example:443&region=eu-west-1&path-style=false", new UnderStoreCredentials("a", "b")).Options.Id);
        Assert.NotEqual(id, Parse("s3://c/p?endpoint=https://store.example").Options.Id);
        Assert.NotEqual(id, Parse("s3://b/p?endpoint=http://store.example").Options.Id);
        Assert.Equal(Parse("s3://b").Options.Id, Parse("s3://b?region=eu-west-1").Options.Id);
    }

    [Fact]
    public void TheRegionOfTheEnvironmentIsForS3Only()
    {
        Func<string, string?> environment = name => name == "AWS_REGION" ? "eu-central-1" : null;

        Assert.Equal("eu-central-1", UnderStoreUrl.Parse("s3://b", null, environment).Options.Region);
        Assert.Equal("us-west-2", UnderStoreUrl.Parse("s3://b?region=us-west-2", null, environment).Options.Region);
        Assert.Throws<ForebayException>(() => UnderStoreUrl.Parse("oss://b", null, environment));
    }

    private static UnderStoreUrl Parse(string url, UnderStoreCredentials? credentials = null) => UnderStoreUrl.Parse(url, credentials, _ => null);
}
