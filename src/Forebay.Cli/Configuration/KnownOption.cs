namespace Forebay.Cli.Configuration;

/// <summary>One option of a group: how it is written, bounded, described and bound. Rows of these are the binder and the documentation at once.</summary>
/// <typeparam name="T">The record that holds the group.</typeparam>
/// <param name="Key">Name in the file; in the environment it is upper case with <c>_</c>.</param>
/// <param name="Bound">What it may be.</param>
/// <param name="Default">What it is when not given.</param>
/// <param name="Meaning">One sentence.</param>
/// <param name="Show">The value a record holds, as it would be written; null for none. A secret is never shown.</param>
/// <param name="Apply">Reads a setting into the record; on a fault it reports and returns the record as it was.</param>
internal sealed record KnownOption<T>(string Key, string Bound, string Default, string Meaning, Func<T, string?> Show, Func<T, Setting, Faults, T> Apply)
{
    /// <summary>True for the way of giving a secret by a file: what it gives is the other option's.</summary>
    public bool IsFileOfSecret { get; init; }

    /// <summary>The row of this option in docs/CONFIGURATION.md.</summary>
    public string ToMarkdown() => $"| `{Key}` | {Default} | {Bound} | {Meaning} |";

    /// <summary>How the option is called in the environment.</summary>
    public string ToEnvironmentName(string prefix) => EnvironmentName.From($"{prefix}_{Key}");
}

/// <summary>Names of environment variables.</summary>
internal static class EnvironmentName
{
    /// <summary>Upper case, and everything that is not a letter or digit becomes <c>_</c>.</summary>
    public static string From(string name) => string.Create(name.Length, name, static (span, from) =>
    {
        for (int i = 0; i < span.Length; i++)
        {
            span[i] = char.IsAsciiLetterOrDigit(from[i]) ? char.ToUpperInvariant(from[i]) : '_';
        }
    });
}
