using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Serve;

/// <summary>The work of <c>forebay serve</c>: load, start, say where, wait for a signal, drain.</summary>
internal static class ServeRunner
{
    /// <summary>Runs a node until a signal; gives the exit code.</summary>
    public static async Task<int> RunAsync(ConfigurationInput input, ComposeNode compose, TextWriter output, TextWriter error)
    {
        using TerminationSignals signals = TerminationSignals.Listen();
        return await RunAsync(input, compose, signals, TimeProvider.System, output, error);
    }

    /// <summary>As above, with signals and clock of the caller's.</summary>
    public static async Task<int> RunAsync(
        ConfigurationInput input, ComposeNode compose, TerminationSignals signals, TimeProvider time, TextWriter output, TextWriter error)
    {
        ConfigurationResult loaded = ConfigurationLoader.Load(input);
        Report(loaded, error);
        if (loaded.Configuration is not { } configuration)
        {
            return ExitCode.Usage;
        }

        (configuration, KeyConfiguration? generated) = GeneratedKey.AddTo(configuration);
        NodeHost host;
        try
        {
            host = await NodeHost.StartAsync(new NodePlan(configuration, new Readiness(), time), compose, signals.Requested);
        }
        catch (ForebayException e)
        {
            error.WriteLine($"forebay: {e.Message}");
            return ExitCode.Environment;
        }
        catch (OperationCanceledException) when (signals.Requested.IsCancellationRequested)
        {
            return ExitCode.Success;
        }

        await using (host)
        {
            ServeBanner.Write(output, configuration, host.Edges, generated);
            await WaitAsync(signals.Requested);
            output.WriteLine("draining…");
            await host.DrainAsync();
        }

        return ExitCode.Success;
    }

    /// <summary>Completes when the token is cancelled.</summary>
    public static async Task WaitAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration = cancellationToken.Register(ended.SetResult);
        await ended.Task;
    }

    /// <summary>Prints warnings and faults, each with its place.</summary>
    public static void Report(ConfigurationResult loaded, TextWriter error)
    {
        foreach (Fault warning in loaded.Warnings)
        {
            error.WriteLine($"warning: {warning}");
        }

        foreach (Fault fault in loaded.Faults)
        {
            error.WriteLine(fault);
        }

        if (loaded.Faults.Count > 0)
        {
            error.WriteLine(loaded.Faults.Count == 1 ? "forebay: 1 fault in the configuration; nothing was started." : $"forebay: {loaded.Faults.Count} faults in the configuration; nothing was started.");
        }
    }
}
