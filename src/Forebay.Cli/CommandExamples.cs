using System.CommandLine;
using System.Runtime.CompilerServices;

namespace Forebay.Cli;

/// <summary>Examples that stand at the end of a command's help.</summary>
internal static class CommandExamples
{
    private static readonly ConditionalWeakTable<Command, string[]> Examples = [];

    /// <summary>Gives a command its examples: whole command lines.</summary>
    public static TCommand WithExamples<TCommand>(this TCommand command, params string[] examples)
        where TCommand : Command
    {
        Examples.AddOrUpdate(command, examples);
        return command;
    }

    /// <summary>The examples of a command; empty when it has none.</summary>
    public static IReadOnlyList<string> Of(Command command) => Examples.TryGetValue(command, out string[]? examples) ? examples : [];

    /// <summary>How a command is called, from the root: <c>forebay serve</c>.</summary>
    public static string PathOf(Command command)
    {
        Command? parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? "forebay" : $"{PathOf(parent)} {command.Name}";
    }
}
