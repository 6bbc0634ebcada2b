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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ANodeRestartedDuringTheOutageServesWhatIsCached(bool isKilled)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings;
        await using (NodeProcess before = await StartWarmAsync(source, directory, serveStale: true))
        {
            using SignedClient warm = new(before.S3Address);
            source.Put("empty", 1, 0);
            Assert.True((await warm.GetAsync("data", "empty")).IsSuccess);
            settings = before.Settings!;
            await StopAsync(before, isKilled);
        }

        await source.StopAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);

        for (int i = 0; i < 3; i++)
        {
            Answer cached = await client.GetAsync("data", "cached");
            Assert.True(cached.IsSuccess, $"a cached object was answered with {cached.Status} {cached.ErrorCode}");
            Assert.True(source.Object("cached").Content.Matches(0, cached.Body), "the bytes are wrong");
            Assert.Equal(Length, cached.Body.Length);
            Assert.Equal(source.Object("cached").ETag, cached.ETag);
        }

        Assert.True((await client.GetAsync("data", "cached", 100_000, 200_000)).IsSuccess, "a range of a cached object was refused");
        Assert.True((await client.GetAsync("data", "empty")).IsSuccess, "an empty object was refused");
        AssertRefused(await client.GetAsync("data", "uncached"));

        SourceObject fresh = source.Put("cached", 2, 700_000);
        source.Restart();
        await Eventually.TrueAsync("the new version is served", async () => (await client.GetAsync("data", "cached")).ETag == fresh.ETag);
        Assert.True(fresh.Content.Matches(0, (await client.GetAsync("data", "cached")).Body), "the bytes are wrong");
    }

    [Fact]
    public async Task AnImmutableMountPointNeedsNoSourceAfterARestart()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings;
        await using (NodeProcess before = await StartWarmAsync(source, directory, serveStale: false, "immutable: true"))
        {
            settings = before.Settings!;
            await StopAsync(before, isKilled: true);
        }

        long asked = source.Requests;
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        for (int i = 0; i < 3; i++)
        {
            Answer cached = await client.GetAsync("data", "cached");
            Assert.True(source.Object("cached").Content.Matches(0, cached.Body), "the bytes are wrong");
            Assert.Equal(Length, cached.Body.Length);
        }

        Assert.Equal(asked, source.Requests);
    }

    [Fact]
    public async Task UnderOtherCredentialsNothingIsServedBeforeTheSourceHasAnswered()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings;
        await using (NodeProcess before = await StartWarmAsync(source, directory, serveStale: true))
        {
            settings = before.Settings!;
            await StopAsync(before, isKilled: false);
        }

        await source.StopAsync();
        settings.Mounts["data"] = [.. settings.Mounts["data"].Select(line => line.Replace("source-key", "other-key", StringComparison.Ordinal))];
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);

        AssertRefused(await client.GetAsync("data", "cached"));
    }

    [Fact]
    public async Task ADirectoryThatIsAwayIsAnOutageAndNotEmpty()
    {
        using TempDirectory directory = new();
        Directory.CreateDirectory(directory["share"]);
        byte[] content = new byte[300_000];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(directory["share/cached"], content);
        for (int i = 0; i < 5; i++)
        {
            await File.WriteAllBytesAsync(directory[$"share/more-{i}"], content[..i]);
        }

        IReadOnlyList<string> listed;
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], Fill = NodeSettings.ShortTimeouts }.MountDirectory("data", directory["share"], "metadata-ttl: 0");
        await using (NodeProcess before = await NodeProcess.StartAsync(settings))
        {
            using SignedClient warm = new(before.S3Address);
            Assert.True((await warm.GetAsync("data", "cached")).IsSuccess);
            listed = await warm.ListAsync("data", pageSize: 2);
            Assert.Equal(6, listed.Count);
            Directory.Move(directory["share"], directory["away"]);
            Assert.Equal(content, (await warm.GetAsync("data", "cached")).Body);
            AssertRefused(await warm.GetAsync("data", "uncached"));
            await StopAsync(before, isKilled: true);
        }

        // Keys that happen to be in the environment are no rights on a directory.
        settings.Environment["AWS_ACCESS_KEY_ID"] = "of-somebody";
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        Assert.Equal(content, (await client.GetAsync("data", "cached")).Body);
        AssertRefused(await client.GetAsync("data", "uncached"));
        Assert.Equal(listed, await client.ListAsync("data", pageSize: 3));
    }

    /// <summary>By SIGTERM, or by SIGKILL once what was served must be on the disk: 100 ms are promised.</summary>
    private static async Task StopAsync(NodeProcess node, bool isKilled)
    {
        if (isKilled)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(300));
            await node.KillAsync();
            return;
        }

        node.Terminate();
        Assert.Equal(0, await node.WaitForExitAsync(TimeSpan.FromSeconds(20)));
    }

    private static async Task<NodeProcess> StartWarmAsync(PatternSource source, TempDirectory directory, bool serveStale, params string[] options)
    {
        source.Put("cached", 1, Length);
        source.Put("uncached", 1, Length);
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], Fill = NodeSettings.ShortTimeouts }
            .MountS3("data", source.Endpoint, PatternSource.Bucket, ["metadata-ttl: 0", $"serve-stale-on-error: {(serveStale ? "true" : "false")}", .. options]);
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
