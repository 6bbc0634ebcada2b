using System.Net;
using System.Net.Sockets;
using System.Text;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;
using Xunit.Abstractions;

namespace Forebay.Robustness;

/// <summary>Clients that misbehave or come in hundreds: the node stays healthy, small, and leaks no descriptor.</summary>
public sealed class ConnectionTests(ITestOutputHelper output)
{
    /// <summary>A fraction of the default memory limit of 1 GiB.</summary>
    private const long MemoryBound = 512L << 20;

    [Fact]
    public async Task ClientsThatGoAwayMidBodyLeaveNothingBehind()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = SettingsOf(source, directory);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        int before = await SettledDescriptorsAsync(node, client);

        for (int round = 0; round < 5; round++)
        {
            // Hot ones leave by sendfile, cold ones are still being filled.
            source.Put($"cold-{round}", 1, 20 << 20);
            await Task.WhenAll(Enumerable.Range(0, 20).Select(i => LeaveMidBodyAsync(node, client, i % 2 == 0 ? "hot" : $"cold-{round}", reset: i % 3 == 0)));
        }

        await AssertHealthyAsync(node, client, source, before);
    }

    [Fact]
    public async Task SlowLorisConnectionsDoNotKeepOthersOut()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address);
        int before = await SettledDescriptorsAsync(node, client);
        List<Socket> lorises = [];
        try
        {
            for (int i = 0; i < 200; i++)
            {
                Socket socket = Connect(node);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /data/hot HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Part-{i}: "));
                lorises.Add(socket);
            }

            for (int i = 0; i < 20; i++)
            {
                foreach (Socket socket in lorises)
                {
                    await socket.SendAsync("x"u8.ToArray());
                }

                AssertRight(await client.GetAsync("data", "hot"), source.Object("hot"));
            }
        }
        finally
        {
            lorises.ForEach(socket => socket.Dispose());
        }

        await AssertHealthyAsync(node, client, source, before);
    }

    [Fact]
    public async Task FiveHundredParallelClientsAreServed()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address, TimeSpan.FromSeconds(60));
        int before = await SettledDescriptorsAsync(node, client);

        Task<Answer[]> asking = Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
        {
            SourceObject wanted = source.Object(i % 2 == 0 ? "hot" : "large");
            long from = i * 1001L % (wanted.Length - 300_000);
            Answer answer = await client.GetAsync("data", wanted.Key, from, 300_000);
            AssertRight(answer, wanted);
            return answer;
        }));
        Answer[] answers;
        try
        {
            answers = await asking;
        }
        catch
        {
            output.WriteLine(node.Output + node.Error);
            throw;
        }

        Assert.Equal(500, answers.Length);
        long cold = source.Sent.Where(range => range.Key == "large").Sum(range => range.Length);
        Assert.True(cold <= source.Object("large").Length, $"{cold} bytes of an object of {source.Object("large").Length} were fetched for 250 clients at once");
        client.Dispose();
        using SignedClient after = new(node.S3Address);
        await AssertHealthyAsync(node, after, source, before);
    }

    [Fact]
    public async Task BytesThatAreNoHttpAreRefused()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address);
        int before = await SettledDescriptorsAsync(node, client);

        for (int i = 0; i < 50; i++)
        {
            using Socket socket = Connect(node);
            await socket.SendAsync(new PatternContent("noise", i).Bytes(0, 5000));
        }

        await AssertHealthyAsync(node, client, source, before);
    }

    private static NodeSettings SettingsOf(PatternSource source, TempDirectory directory)
    {
        source.Put("hot", 1, 4 << 20);
        source.Put("large", 1, (30 << 20) + 3);
        return new NodeSettings { CacheDirectory = directory["cache"] }.MountS3("data", source.Endpoint, PatternSource.Bucket);
    }

    /// <summary>Descriptors after the node has done one of everything.</summary>
    private static async Task<int> SettledDescriptorsAsync(NodeProcess node, SignedClient client)
    {
        Assert.True((await client.GetAsync("data", "hot")).IsSuccess);
        await node.FiguresAsync();
        return node.OpenDescriptors;
    }

    private async Task AssertHealthyAsync(NodeProcess node, SignedClient client, PatternSource source, int descriptorsBefore)
    {
        AssertRight(await client.GetAsync("data", "hot"), source.Object("hot"));
        await Eventually.TrueAsync("all requests have ended", async () => (await node.FiguresAsync())["s3_active_requests"] == 0);
        await Eventually.TrueAsync("connections of gone clients are closed", async () => (await node.FiguresAsync())["s3_connections"] <= 3);

        // Connections to the source stay pooled, and cache files stay open for some seconds.
        int pooled = source.Connections + CacheDirectory.DataFiles(node.Settings!.CacheDirectory!).Count + 10;
        await Eventually.TrueAsync($"descriptors fall back from {node.OpenDescriptors} to {descriptorsBefore} and at most {pooled} pooled", () => node.OpenDescriptors <= descriptorsBefore + pooled);
        Figures figures = await node.FiguresAsync();
        output.WriteLine($"descriptors {descriptorsBefore} before, {node.OpenDescriptors} after ({source.Connections} to the source); resident {figures["resident_memory_bytes"] >> 20} MiB");
        Assert.True(figures["resident_memory_bytes"] < MemoryBound, $"resident memory is {figures["resident_memory_bytes"] >> 20} MiB");
        Assert.Equal(200, (await node.GetAdminAsync("/readyz")).Status);
        Assert.False(node.HasExited);
    }

    private static async Task LeaveMidBodyAsync(NodeProcess node, SignedClient client, string key, bool reset)
    {
        using Socket socket = Connect(node);
        string target = new Uri(client.Sign("data", key)).PathAndQuery;
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: {new Uri(node.S3Address).Authority}\r\n\r\n"));
        byte[] some = new byte[50_000];
        int read = await socket.ReceiveAsync(some);
        Assert.StartsWith("HTTP/1.1 200", Encoding.ASCII.GetString(some, 0, Math.Min(read, 12)), StringComparison.Ordinal);
        if (reset)
        {
            socket.LingerState = new LingerOption(true, 0);
        }
    }

    private static Socket Connect(NodeProcess node)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, new Uri(node.S3Address).Port);
        return socket;
    }

    private static void AssertRight(Answer answer, SourceObject wanted)
    {
        Assert.True(answer.IsSuccess, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes");
        Assert.Equal(wanted.Length, answer.ObjectLength);
        Assert.True(wanted.Content.Matches(answer.Offset, answer.Body), $"bytes of {wanted.Key} are wrong");
    }
}
