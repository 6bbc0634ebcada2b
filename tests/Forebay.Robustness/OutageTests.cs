using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>The source is gone: what is cached is served, the rest is refused with a time to come back.</summary>
public sealed class OutageTests
{
    private const long Length = (2 << 20) + 5;

    [Fact]
    public async Task CachedObjectsAreServedAndUncachedOnesRefused()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await StartWarmAsync(source, directory, serveStale: true);
        using SignedClient client = new(node.S3Address);

        await source.StopAsync();

        for (int i = 0; i < 5; i++)
        {
            Answer cached = await client.GetAsync("data", "cached");
            Assert.True(cached.IsSuccess, $"a cached object was answered with {cached.Status} {cached.ErrorCode}");
            Assert.True(source.Object("cached").Content.Matches(0, cached.Body), "the bytes are wrong");
            Assert.Equal(source.Object("cached").ETag, cached.ETag);
        }

        AssertRefused(await client.GetAsync("data", "uncached"));

        source.Restart();
        await Eventually.TrueAsync("the other object is served when the source is back", async () => (await client.GetAsync("data", "uncached")).IsSuccess);
    }

    [Fact]
    public async Task WithoutServeStaleExpiredObjectsAreRefused()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await StartWarmAsync(source, directory, serveStale: false);
        using SignedClient client = new(node.S3Address);

        await source.StopAsync();

        AssertRefused(await client.GetAsync("data", "cached"));

        source.Restart();
        await Eventually.TrueAsync("the object is served when the source is back", async () => (await client.GetAsync("data", "cached")).IsSuccess);
    }

    [Fact]
    public async Task AnOverwriteDuringTheOutageIsSeenAfterIt()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await StartWarmAsync(source, directory, serveStale: true);
        using SignedClient client = new(node.S3Address);
        await source.StopAsync();
        Assert.True((await client.GetAsync("data", "cached")).IsSuccess);

        SourceObject fresh = source.Put("cached", 2, 700_000);
        source.Restart();

        await Eventually.TrueAsync("the new version is served", async () => (await client.GetAsync("data", "cached")).ETag == fresh.ETag);
        Assert.True(fresh.Content.Matches(0, (await client.GetAsync("data", "cached")).Body), "the bytes are wrong");
    }

    private static async Task<NodeProcess> StartWarmAsync(PatternSource source, TempDirectory directory, bool serveStale)
    {
        source.Put("cached", 1, Length);
        source.Put("uncached", 1, Length);
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] }
            .MountS3("data", source.Endpoint, PatternSource.Bucket, "metadata-ttl: 0", $"serve-stale-on-error: {(serveStale ? "true" : "false")}");
        NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        Assert.True((await client.GetAsync("data", "cached")).IsSuccess);
        return node;
    }

    private static void AssertRefused(Answer answer)
    {
        Assert.Equal(503, answer.Status);
        Assert.NotNull(answer.RetryAfter);
        Assert.NotEmpty(answer.ErrorCode);
    }
}
