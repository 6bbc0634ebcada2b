using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using Forebay.Admin;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Cli.Mounting;

namespace Forebay.Cli.Verbs;

/// <summary>Commands that are clients of a running node: parsing only, the work is in the verbs.</summary>
internal static class VerbCommands
{
    private const string PathHelp = "Path in the namespace, /name/key…, where name is a mount point, or path in a mounted directory; with a trailing / everything below.";

    /// <summary>All of them, in the order of the help.</summary>
    public static IEnumerable<Command> All =>
    [
        Ls(), Stat(), Cat(), Cp(), Du(), Load(), Free(), Pin(), Unpin(), Refresh(), Status(),
    ];

    private static Verb Ls()
    {
        Argument<string> path = new("PATH") { Description = PathHelp, DefaultValueFactory = static _ => "/" };
        Option<bool> recursive = new("--recursive", "-r") { Description = "All objects below, without prefixes." };
        return new Verb("ls", "Lists names below a path.", path, recursive)
            .Does((session, parsed, token) => NamespaceVerbs.ListAsync(session, session.ToNamespace(parsed.GetValue(path)!), parsed.GetValue(recursive), token))
            .WithExamples("forebay ls /", "forebay ls -r /data/train/ --output json");
    }

    private static Verb Stat()
    {
        Argument<string[]> paths = Paths();
        return new Verb("stat", "Shows objects and what of them is cached.", paths)
            .Does((session, parsed, token) => NamespaceVerbs.StatAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token))
            .WithExamples("forebay stat /data/model.safetensors");
    }

    private static Verb Cat()
    {
        Argument<string[]> paths = Paths();
        return new Verb("cat", "Writes the bytes of objects to the standard output.", paths)
            .Does(async (session, parsed, token) =>
            {
                await using Stream output = Console.OpenStandardOutput();
                return await CopyVerbs.CatAsync(session, session.ToNamespace(parsed.GetValue(paths)!), output, token);
            })
            .WithExamples("forebay cat /data/notes.txt", "forebay cat /data/part-0 /data/part-1 | sha256sum");
    }

    private static Verb Cp()
    {
        Argument<string> source = new("PATH") { Description = PathHelp };
        Argument<string> destination = new("DESTINATION") { Description = "Local file or directory; a file appears only when it is whole." };
        Option<bool> recursive = new("--recursive", "-r") { Description = "Everything below PATH, into the directory DESTINATION." };
        return new Verb("cp", "Copies objects to local files.", source, destination, recursive)
            .Does((session, parsed, token) => CopyVerbs.CopyAsync(
                session, session.ToNamespace(parsed.GetValue(source)!), parsed.GetValue(destination)!, parsed.GetValue(recursive), token))
            .WithExamples("forebay cp /data/model.bin .", "forebay cp -r /data/train/ ./train");
    }

    private static Verb Du()
    {
        Argument<string[]> paths = Paths();
        return new Verb("du", "Sums up objects and bytes below paths and how much of them is cached; / is each mount point.", paths)
            .Does((session, parsed, token) => NamespaceVerbs.MeasureAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token))
            .WithExamples("forebay du /data/", "forebay du /data/train/ /data/test/ --output json");
    }

    private static Verb Load()
    {
        Argument<string[]> paths = new("PATH") { Description = PathHelp, Arity = ArgumentArity.ZeroOrMore };
        Option<bool> wait = new("--wait", "-w") { Description = "Show the progress and end with the load." };
        Option<bool> pin = new("--pin") { Description = "Forbid the eviction of what is loaded." };
        Option<int?> parallelism = new("--parallelism") { Description = "Objects fetched at the same time, 1-256; 16 by default.", HelpName = "N" };
        Option<string?> follow = new("--follow") { Description = "Follow a load that runs already.", HelpName = "ID" };
        Option<string?> cancel = new("--cancel") { Description = "Stop a load; what it brought stays cached.", HelpName = "ID" };
        Option<bool> list = new("--list") { Description = "List the loads of the node." };
        Verb verb = new("load", "Brings everything below paths into the cache; objects cached already are skipped.", paths, wait, pin, parallelism, follow, cancel, list);
        verb.Validators.Add(result =>
        {
            bool hasPaths = result.GetValue(paths) is { Length: > 0 };
            int others = (result.GetValue(follow) is null ? 0 : 1) + (result.GetValue(cancel) is null ? 0 : 1) + (result.GetValue(list) ? 1 : 0);
            if ((hasPaths ? 1 : 0) + others != 1)
            {
                result.AddError("Give either paths to load, or one of --follow ID, --cancel ID, --list.");
            }
        });
        return verb
            .Does((session, parsed, token) => parsed switch
            {
                _ when parsed.GetValue(follow) is { } id => LoadVerb.FollowAsync(session, id, token),
                _ when parsed.GetValue(cancel) is { } id => LoadVerb.CancelAsync(session, id, token),
                _ when parsed.GetValue(list) => LoadVerb.ListAsync(session, token),
                _ => LoadVerb.StartAsync(
                    session,
                    new LoadBody { Paths = session.ToNamespace(parsed.GetValue(paths)!), Pin = parsed.GetValue(pin), Parallelism = parsed.GetValue(parallelism) },
                    parsed.GetValue(wait),
                    token),
            })
            .WithExamples("forebay load --wait /data/train/", "forebay load --pin /models/llm/", "forebay load --list");
    }

    private static Verb Free()
    {
        Argument<string[]> paths = Paths();
        Option<bool> pinnedToo = new("--pinned-too") { Description = "Drop pinned objects as well." };
        Option<bool> dryRun = new("--dry-run", "-n") { Description = "Only say what would be dropped." };
        return new Verb("free", "Drops cached bytes below paths; the source is not touched.", paths, pinnedToo, dryRun)
            .Does((session, parsed, token) => CacheVerbs.FreeAsync(
                session, session.ToNamespace(parsed.GetValue(paths)!), parsed.GetValue(pinnedToo), parsed.GetValue(dryRun), token))
            .WithExamples("forebay free --dry-run /data/old/", "forebay free /data/old/");
    }

    private static Verb Pin()
    {
        Argument<string[]> paths = new("PATH") { Description = PathHelp, Arity = ArgumentArity.ZeroOrMore };
        Option<bool> list = new("--list") { Description = "List what is pinned, below PATH if one is given." };
        Verb verb = new("pin", "Forbids the eviction of what is or will be cached below paths.", paths, list);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(paths) is not { Length: > 0 } && !result.GetValue(list))
            {
                result.AddError("Give paths to pin, or --list.");
            }
        });
        return verb
            .Does((session, parsed, token) => parsed.GetValue(list)
                ? CacheVerbs.ListPinsAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token)
                : CacheVerbs.PinAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token))
            .WithExamples("forebay pin /models/llm/", "forebay pin --list", "forebay pin --list /mnt/train");
    }

    private static Verb Unpin()
    {
        Argument<string[]> paths = Paths();
        return new Verb("unpin", "Takes back what was pinned at and below paths; what is cached there may be evicted again.", paths)
            .Does((session, parsed, token) => CacheVerbs.UnpinAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token))
            .WithExamples("forebay unpin /models/llm/");
    }

    private static Verb Refresh()
    {
        Argument<string[]> paths = Paths();
        return new Verb("refresh", "Forgets metadata below paths, so that a change at the source is seen at once.", paths)
            .Does((session, parsed, token) => CacheVerbs.RefreshAsync(session, session.ToNamespace(parsed.GetValue(paths)!), token))
            .WithExamples("forebay refresh /data/model.bin", "forebay refresh /data/");
    }

    private static Verb Status()
    {
        Argument<string?> directory = new("PATH") { Description = "A path in a mount, for the figures of its worker; else those of the node.", Arity = ArgumentArity.ZeroOrOne };
        return new Verb("status", "Shows mount points, tiers and their figures since the node started.", directory)
            .Does((session, _, token) => NamespaceVerbs.StatusAsync(session, token))
            .WithExamples("forebay status", "forebay status --output json", "forebay status /mnt/data");
    }

    private static Argument<string[]> Paths() => new("PATH") { Description = PathHelp, Arity = ArgumentArity.OneOrMore };

    /// <summary>A command with what all verbs share: address, output, credentials from the environment, Ctrl-C.</summary>
    private sealed class Verb : Command
    {
        private readonly Option<string> _admin = new("--admin")
        {
            Description = $"Admin address of the node, host:port or URL; else FOREBAY_ADMIN, else {AdminServerOptions.DefaultAddress}.",
            HelpName = "ADDR",
        };

        private readonly Option<OutputFormat> _output = OutputOption.Create();

        public Verb(string name, string description, params Symbol[] symbols)
            : base(name, description)
        {
            foreach (Symbol symbol in symbols)
            {
                if (symbol is Argument argument)
                {
                    Arguments.Add(argument);
                }
                else
                {
                    Options.Add((Option)symbol);
                }
            }

            Options.Add(_admin);
            Options.Add(_output);
        }

        public Verb Does(Func<VerbSession, ParseResult, CancellationToken, Task<int>> work)
        {
            SetAction(async (parsed, cancellationToken) =>
            {
                TextWriter error = parsed.InvocationConfiguration.Error;
                string? given = parsed.GetValue(_admin);
                MountedPaths? mounted = given is null ? MountedPaths.Find(PathsOf(parsed)) : null;
                string text = given ?? Environment.GetEnvironmentVariable("FOREBAY_ADMIN") ?? AdminServerOptions.DefaultAddress;
                if (AdminClient.ParseAddress(text) is not { } address)
                {
                    await error.WriteLineAsync($"forebay: '{text}' is not an admin address; write host:port or http://host:port.");
                    return ExitCode.Usage;
                }

                if (mounted?.Fault is { } fault)
                {
                    await error.WriteLineAsync($"forebay: {fault}");
                    return ExitCode.Usage;
                }

                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
                {
                    context.Cancel = true;
                    stop.Cancel();
                });
                using AdminClient client = mounted is not null ? AdminClient.OverSocket(mounted.Socket, TimeProvider.System) : new AdminClient(address, AdminCredentials.FromEnvironment(Environment.GetEnvironmentVariable), TimeProvider.System);
                var session = new VerbSession(
                    client,
                    parsed.InvocationConfiguration.Output,
                    error,
                    Json: parsed.GetValue(_output) == OutputFormat.Json,
                    Interactive: !Console.IsErrorRedirected,
                    TimeProvider.System)
                {
                    Mounted = mounted,
                };
                return await session.RunAsync(current => work(current, parsed, stop.Token));
            });
            return this;
        }

        private static IEnumerable<string> PathsOf(ParseResult parsed)
            => parsed.CommandResult.Children.OfType<ArgumentResult>().Where(result => result.Argument.Name is "PATH").SelectMany(result => result.Tokens).Select(token => token.Value);
    }
}
