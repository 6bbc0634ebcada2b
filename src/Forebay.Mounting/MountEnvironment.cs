using System.Collections;

namespace Forebay.Mounting;

/// <summary>What the processes of a mount see of the environment. A holder gets what a process needs to run, and no secret; a worker also what reaches the source.</summary>
public static class MountEnvironment
{
    private static readonly string[] Names =
    [
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "FOREBAY_RUNTIME_DIR", "LD_LIBRARY_PATH",
    ];

    private static readonly string[] HolderPrefixes = ["DOTNET_"];
    private static readonly string[] WorkerPrefixes = [.. HolderPrefixes, "AWS_", "FOREBAY_", "XDG_", "SSL_CERT_", "LC_"];

    /// <summary>
    /// How the runtime is set, unless the environment says otherwise. Every start of such a process is somebody's wait: compiled code mapped twice, once to
    /// write and once to run, is a third of it; and measuring code before it is compiled well is most of the compiler's work in the first minute.
    /// Threads of the pool ask for work before they sleep (70 times, 46 hexadecimal, as the runtime has it): a mount whose threads do not fills slower
    /// (docs/BENCHMARKS.md, P3). A node's do not. The runtime's own port for debuggers is three files below TMPDIR that a killed process leaves behind, and these are
    /// made to be killed.
    /// </summary>
    private static readonly (string Name, string Value)[] Runtime =
    [
        ("DOTNET_EnableWriteXorExecute", "0"),
        ("DOTNET_TieredPGO", "0"),
        ("DOTNET_EnableDiagnostics", "0"),
        ("DOTNET_ThreadPool_UnfairSemaphoreSpinLimit", "46"),
    ];

    /// <summary>The environment of a worker, as <c>NAME=value</c>.</summary>
    /// <param name="instead">Takes the place of what has the same name; null takes a name away.</param>
    public static IReadOnlyList<string> ForWorker(IReadOnlyDictionary<string, string?> instead)
    {
        ArgumentNullException.ThrowIfNull(instead);
        List<string> variables = Own(WorkerPrefixes, instead);
        foreach ((string name, string? value) in instead)
        {
            if (value is not null)
            {
                variables.Add($"{name}={value}");
            }
        }

        return variables;
    }

    /// <summary>The environment of a holder.</summary>
    internal static IReadOnlyList<string> ForHolder() => Own(HolderPrefixes, new Dictionary<string, string?>(StringComparer.Ordinal));

    private static List<string> Own(string[] prefixes, IReadOnlyDictionary<string, string?> without)
    {
        List<string> variables = [];
        foreach ((string name, string value) in Runtime)
        {
            if (!without.ContainsKey(name) && Environment.GetEnvironmentVariable(name) is null)
            {
                variables.Add($"{name}={value}");
            }
        }

        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            string name = (string)entry.Key;
            if (!without.ContainsKey(name) && (Array.IndexOf(Names, name) >= 0 || Array.Exists(prefixes, prefix => name.StartsWith(prefix, StringComparison.Ordinal))))
            {
                variables.Add($"{name}={entry.Value}");
            }
        }

        return variables;
    }
}
