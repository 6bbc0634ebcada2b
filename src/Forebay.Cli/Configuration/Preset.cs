namespace Forebay.Cli.Configuration;

/// <summary>A ready-made set of options of a mount point; what is given explicitly overrides it.</summary>
/// <param name="Name">As it is written.</param>
/// <param name="Meaning">What it is for, one sentence.</param>
/// <param name="Values">Options and their values, as in the file.</param>
internal sealed record Preset(string Name, string Meaning, params (string Key, string Value)[] Values)
{
    /// <summary>All of them: the one list that the loader and docs/CONFIGURATION.md share.</summary>
    public static IReadOnlyList<Preset> All { get; } =
    [
        new(
            "training",
            "Data sets that are read in epochs and replaced between runs: few questions to the source while a run lasts.",
            ("metadata-ttl", "30m"),
            ("negative-ttl", "1m"),
            ("max-cached-stats", "500000")),
        new(
            "inference",
            "Models that many replicas load, sometimes seconds after they were written: changes are seen soon, an outage of the source is survived.",
            ("metadata-ttl", "10s"),
            ("negative-ttl", "1s"),
            ("serve-stale-on-error", "true")),
        new(
            "archive",
            "What is never overwritten and rarely read again: nothing is asked twice, and bytes leave the cache when a week has passed without a reader.",
            ("immutable", "true"),
            ("metadata-ttl", "1d"),
            ("negative-ttl", "1m"),
            ("cache-ttl", "7d")),
    ];

    /// <summary>The preset of a name, or null.</summary>
    public static Preset? Find(string name) => All.FirstOrDefault(preset => string.Equals(preset.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The row in docs/CONFIGURATION.md.</summary>
    public string ToMarkdown() => $"| `{Name}` | {string.Join(", ", Values.Select(pair => $"`{pair.Key}: {pair.Value}`"))} | {Meaning} |";
}
