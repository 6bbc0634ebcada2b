using System.Diagnostics;
using System.Net.Sockets;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>SIGTERM: what runs finishes, nothing new begins, and the end is in good order and in time.</summary>
public sealed class DrainTests
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task ADownloadInFlightFinishesAndNewConnectionsAreRefused()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        SourceObject wanted = source.Put("slow", 1, 12 << 20);
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], Limits = ["connection-bytes-per-second: 3Mi"] }
            .MountS3("data", source.Endpoint, PatternSource.Bucket);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        Task<Answer> download = client.GetAsync("data", "slow");
        await Eventually.TrueAsync("the download has begun", async () => (await node.FiguresAsync())["s3_active_requests"] == 1);
        long told = Stopwatch.GetTimestamp();

        node.Terminate();

        Uri address = new(node.S3Address);
        await Eventually.TrueAsync("new connections are refused", () => !CanConnect(address.Port), TimeSpan.FromSeconds(2));
        Assert.False(download.IsCompleted, "the download was too fast to tell anything");
        Answer answer = await download;
        Assert.True(answer.IsSuccess, $"the download in flight was cut: {answer.Status}, {answer.Body.Length} bytes");
        Assert.True(wanted.Content.Matches(0, answer.Body), "the bytes are wrong");
        Assert.Equal(0, await node.WaitForExitAsync(DrainTime));
        Assert.True(Stopwatch.GetElapsedTime(told) < DrainTime);
        Assert.DoesNotContain("fail", node.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AnIdleNodeWithOpenConnectionsEndsAtOnce()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        source.Put("object", 1, 1000);
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings { CacheDirectory = directory["cache"] }.MountS3("data", source.Endpoint, PatternSource.Bucket));
        using SignedClient client = new(node.S3Address);
        Assert.True((await client.GetAsync("data", "object")).IsSuccess);
        long told = Stopwatch.GetTimestamp();

        node.Terminate();

        Assert.Equal(0, await node.WaitForExitAsync(DrainTime));
        Assert.True(Stopwatch.GetElapsedTime(told) < TimeSpan.FromSeconds(8), $"an idle node took {Stopwatch.GetElapsedTime(told).TotalSeconds:0.0} s to end");
    }

    [Fact]
    public async Task ADownloadThatNeverEndsIsCutInTime()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        source.Put("endless", 1, 40 << 20);
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], Limits = ["connection-bytes-per-second: 64Ki"] }
            .MountS3("data", source.Endpoint, PatternSource.Bucket);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address, TimeSpan.FromSeconds(60));
        Task<Answer> download = client.GetAsync("data", "endless");
        await Eventually.TrueAsync("the download has begun", async () => (await node.FiguresAsync())["s3_active_requests"] == 1);

        node.Terminate();

        Assert.Equal(0, await node.WaitForExitAsync(DrainTime + TimeSpan.FromSeconds(4)));
        Assert.False((await download).IsComplete);
    }

    private static bool CanConnect(int port)
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(System.Net.IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
