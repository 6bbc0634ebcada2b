using System.Collections;

namespace Forebay.Mounting;

/// <summary>What the processes of a mount see of the environment. A holder gets what a process needs to run, and no secret; a worker also what reaches the source.</summary>
public static class MountEnvironment
{
    private static readonly string[] Names =
    [
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "FOREBAY_RUNTIME_DIR", "LD_LIBRARY_PATH",
        "DOTNET_ROOT", "DOTNET_BUNDLE_EXTRACT_BASE_DIR", "DOTNET_gcServer", "DOTNET_TieredCompilation", "DOTNET_TieredPGO",
    ];

    private static readonly string[] WorkerPrefixes = ["AWS_", "FOREBAY_", "XDG_", "SSL_CERT_", "LC_"];

    /// <summary>The environment of a worker, as <c>NAME=value</c>.</summary>
    /// <param name="instead">Takes the place of what has the same name; null takes a name away.</param>
    public static IReadOnlyList<string> ForWorker(IReadOnlyDictionary<string, string?> instead)
    {
        ArgumentNullException.ThrowIfNull(instead);
        List<string> variables = [];
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            string name = (string)entry.Key;
            if (!instead.ContainsKey(name) && (Names.Contains(name, StringComparer.Ordinal) || WorkerPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))))
            {
                variables.Add($"{name}={entry.Value}");
            }
        }

        variables.AddRange(instead.Where(pair => pair.Value is not null).Select(pair => $"{pair.Key}={pair.Value}"));
        return variables;
    }

    /// <summary>The environment of a holder.</summary>
    internal static IReadOnlyList<string> ForHolder()
        => [.. Names.Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name))).Where(pair => pair.Value is not null).Select(pair => $"{pair.Name}={pair.Value}")];
}
