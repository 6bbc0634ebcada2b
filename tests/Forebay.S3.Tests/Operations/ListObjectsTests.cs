using System.Text;
using System.Xml.Linq;
using Amazon.S3;
using Amazon.S3.Model;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests.Operations;

public sealed class ListObjectsTests : IAsyncLifetime
{
    private static readonly XNamespace S3 = "http://s3.amazonaws.com/doc/2006-03-01/";
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(1000)]
    [InlineData(7)]
    public async Task PagesOfVersion2JoinToTheWholeListing(int enginePage)
    {
        _server.Bucket.MaxPage = enginePage;
        string[] keys = [.. Enumerable.Range(0, 2345).Select(i => $"k/{i:D6} +&<é>")];
        foreach (string key in keys)
        {
            _server.Bucket.Put(key, "v");
        }

        using AmazonS3Client sdk = _server.Sdk();
        var seen = new List<string>();
        var request = new ListObjectsV2Request { BucketName = "data", Prefix = "k/" };
        ListObjectsV2Response page;
        do
        {
            page = await sdk.ListObjectsV2Async(request);
            seen.AddRange(page.S3Objects.Select(o => o.Key));
            request.ContinuationToken = page.NextContinuationToken;
            Assert.True(page.IsTruncated != true || page.KeyCount == 1000, "a truncated page is full");
        }
        while (page.IsTruncated == true);

        Assert.Equal(keys, seen);
        S3Object first = page.S3Objects[0];
        Assert.Equal((1L, "\"9e3669d19b675bd57058fd4664205d2a\"", FakeBucket.Modified.UtcDateTime), (first.Size, first.ETag, first.LastModified!.Value.ToUniversalTime()));
        Assert.Null(first.Owner);
    }

    [Fact]
    public async Task PagesOfVersion1JoinToTheWholeListing()
    {
        foreach (int i in Enumerable.Range(0, 12))
        {
            _server.Bucket.Put($"d{i % 4}/{i}", "v");
            _server.Bucket.Put($"f{i:D2}", "v");
        }

        using AmazonS3Client sdk = _server.Sdk();
        var seen = new List<string>();
        var request = new ListObjectsRequest { BucketName = "data", Delimiter = "/", MaxKeys = 3 };
        ListObjectsResponse page;
        do
        {
            page = await sdk.ListObjectsAsync(request);
            seen.AddRange((page.CommonPrefixes ?? []).Concat((page.S3Objects ?? []).Select(o => o.Key)));
            request.Marker = page.NextMarker;
        }
        while (page.IsTruncated == true);

        string[] expected = ["d0/", "d1/", "d2/", "d3/", .. Enumerable.Range(0, 12).Select(i => $"f{i:D2}")];
        Assert.Equal(expected, seen);
    }

    [Fact]
    public async Task EveryAnswerOfAListingIsInTheOrderAndFormOfS3()
    {
        _server.Bucket.Put("a b/1", "v");
        _server.Bucket.Put("a b&", "v");

        string text = await _server.Http.GetStringAsync("/data?list-type=2&delimiter=%2F&encoding-type=url&start-after=%20&fetch-owner=true&prefix=a%20b");

        Assert.Equal(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>data</Name><Prefix>a%20b</Prefix>"
            + "<KeyCount>2</KeyCount><StartAfter>%20</StartAfter><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
            + "<Contents><Key>a%20b%26</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified><ETag>&quot;9e3669d19b675bd57058fd4664205d2a&quot;</ETag><Size>1</Size>"
            + "<Owner><ID>forebay</ID><DisplayName>forebay</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
            + "<CommonPrefixes><Prefix>a%20b/</Prefix></CommonPrefixes></ListBucketResult>",
            text);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OfASourceWithDirectoriesAHeaderTells(bool hasDirectories)
    {
        // As of a node that learns of it by the very answer.
        _server.Bucket.OnMetadata = _ => _server.Bucket.HasDirectories = hasDirectories;
        using HttpResponseMessage answer = await _server.Http.GetAsync("/data?list-type=2&delimiter=/");
        Assert.Equal(hasDirectories, answer.Headers.TryGetValues("x-forebay-has-directories", out IEnumerable<string>? values) && values.Single() == "true");
    }

    [Theory]
    [InlineData("max-keys=0", "", "false")]
    [InlineData("max-keys=1", "a/", "true")]
    [InlineData("max-keys=2", "a/,b", "true")]
    [InlineData("max-keys=9999", "a/,b,c/", "false")]
    [InlineData("start-after=a/", "b,c/", "false")]
    [InlineData("start-after=a/1", "a/,b,c/", "false")]
    [InlineData("start-after=a/1&max-keys=1", "a/", "true")]
    [InlineData("start-after=a/2", "b,c/", "false")]
    [InlineData("start-after=c/1&max-keys=1", "", "false")]
    [InlineData("start-after=c/0&max-keys=1", "c/", "false")]
    [InlineData("prefix=a/", "a/1,a/2", "false")]
    [InlineData("prefix=zz", "", "false")]
    [InlineData("start-after=zz", "", "false")]
    public async Task ParametersSelectNames(string query, string names, string truncated)
    {
        foreach (string key in new[] { "a/1", "a/2", "b", "c/1" })
        {
            _server.Bucket.Put(key, "v");
        }

        XElement root = XDocument.Parse(await _server.Http.GetStringAsync("/data/?list-type=2&delimiter=/&" + query)).Root!;

        IEnumerable<string> found = root.Elements(S3 + "Contents").Select(e => e.Element(S3 + "Key")!.Value)
            .Concat(root.Elements(S3 + "CommonPrefixes").Select(e => e.Element(S3 + "Prefix")!.Value));
        Assert.Equal(names, string.Join(",", found.Order(StringComparer.Ordinal)));
        Assert.Equal(truncated, root.Element(S3 + "IsTruncated")!.Value);
        Assert.Equal(truncated == "true", root.Element(S3 + "NextContinuationToken") is not null);
    }

    [Fact]
    public async Task AnyTextCanBeADelimiter()
    {
        foreach (string key in new[] { "x--a", "x--b", "y-a", "z" })
        {
            _server.Bucket.Put(key, "v");
        }

        using AmazonS3Client sdk = _server.Sdk();
        ListObjectsV2Response page = await sdk.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "data", Delimiter = "--" });

        Assert.Equal(["x--"], page.CommonPrefixes);
        Assert.Equal(["y-a", "z"], page.S3Objects.Select(o => o.Key));
    }

    [Theory]
    [InlineData("max-keys=-1")]
    [InlineData("max-keys=x")]
    [InlineData("max-keys=99999999999")]
    [InlineData("encoding-type=utf")]
    [InlineData("list-type=3")]
    [InlineData("list-type=2&continuation-token=AAAA")]
    [InlineData("list-type=2&continuation-token=%C3%A9")]
    [InlineData("list-type=2&continuation-token=")]
    [InlineData("prefix=%00")]
    public async Task ABadParameterIsAnInvalidArgument(string query)
    {
        string answer = await _server.GetRawAsync("/data?" + query);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("<Code>InvalidArgument</Code>", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NamesThatXmlCannotHoldArriveUrlEncoded()
    {
        string[] keys = ["\u0001", "a\u001fb", "tab\tline\n", "\uFFFE", "😀", "]]>"];
        foreach (string key in keys)
        {
            _server.Bucket.Put(key, "v");
        }

        XElement root = XDocument.Parse(await _server.Http.GetStringAsync("/data?encoding-type=url")).Root!;

        IEnumerable<string> found = root.Elements(S3 + "Contents").Select(e => Uri.UnescapeDataString(e.Element(S3 + "Key")!.Value));
        Assert.Equal(keys.Order(KeyOrder.Instance), found);
    }

    [Fact]
    public async Task AMissingUnderStoreBucketIsNoSuchBucket()
    {
        _server.Bucket.OnMetadata = _ => throw new ForebayException(ErrorKind.NotFound, "the bucket is gone");

        string answer = await _server.GetRawAsync("/data");

        Assert.StartsWith("HTTP/1.1 404 ", answer, StringComparison.Ordinal);
        Assert.Contains("<Code>NoSuchBucket</Code>", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task VersionsAreTheCurrentObjectsAsTheOnlyOnes()
    {
        foreach (int i in Enumerable.Range(0, 5))
        {
            _server.Bucket.Put($"v{i}", "v");
        }

        using AmazonS3Client sdk = _server.Sdk();
        var seen = new List<string>();
        var request = new ListVersionsRequest { BucketName = "data", MaxKeys = 2 };
        ListVersionsResponse page;
        do
        {
            page = await sdk.ListVersionsAsync(request);
            Assert.All(page.Versions, v => Assert.Equal(("null", true), (v.VersionId, v.IsLatest)));
            seen.AddRange(page.Versions.Select(v => v.Key));
            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }
        while (page.IsTruncated == true);

        Assert.Equal(["v0", "v1", "v2", "v3", "v4"], seen);
        string bad = await _server.GetRawAsync("/data?versions&version-id-marker=null");
        Assert.Contains("<Code>InvalidArgument</Code>", bad, StringComparison.Ordinal);
    }
}
