using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Serve;

/// <summary>The one place that knows every room: it turns a configuration into stores, engine and edges.</summary>
internal static class CompositionRoot
{
    // joined when under-stores, engine, S3 and admin are merged: both methods below, and nothing else.

    /// <summary>Asks the under-stores whether a source can be used; gives the fault, or null. Contacts nothing.</summary>
    public static string? CheckSource(MountConfiguration mount) => null;

    /// <summary>Makes the pieces of a node.</summary>
    public static Task<NodeParts> ComposeAsync(NodePlan plan, CancellationToken cancellationToken)
        => throw new ForebayException(ErrorKind.NotSupported, "this build has no engine yet.");
}
