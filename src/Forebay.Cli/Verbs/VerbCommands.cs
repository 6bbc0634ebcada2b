using System.CommandLine;

namespace Forebay.Cli.Verbs;

/// <summary>Commands that are clients of a running node.</summary>
internal static class VerbCommands
{
    /// <summary>All of them, in the order of the help.</summary>
    public static IEnumerable<Command> All => [];
}
