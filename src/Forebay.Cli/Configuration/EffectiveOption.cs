using Forebay.Caching;

namespace Forebay.Cli.Configuration;

/// <summary>One option as a node has it, after file, environment, flags, presets and defaults.</summary>
/// <param name="Name">With its group: <c>mounts.data.metadata-ttl</c>.</param>
/// <param name="Value">As it would be written; null where nothing is given and nothing stands in.</param>
/// <param name="WhenNotGiven">In words what no value means.</param>
internal sealed record EffectiveOption(string Name, string? Value, string WhenNotGiven)
{
    /// <summary>All options in the order of docs/CONFIGURATION.md; secrets only tell that they are set.</summary>
    public static IReadOnlyList<EffectiveOption> Of(ForebayConfiguration configuration)
    {
        List<EffectiveOption> options = [];
        Add("", KnownOptions.Top, new TopConfiguration { Engine = configuration.Engine, Preset = configuration.Preset });
        foreach (MountConfiguration mount in configuration.Mounts)
        {
            Add($"mounts.{mount.Engine.Name}.", KnownOptions.Mount, mount);
        }

        foreach ((int i, TierOptions tier) in configuration.Engine.Tiers.Index())
        {
            Add($"cache[{i}].", KnownOptions.Tier, tier);
        }

        Add("s3.", KnownOptions.S3, configuration.S3);
        foreach ((int i, KeyConfiguration key) in configuration.Keys.Index())
        {
            Add($"keys[{i}].", KnownOptions.Key, key);
        }

        Add("admin.", KnownOptions.Admin, configuration.Admin);
        Add("fill.", KnownOptions.Fill, configuration.Engine.Fill);
        Add("limits.", KnownOptions.Limits, configuration.Engine.Limits);
        Add("log.", KnownOptions.Log, configuration.Log);
        return options;

        void Add<T>(string prefix, OptionTable<T> table, T record)
            => options.AddRange(table.Rows.Where(row => !row.IsFileOfSecret).Select(row => new EffectiveOption(prefix + row.Key, row.Show(record), row.Default.Replace("`", "", StringComparison.Ordinal))));
    }
}
