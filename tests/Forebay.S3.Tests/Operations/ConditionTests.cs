using Forebay.Core;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests.Operations;

public sealed class ConditionTests : IAsyncLifetime
{
    private const string Tag = "\"tag-1\"";
    private const string Before = "Mon, 06 May 2024 07:08:08 GMT";
    private const string Same = "Mon, 06 May 2024 07:08:09 GMT";
    private const string After = "Mon, 06 May 2024 07:08:10 GMT";
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(200, "If-Match: \"tag-1\"")]
    [InlineData(200, "If-Match: tag-1")]
    [InlineData(200, "If-Match: *")]
    [InlineData(200, "If-Match: \"x\", \"tag-1\"")]
    [InlineData(200, "If-Match: \"x,y\"|If-Match: \"tag-1\"")]
    [InlineData(412, "If-Match: \"x\"")]
    [InlineData(412, "If-Match: W/\"tag-1\"")]
    [InlineData(412, "If-Match: \"x, tag-1\"")]
    [InlineData(412, "If-Match: ")]
    [InlineData(304, "If-None-Match: \"tag-1\"")]
    [InlineData(304, "If-None-Match: W/\"tag-1\"")]
    [InlineData(304, "If-None-Match: *")]
    [InlineData(304, "If-None-Match: \"a\",\"tag-1\"")]
    [InlineData(200, "If-None-Match: \"x\"")]
    [InlineData(304, "If-Modified-Since: " + Same)]
    [InlineData(304, "If-Modified-Since: " + After)]
    [InlineData(200, "If-Modified-Since: " + Before)]
    [InlineData(200, "If-Modified-Since: yesterday")]
    [InlineData(412, "If-Unmodified-Since: " + Before)]
    [InlineData(200, "If-Unmodified-Since: " + Same)]
    [InlineData(200, "If-Unmodified-Since: tomorrow")]
    [InlineData(200, "If-Match: \"tag-1\"|If-Unmodified-Since: " + Before)]
    [InlineData(200, "If-None-Match: \"x\"|If-Modified-Since: " + After)]
    [InlineData(304, "If-Match: \"tag-1\"|If-None-Match: \"tag-1\"")]
    [InlineData(412, "If-Match: \"x\"|If-None-Match: \"tag-1\"")]
    [InlineData(206, "Range: bytes=1-2|If-Range: \"tag-1\"")]
    [InlineData(200, "Range: bytes=1-2|If-Range: \"x\"")]
    [InlineData(200, "Range: bytes=1-2|If-Range: W/\"tag-1\"")]
    [InlineData(206, "Range: bytes=1-2|If-Range: " + Same)]
    [InlineData(200, "Range: bytes=1-2|If-Range: " + After)]
    [InlineData(200, "Range: bytes=1-2|If-Range: " + Before)]
    [InlineData(200, "Range: bytes=99-|If-Range: \"x\"")]
    [InlineData(412, "Range: bytes=99-|If-Match: \"x\"")]
    public async Task ConditionsDecideInTheOrderOfTheStandard(int status, string headers)
    {
        Put();
        string lines = string.Concat(headers.Split('|').Select(h => h + "\r\n"));

        string get = await _server.GetRawAsync("/data/x", lines);
        string head = await _server.GetRawAsync("/data/x", lines, "HEAD");

        Assert.StartsWith($"HTTP/1.1 {status} ", get, StringComparison.Ordinal);
        Assert.StartsWith($"HTTP/1.1 {status} ", head, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", head, StringComparison.Ordinal);
        Assert.Equal(status == 412, get.Contains("<Code>PreconditionFailed</Code>", StringComparison.Ordinal));
        Assert.Equal(status is 200 or 206 or 304, get.Contains("ETag: " + Tag, StringComparison.Ordinal));
        await _server.Bucket.IsAllClosedAsync();
    }

    private void Put()
    {
        // Fractions of a second are cut by HTTP dates and must not make the object look newer.
        var stored = new FakeObject("0123456789"u8.ToArray(), FakeBucket.Modified.AddMilliseconds(700), ObjectHeaders.Empty) { ETag = Tag };
        _server.Bucket.Put("x", stored);
    }
}
