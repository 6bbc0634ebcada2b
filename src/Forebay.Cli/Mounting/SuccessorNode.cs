using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Options;
using Microsoft.Extensions.Logging;

namespace Forebay.Cli.Mounting;

/// <summary>The engine of a worker that takes over: programs wait for it, so that a cache directory that cannot be used (a dead disk, a lock that a dying worker still has) costs the cache, not the mount.</summary>
internal static class SuccessorNode
{
    /// <summary>Opening takes milliseconds, seconds after a kill with millions of pages; a disk that hangs takes for ever. Less than a holder waits for a worker.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Opens the engine, if need be without its cache directories.</summary>
    /// <param name="options">All of it.</param>
    /// <param name="open">Opens a node.</param>
    /// <param name="log">Is told when there is no cache.</param>
    /// <param name="time">Clock.</param>
    /// <returns>The node, and whether it has its cache directories.</returns>
    public static async Task<(Node Node, bool HasCache)> OpenAsync(NodeOptions options, Func<NodeOptions, Node> open, ILogger log, TimeProvider time)
    {
        Task<Node> opening = Task.Run(() => open(options));
        try
        {
            return (await opening.WaitAsync(Patience, time), true);
        }
        catch (Exception e) when (options.Tiers.Count > 0 && e is ForebayException or IOException or UnauthorizedAccessException or TimeoutException)
        {
            MountServiceLog.NoCache(log, e is TimeoutException ? $"It did not open within {Patience.TotalSeconds:0} s." : e.Message);

            _ = LetGoAsync(opening);
            return (open(options with { Tiers = [] }), false);
        }
    }

    /// <summary>One that comes late must not keep the lock from the next worker.</summary>
    private static async Task LetGoAsync(Task<Node> opening)
    {
        try
        {
            await (await opening).DisposeAsync();
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            // It was told already.
        }
    }
}
