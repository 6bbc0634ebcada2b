using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Status;

namespace Forebay.Cli.Tests.Serve;

/// <summary>A node without an engine: enough to start, list and stop.</summary>
internal sealed class FakeNode : INode
{
    public IReadOnlyList<IMountPoint> MountPoints => [];

    public IReadOnlyList<LoadStatus> Loads => [];

    public IMountPoint? Find(string name) => null;

    public NodeStatus GetStatus() => throw new NotSupportedException();

    public Task<PathDescription> DescribeAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<DiskUsage> MeasureAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<LoadStatus> StartLoadAsync(LoadRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

    public LoadStatus? FindLoad(string id) => null;

    public bool CancelLoad(string id) => false;

    public Task<CacheChange> FreeAsync(string path, bool pinnedToo, bool dryRun, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<CacheChange> PinAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();

    public CacheChange Unpin(string path) => throw new NotSupportedException();

    public IReadOnlyList<PinDescription> GetPins() => throw new NotSupportedException();

    public Task RefreshAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>An edge that notes what is done to it.</summary>
internal sealed class FakeEdge(string name, List<string> events) : IEdge
{
    public Exception? FailsToStart { get; init; }

    /// <summary>The drain lasts until this completes or its time is over.</summary>
    public Task Drained { get; init; } = Task.CompletedTask;

    public Action WhenStarted { get; init; } = static () => { };

    public string Name => name;

    public string Address => $"http://{name}.invalid";

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (FailsToStart is not null)
        {
            throw FailsToStart;
        }

        events.Add($"start {name}");
        WhenStarted();
        return Task.CompletedTask;
    }

    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        events.Add($"drain {name}");
        await Drained.WaitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        events.Add($"dispose {name}");
        return ValueTask.CompletedTask;
    }
}
