using System.CommandLine;

namespace Forebay.Cli;

/// <summary>How a command prints its result.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For machines; the names in it are stable.</summary>
    Json,
}

/// <summary>The option <c>--output table|json</c>, the same for every command that prints a result.</summary>
internal static class OutputOption
{
    /// <summary>Makes it for one command.</summary>
    public static Option<OutputFormat> Create() => new("--output", "-o")
    {
        Description = "How the result is printed: table (when not given) or json.",
        HelpName = "table|json",
    };
}
