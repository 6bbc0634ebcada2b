using Forebay.Engine;

namespace Forebay.Cli.Serve;

/// <summary>A node from its start to the end of its drain. What fails on the way up is undone before the error leaves.</summary>
internal sealed class NodeHost : IAsyncDisposable
{
    /// <summary>Longest time that running requests get when the node is told to stop.</summary>
    public static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(20);

    private readonly NodeParts _parts;
    private readonly Readiness _readiness;
    private readonly TimeProvider _time;

    private NodeHost(NodeParts parts, Readiness readiness, TimeProvider time)
    {
        _parts = parts;
        _readiness = readiness;
        _time = time;
    }

    /// <summary>The engine.</summary>
    public INode Node => _parts.Node;

    /// <summary>What listens.</summary>
    public IReadOnlyList<IEdge> Edges => _parts.Edges;

    /// <summary>Composes and starts a node; it is ready when this returns.</summary>
    public static async Task<NodeHost> StartAsync(NodePlan plan, ComposeNode compose, CancellationToken cancellationToken)
    {
        NodeParts parts = await compose(plan, cancellationToken);
        try
        {
            foreach (IEdge edge in parts.Edges)
            {
                await edge.StartAsync(cancellationToken);
            }
        }
        catch
        {
            await parts.DisposeAsync();
            throw;
        }

        plan.Readiness.IsReady = true;
        return new NodeHost(parts, plan.Readiness, plan.Time);
    }

    /// <summary>Stops taking requests, waits for those that run, at most <see cref="DrainTime"/>.</summary>
    public async Task DrainAsync()
    {
        _readiness.IsReady = false;
        using CancellationTokenSource limit = new(DrainTime, _time);
        try
        {
            await Task.WhenAll(_parts.Edges.Select(edge => edge.DrainAsync(limit.Token)));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // The rest is cut off: the node was told to end, and its clients try again elsewhere.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _parts.DisposeAsync();
}
