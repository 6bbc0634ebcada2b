using System.CommandLine;
using System.Runtime.InteropServices;
using Forebay.Admin.Client;
using Forebay.Cli.Configuration;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Top;

/// <summary><c>forebay top</c>: what it takes.</summary>
internal static class TopCommand
{
    private const string UsualInterval = "2s";
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    public static Command Create()
    {
        Argument<string[]> directories = new("DIR") { Description = "Mount points to show; all of this user when none is given.", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> interval = new("--interval") { Description = $"Time between readings, such as 500ms or 5s; {UsualInterval} when not given.", HelpName = "TIME" };
        Option<bool> once = new("--once") { Description = "Show one interval and end." };
        Option<OutputFormat> format = OutputOption.Create();
        Command command = new("top", "Shows what the mounts of this user do: requests, times, bytes, memory.") { directories, interval, once, format };
        command.Validators.Add(result =>
        {
            if (!Duration.TryParse(result.GetValue(interval) ?? UsualInterval, out TimeSpan value) || value < Shortest || value > Longest)
            {
                result.AddError($"--interval takes a time from {Shortest.TotalMilliseconds:0}ms to {Longest.TotalHours:0}h, such as 2s.");
            }
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            _ = Duration.TryParse(parsed.GetValue(interval) ?? UsualInterval, out TimeSpan between);
            MountRegistry registry = new(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable));
            TimeProvider time = TimeProvider.System;
            InvocationConfiguration console = parsed.InvocationConfiguration;
            Func<int>? lines = Console.IsOutputRedirected ? null : static () => Console.WindowHeight;
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
            {
                context.Cancel = true;
                stop.Cancel();
            });
            using TopRunner runner = new(registry.List, mount => AdminClient.OverSocket(mount.ControlSocket, time), console.Output, console.Error, lines, time);
            return await runner.RunAsync(new TopRequest(parsed.GetValue(directories) ?? [], between, parsed.GetValue(once), parsed.GetValue(format) == OutputFormat.Json), stop.Token);
        });
        return command.WithExamples("forebay top", "forebay top /mnt/data --interval 5s", "forebay top --once --output json");
    }
}
