using System.Security.Cryptography;
using Forebay.Admin;
using Forebay.Cli.Configuration;
using Forebay.Cli.Mounting;
using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.DataPlane;
using Forebay.Engine;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.Cli.Tests.Serve;

/// <summary>A whole node as the composition root makes it, and what a mount of its machine finds out about it and borrows.</summary>
public sealed class LendingTests
{
    [Fact]
    public async Task AMountFindsTheNodesSocketAndBorrowsWhatItsKeyMayRead()
    {
        using TempDirectory directory = new();
        await using NodeHost host = await StartAsync(directory, "max-borrowers: 4");
        Node node = (Node)host.Node;
        await node.FindFiles("data")!.BringAsync(await node.Find("data")!.StatAsync("train/file", null, CancellationToken.None), CancellationToken.None);

        NodeSource source = await SourceOf(host).ResolveAsync(TimeProvider.System, CancellationToken.None);

        Assert.True(source.IsLocal);
        Assert.Equal(host.Edges.Single(edge => edge.Name == "lends").Address, source.Socket);
        Assert.Equal(source, NodeSource.TryParse(source.ToArgument(), out _));
        ObjectStat stat = (await node.FindFiles("data")!.ResolveAsync("train/file", NameDetail.Listed, null, CancellationToken.None)).Object!;
        Assert.Equal(await File.ReadAllBytesAsync(directory["source/train/file"]), await BorrowAsync(source, stat, "reader", "the secret of the reader"));
        Assert.Null(await BorrowAsync(source, stat, "other", "the secret of the other"));
        Assert.Null(await BorrowAsync(source, stat, "reader", "not the secret of the reader"));
        using HttpClient http = new();
        string metrics = await http.GetStringAsync($"{host.Edges.Single(edge => edge.Name == "admin").Address}/metrics");
        Assert.Contains("forebay_lent_files 0", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANodeThatLendsNothingHasNoSocket()
    {
        using TempDirectory directory = new();
        await using NodeHost host = await StartAsync(directory, "max-borrowers: 0");

        NodeSource source = await SourceOf(host).ResolveAsync(TimeProvider.System, CancellationToken.None);

        Assert.Null(source.Socket);
        Assert.Equal("", host.Edges.Single(edge => edge.Name == "lends").Address);
    }

    [Fact]
    public async Task TheSocketOfAnotherNodeIsNotTaken()
    {
        using TempDirectory directory = new();
        await using NodeHost host = await StartAsync(directory, "max-borrowers: 4");
        string path = host.Edges.Single(edge => edge.Name == "lends").Address;
        await using AdminServer other = await AdminServer.StartAsync(
            new AdminServerOptions
            {
                Node = new FakeNode(),
                Address = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0),
                AllowAnonymous = true,
                Endpoints = () => new DataEndpoints(Guid.NewGuid().ToString("N"), new Uri("http://10.1.2.3:9000"), path),
            },
            CancellationToken.None);

        NodeSource source = await NodeSource.TryParse($"forebay://{other.Address.Authority}/data", out _)!.ResolveAsync(TimeProvider.System, CancellationToken.None);

        Assert.Null(source.Socket);
        Assert.False(source.IsLocal);
    }

    private static NodeSource SourceOf(NodeHost host) => NodeSource.TryParse($"forebay://{host.Edges.Single(edge => edge.Name == "admin").Address["http://".Length..]}/data", out _)!;

    /// <summary>The bytes that are lent; null when nothing is.</summary>
    private static async Task<byte[]?> BorrowAsync(NodeSource source, ObjectStat stat, string key, string secret)
    {
        using FileBorrower borrower = new(
            new FileBorrowerOptions { Path = source.Socket!, Mount = source.Name, AccessKeyId = key, SecretAccessKey = secret, Patience = TimeSpan.FromSeconds(30) }, TimeProvider.System, NullLogger.Instance);
        borrower.Start();
        SpinWait.SpinUntil(() => borrower.IsAvailable, TimeSpan.FromSeconds(key == "reader" && secret.StartsWith("not", StringComparison.Ordinal) ? 1 : 30));
        using FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);
        if (file.IsEmpty)
        {
            return null;
        }

        byte[] bytes = new byte[file.Length];
        RandomAccess.Read(file.File!, bytes, 0);
        return bytes;
    }

    private static async Task<NodeHost> StartAsync(TempDirectory directory, string limits)
    {
        Directory.CreateDirectory(directory["source/train"]);
        await File.WriteAllBytesAsync(directory["source/train/file"], RandomNumberGenerator.GetBytes(400_000));
        await File.WriteAllTextAsync(
            directory["forebay.yaml"],
            $"""
            version: 1
            mounts:
              data:
                source: "file://{directory["source"]}"
            cache:
              - directory: {directory["cache"]}
                quota: 64Mi
            s3:
              address: "127.0.0.1:0"
            admin:
              address: "127.0.0.1:0"
            keys:
              - access-key-id: reader
                secret-access-key: the secret of the reader
                rights: read
                prefixes: ["/data/train"]
              - access-key-id: other
                secret-access-key: the secret of the other
                rights: read
                prefixes: ["/data/test"]
            limits:
              {limits}
            """);
        File.SetUnixFileMode(directory["forebay.yaml"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        ConfigurationResult loaded = ConfigurationLoader.Load(new ConfigurationInput { File = directory["forebay.yaml"], CheckSource = CompositionRoot.CheckSource });
        Assert.Empty(loaded.Faults);
        return await NodeHost.StartAsync(new NodePlan(loaded.Configuration!, new Readiness(), TimeProvider.System), CompositionRoot.ComposeAsync, CancellationToken.None);
    }
}
