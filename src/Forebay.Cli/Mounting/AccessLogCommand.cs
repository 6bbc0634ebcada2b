using System.CommandLine;
using System.Text.Json;
using Forebay.Admin;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Cli.Verbs;
using Forebay.Fuse;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary><c>forebay access-log</c>: what it takes, and its work.</summary>
internal static class AccessLogCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        Argument<string> directory = new("DIR") { Description = "A mount of this user." };
        Argument<string?> state = new("on|off") { Description = "What to do; without it the state is shown.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> file = new("--file") { Description = "File to write to; one in the runtime directory when not given.", HelpName = "FILE" };
        Option<OutputFormat> format = OutputOption.Create();
        state.AcceptOnlyFromAmong("on", "off");
        Command command = new("access-log", "Switches the log of each request to a mount on or off, while it is mounted.") { directory, state, file, format };
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is not null && result.GetValue(state) is not "on")
            {
                result.AddError("--file goes with on.");
            }
        });
        command.SetAction((parsed, cancellationToken) =>
        {
            bool? on = parsed.GetValue(state) is { } word ? word is "on" : null;
            InvocationConfiguration console = parsed.InvocationConfiguration;
            return RunAsync(
                new MountRegistry(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable)), parsed.GetValue(directory)!, on, parsed.GetValue(file), parsed.GetValue(format), console.Output, console.Error, cancellationToken);
        });
        return command.WithExamples("forebay access-log /mnt/data on", "forebay access-log /mnt/data on --file /var/log/forebay-data.log", "forebay access-log /mnt/data off", "forebay access-log /mnt/data");
    }

    private static async Task<int> RunAsync(
        MountRegistry registry, string directory, bool? on, string? file, OutputFormat format, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        string path = FuseMount.Resolve(directory);
        if (registry.Find(path) is not { } mount)
        {
            await error.WriteLineAsync($"forebay: {HumanText.Safe(path)} is no mount of this user; 'forebay mount --list' shows them.");
            return ExitCode.NotFound;
        }

        using AdminClient client = AdminClient.OverSocket(mount.ControlSocket, TimeProvider.System);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            AccessLogStatus status = on is { } wanted
                ? await client.SwitchAccessLogAsync(wanted, file is null ? null : Path.GetFullPath(file), patience.Token)
                : await client.GetAccessLogAsync(patience.Token);
            await output.WriteLineAsync(format == OutputFormat.Json ? JsonSerializer.Serialize(status, AdminJson.Default.AccessLogStatus) : Text(path, status));
            return ExitCode.Success;
        }
        catch (AdminClientException e)
        {
            await error.WriteLineAsync($"forebay: {e.Message}");
            return VerbExitCode.Of(e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            await error.WriteLineAsync($"forebay: the worker of {HumanText.Safe(path)} (process {mount.WorkerPid}) does not answer; 'forebay doctor' tells more.");
            return VerbExitCode.Unreachable;
        }
    }

    private static string Text(string directory, AccessLogStatus status)
        => status.On
            ? $"The access log of {HumanText.Safe(directory)} is on: {HumanText.Safe(status.File!)}. {HumanText.Count(status.Lines, "line")} by this worker, {HumanText.Count(status.Dropped)} dropped."
            : $"The access log of {HumanText.Safe(directory)} is off.";
}
