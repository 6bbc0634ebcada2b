using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Forebay.Cli.Bench;
using Forebay.Cli.Configuration;
using Forebay.Cli.Demo;
using Forebay.Cli.Doctor;
using Forebay.Cli.Fsck;
using Forebay.Cli.Mounting;
using Forebay.Cli.Serve;
using Forebay.Cli.Top;
using Forebay.Cli.Verbs;
using Forebay.Core;

namespace Forebay.Cli;

/// <summary>The command line: parsing in one layer, the work in calls that a test can make.</summary>
internal static class CommandLine
{
    /// <summary>Runs one command and gives its exit code.</summary>
    public static Task<int> RunAsync(IReadOnlyList<string> arguments, TextWriter output, TextWriter error)
    {
        ParseResult parsed = Create().Parse(arguments);
        List<string> faults = parsed.Action is HelpAction or ExamplesHelpAction ? [] : FaultsOf(parsed);
        if (faults.Count > 0)
        {
            foreach (string fault in faults)
            {
                error.WriteLine($"forebay: {fault}");
            }

            string command = CommandExamples.PathOf(parsed.CommandResult.Command);
            error.WriteLine($"Run \"{command} --help\" for what it takes.");
            return Task.FromResult(ExitCode.Usage);
        }

        // Termination is handled where something must be drained; everything else may end at once.
        return parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, ProcessTerminationTimeout = null });
    }

    /// <summary>The parser takes an option that it does not know for a path, where a command takes paths.</summary>
    private static IEnumerable<string> UnknownOptionsOf(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        HashSet<string> literal = [.. parsed.Tokens.SkipWhile(static token => token.Type != TokenType.DoubleDash).Select(static token => token.Value)];
        foreach (ArgumentResult argument in parsed.CommandResult.Children.OfType<ArgumentResult>())
        {
            foreach (string word in argument.Tokens.Select(static token => token.Value).Where(word => word is ['-', _, ..] && !literal.Contains(word)))
            {
                string name = word.Split('=')[0];
                string? nearest = NearestName.Find(name, command.Options.SelectMany(static option => option.Aliases.Append(option.Name)));
                yield return $"\"{HumanText.Safe(name)}\" is no option of {CommandExamples.PathOf(command)}{(nearest is null ? "." : $"; did you mean \"{nearest}\"?")} What begins with a dash and is a path comes behind \"--\".";
            }
        }
    }

    /// <summary>A word that is no command makes the parser complain of the missing command and of every word behind it: one sentence is enough. So is the name of an option that is none.</summary>
    private static List<string> FaultsOf(ParseResult parsed)
    {
        List<string> options = [.. UnknownOptionsOf(parsed)];
        if (options.Count > 0 || parsed.Errors.Count == 0)
        {
            return options;
        }

        if (parsed.CommandResult.Command is not RootCommand || parsed.UnmatchedTokens is not [{ } word, ..] || word.StartsWith('-'))
        {
            return [.. parsed.Errors.Select(fault => fault.Message)];
        }

        string? nearest = NearestName.Find(word, parsed.CommandResult.Command.Subcommands.Select(command => command.Name));
        return [$"\"{HumanText.Safe(word)}\" is not a command{(nearest is null ? "." : $"; did you mean \"{nearest}\"?")}"];
    }

    /// <summary>All commands.</summary>
    public static RootCommand Create()
    {
        RootCommand root = new("Serves any bucket or directory as an S3 endpoint, or mounts it, at local speed, through a checksummed disk cache.");
        root.Subcommands.Add(ServeCommand.Create());
        root.Subcommands.Add(ConfigCommand.Create());
        root.Subcommands.Add(MountCommand.Create());
        root.Subcommands.Add(UnmountCommand.Create());
        root.Subcommands.Add(TopCommand.Create());
        root.Subcommands.Add(AccessLogCommand.Create());
        root.Subcommands.Add(DoctorCommand.Create());
        root.Subcommands.Add(DemoCommand.Create());
        foreach (Command verb in VerbCommands.All)
        {
            root.Subcommands.Add(verb);
        }

        root.Subcommands.Add(BenchCommand.Create());
        root.Subcommands.Add(FsckCommand.Create());
        root.Subcommands.Add(CompletionCommand.Create());
        root.Subcommands.Add(VersionCommand.Create());
        root.WithExamples("forebay demo", "forebay serve --mount data=s3://bucket/prefix", "forebay mount s3://bucket/prefix /mnt/data", "forebay COMMAND --help");
        foreach (Option option in root.Options)
        {
            if (option is HelpOption help && help.Action is HelpAction action)
            {
                help.Action = new ExamplesHelpAction(action);
            }
        }

        return root;
    }

    /// <summary>The usual help, with the command's examples behind it.</summary>
    private sealed class ExamplesHelpAction(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int result = help.Invoke(parseResult);
            IReadOnlyList<string> examples = CommandExamples.Of(parseResult.CommandResult.Command);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            if (examples.Count > 0)
            {
                output.WriteLine("Examples:");
                foreach (string example in examples)
                {
                    output.WriteLine($"  {example}");
                }

                output.WriteLine();
            }

            return result;
        }
    }
}
