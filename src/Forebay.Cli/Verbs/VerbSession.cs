using Forebay.Admin.Client;
using Forebay.Cli.Mounting;

namespace Forebay.Cli.Verbs;

/// <summary>What a verb works with: a node and somewhere to print. Tests give their own writers.</summary>
/// <param name="Client">The node.</param>
/// <param name="Output">Results.</param>
/// <param name="Error">Errors and progress.</param>
/// <param name="Json">Results are JSON.</param>
/// <param name="Interactive">Progress may redraw its line.</param>
/// <param name="Time">Clock and timers.</param>
internal sealed record VerbSession(AdminClient Client, TextWriter Output, TextWriter Error, bool Json, bool Interactive, TimeProvider Time)
{
    /// <summary>The mount that the paths lie in; null when they are paths of the node's namespace.</summary>
    public MountedPaths? Mounted { get; init; }

    /// <summary>The path as the node knows it.</summary>
    public string ToNamespace(string path) => Mounted?.ToNamespace(path) ?? path;

    /// <summary>The paths as the node knows them.</summary>
    public string[] ToNamespace(string[] paths) => [.. paths.Select(ToNamespace)];

    /// <summary>Runs a verb and turns what it throws into a sentence with the next step and an exit code.</summary>
    public async Task<int> RunAsync(Func<VerbSession, Task<int>> verb)
    {
        try
        {
            return await verb(this);
        }
        catch (AdminClientException error)
        {
            Report(error);
            return VerbExitCode.Of(error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            await Error.WriteLineAsync($"forebay: {error.Message}");
            return ExitCode.Failure;
        }
        catch (OperationCanceledException)
        {
            await Error.WriteLineAsync("forebay: stopped.");
            return VerbExitCode.Interrupted;
        }
    }

    /// <summary>Runs one action for each path; what fails is reported and the rest still done.</summary>
    public async Task<int> ForEachAsync(IReadOnlyList<string> paths, Func<string, Task> action)
    {
        int firstFailure = ExitCode.Success;
        int failures = 0;
        foreach (string path in paths)
        {
            try
            {
                await action(path);
            }
            catch (AdminClientException error) when (!error.IsUnreachable)
            {
                Report(error);
                failures++;
                firstFailure = firstFailure == ExitCode.Success ? VerbExitCode.Of(error) : firstFailure;
            }
        }

        return failures > 0 && failures < paths.Count ? ExitCode.Partial : firstFailure;
    }

    /// <summary>Prints an error and what to do about it; a next step given here stands in for the usual one.</summary>
    public void Report(AdminClientException error, string? nextStep = null)
    {
        string request = error.RequestId is null ? "" : $" (request {error.RequestId})";
        Error.WriteLine($"forebay: {error.Message}{request}");
        if ((nextStep ?? NextStep(error.Kind)) is { } next)
        {
            Error.WriteLine($"  {next}");
        }
    }

    private static string? NextStep(string kind) => kind switch
    {
        "notFound" => "See what there is with 'forebay ls /'; after a change at the source run 'forebay refresh PATH'.",
        "unauthenticated" => "Set FOREBAY_ADMIN_TOKEN, or FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY, to those of the node.",
        "throttled" or "timeout" or "unavailable" => "Try again later; 'forebay status' shows the last error of each source.",
        _ => null,
    };
}

/// <summary>Exit codes that only client verbs have; the others are in <see cref="ExitCode"/>.</summary>
internal static class VerbExitCode
{
    /// <summary>No node answers at the address.</summary>
    public const int Unreachable = 6;

    /// <summary>Ended by Ctrl-C, as shells have it.</summary>
    public const int Interrupted = 130;

    /// <summary>Exit code of an error.</summary>
    public static int Of(AdminClientException error) => error.Kind switch
    {
        AdminClientException.Unreachable => Unreachable,
        "notFound" => ExitCode.NotFound,
        "invalidArgument" => ExitCode.Usage,
        _ => ExitCode.Failure,
    };
}
