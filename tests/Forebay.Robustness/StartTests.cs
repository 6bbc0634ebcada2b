using System.Net;
using System.Net.Sockets;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>Starts that cannot succeed say why and what to do, with the exit codes of docs/CLI.md.</summary>
public sealed class StartTests
{
    [Fact]
    public async Task AllFaultsOfAConfigurationAreListedAtOnce()
    {
        using TempDirectory directory = new();
        string file = directory["forebay.yaml"];
        await File.WriteAllTextAsync(file, $$"""
            version: 1
            mounts:
              data: { source: "file://{{directory.Path}}", metadata-ttl: soon }
              Bad_Name: { source: "file:///tmp" }
              other: { sauce: "file:///tmp" }
            cache:
              - { directory: "{{directory["cache"]}}", quota: 3 potatoes }
            fill: { max-attempts: 99 }
            s3: { address: "127.0.0.1:99999" }
            """);

        await using NodeProcess node = await NodeProcess.RunToEndAsync("serve", "--config", file);

        Assert.Equal(2, node.ExitCode);
        foreach (string named in new[] { "metadata-ttl", "Bad_Name", "sauce", "quota", "max-attempts", "address" })
        {
            Assert.Contains(named, node.Error, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("   at ", node.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(directory["cache"]), "something was started");
    }

    [Theory]
    [InlineData("serve", "--mount", "data=ftp://host/x")]
    [InlineData("serve", "--mount", "data")]
    [InlineData("serve", "--cache", "/tmp/x")]
    [InlineData("serve", "--config", "/does/not/exist.yaml")]
    [InlineData("serve", "--nonsense")]
    [InlineData("sever")]
    [InlineData("serve")]
    public async Task BadFlagsAreExitCode2(params string[] arguments)
    {
        await using NodeProcess node = await NodeProcess.RunToEndAsync(arguments);

        Assert.Equal(2, node.ExitCode);
        Assert.NotEmpty(node.Error.Trim());
        Assert.DoesNotContain("   at ", node.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABusyPortIsExitCode3WithTheRemedy()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        using TcpListener busy = new(IPAddress.Loopback, 0);
        busy.Start();
        string address = $"127.0.0.1:{((IPEndPoint)busy.LocalEndpoint).Port}";
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], S3Address = address }.MountS3("data", source.Endpoint, PatternSource.Bucket);

        await using NodeProcess node = await NodeProcess.RunToEndAsync(settings);

        Assert.Equal(3, node.ExitCode);
        Assert.Contains(address, node.Error, StringComparison.Ordinal);
        Assert.Contains("in use", node.Error, StringComparison.Ordinal);
        Assert.Contains("--s3", node.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", node.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryThatIsMountedLateIsServedFromThenOn()
    {
        using TempDirectory directory = new();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings().MountDirectory("data", directory["late"]));
        using SignedClient client = new(node.S3Address);

        Answer early = await client.GetAsync("data", "object");
        Assert.Equal(503, early.Status);
        Assert.NotNull(early.RetryAfter);

        Directory.CreateDirectory(directory["late"]);
        await File.WriteAllBytesAsync(directory["late/object"], [1, 2, 3]);
        await Eventually.TrueAsync("the object is served", async () => (await client.GetAsync("data", "object")).IsSuccess);
    }
}
