using Forebay.Caching;
using Forebay.Cli.Mounting;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.Cli.Tests.Mounting;

/// <summary>A worker that takes over serves, whatever has become of its cache directory.</summary>
public sealed class SuccessorNodeTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly ManualTimeProvider _time = new();

    private NodeOptions Options => new()
    {
        MountPoints = [new MountPointOptions { Name = "data", Source = "memory" }],
        Tiers = [new TierOptions { Directory = _directory["cache"], QuotaBytes = 64 << 20 }],
    };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ACacheDirectoryThatIsThereIsUsed()
    {
        (Node node, bool hasCache) = await OpenAsync();

        Assert.True(hasCache);
        Assert.True(Directory.Exists(_directory["cache"]));
        await node.DisposeAsync();
    }

    [Fact]
    public async Task WithoutItsCacheDirectoryItServesFromTheSource()
    {
        await File.WriteAllTextAsync(_directory["cache"], "no directory any more");

        await AssertServesAsync(await OpenAsync());
    }

    [Fact]
    public async Task ALockThatADyingWorkerStillHasCostsOnlyTheCache()
    {
        await using Node dying = Open(Options);

        await AssertServesAsync(await OpenAsync());
    }

    [Fact]
    public async Task ADiskThatHangsCostsOnlyTheCacheAndTheLateOneLetsItGo()
    {
        using ManualResetEventSlim wakes = new();
        TaskCompletionSource<Node> late = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<(Node Node, bool HasCache)> opening = SuccessorNode.OpenAsync(
            Options,
            options =>
            {
                if (options.Tiers.Count == 0)
                {
                    return Open(options);
                }

                wakes.Wait();
                Node node = Open(options);
                late.SetResult(node);
                return node;
            }, NullLogger.Instance, _time);
        while (_time.ArmedTimers == 0)
        {
            await Task.Yield();
        }

        _time.Advance(SuccessorNode.Patience);

        (Node node, bool hasCache) = await opening.WaitAsync(TimeSpan.FromSeconds(20));
        await AssertServesAsync((node, hasCache));
        wakes.Set();

        // Until it is there, its cache directory is free anyway.
        await late.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await Eventually.TrueAsync("the late one lets its directory go", IsFreeAsync);
    }

    private async Task<bool> IsFreeAsync()
    {
        try
        {
            await Open(Options).DisposeAsync();
            return true;
        }
        catch (ForebayException)
        {
            return false;
        }
    }

    private Task<(Node Node, bool HasCache)> OpenAsync() => SuccessorNode.OpenAsync(Options, Open, NullLogger.Instance, _time);

    private static async Task AssertServesAsync((Node Node, bool HasCache) opened)
    {
        Assert.False(opened.HasCache);
        DirectoryPage page = await opened.Node.FindFiles("data")!.ListDirectoryAsync("", after: null, maxEntries: 10, requestId: null, CancellationToken.None);
        Assert.Equal("key", Assert.Single(page.Entries).Name);
        await opened.Node.DisposeAsync();
    }

    private Node Open(NodeOptions options) => Node.Open(options, _ => StoreOf(), _time);

    private static InMemoryUnderStore StoreOf()
    {
        InMemoryUnderStore store = new();
        store.Put("key", "bytes");
        return store;
    }
}
