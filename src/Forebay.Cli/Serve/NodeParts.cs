using Forebay.Cli.Configuration;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.Cli.Serve;

/// <summary>An edge of a node: something that listens.</summary>
internal interface IEdge : IAsyncDisposable
{
    /// <summary>What it is called in the table of addresses: <c>S3</c>, <c>admin</c>.</summary>
    string Name { get; }

    /// <summary>URL it answers on, with the real port; only after <see cref="StartAsync"/>.</summary>
    string Address { get; }

    /// <summary>Binds the address and answers from then on.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the address is taken or not allowed.</exception>
    Task StartAsync(CancellationToken cancellationToken);

    /// <summary>Takes no new connection and waits for the requests that run; cut off when the token is cancelled.</summary>
    Task DrainAsync(CancellationToken cancellationToken);
}

/// <summary>The pieces of a node as the composition root made them. Edges are given in the order they start; the reverse is how they stop.</summary>
internal sealed class NodeParts : IAsyncDisposable
{
    private readonly Func<ValueTask> _dispose;

    /// <summary>Takes the pieces.</summary>
    /// <param name="node">The engine.</param>
    /// <param name="edges">What listens, not started yet.</param>
    /// <param name="dispose">Ends the engine, its tiers and under-stores; called once, after the edges.</param>
    public NodeParts(INode node, IReadOnlyList<IEdge> edges, Func<ValueTask> dispose)
    {
        Node = node;
        Edges = edges;
        _dispose = dispose;
    }

    public INode Node { get; }

    public IReadOnlyList<IEdge> Edges { get; }

    public async ValueTask DisposeAsync()
    {
        foreach (IEdge edge in Edges.Reverse())
        {
            await edge.DisposeAsync();
        }

        await _dispose();
    }
}

/// <summary>Whether a node wants requests; what <c>/readyz</c> tells.</summary>
internal sealed class Readiness
{
    private volatile bool _isReady;

    /// <summary>True between the end of the start and the beginning of the drain.</summary>
    public bool IsReady
    {
        get => _isReady;
        set => _isReady = value;
    }
}

/// <summary>What a node is composed from.</summary>
/// <param name="Configuration">Checked.</param>
/// <param name="Readiness">For the edge that answers <c>/readyz</c>.</param>
/// <param name="Time">Clock of everything.</param>
internal sealed record NodePlan(ForebayConfiguration Configuration, Readiness Readiness, TimeProvider Time)
{
    /// <summary>Put around every under-store; the identity but for the demonstration's slow link.</summary>
    public Func<IUnderStore, IUnderStore> Wrap { get; init; } = static store => store;
}

/// <summary>Makes the pieces of a node; nothing listens yet when it returns.</summary>
internal delegate Task<NodeParts> ComposeNode(NodePlan plan, CancellationToken cancellationToken);
