using System.CommandLine;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Serve;

/// <summary>The flags that say what a node is told; <c>serve</c> and <c>config</c> take the same.</summary>
internal sealed class ConfigurationFlags
{
    private readonly Option<string?> _config = new("--config", "-c")
    {
        Description = "Configuration file (FOREBAY_CONFIG when not given). Environment variables override it, flags override both.",
        HelpName = "FILE",
    };

    private readonly Option<string[]> _mounts = Repeated("--mount", "NAME=URL", $"Mount point: {SourceUrl.Form}. May be repeated.");

    private readonly Option<string[]> _caches = Repeated(
        "--cache", "DIR:QUOTA[:MEM|SSD|HDD]", "Cache directory with a bound such as 100Gi, or \"none\"; replaces those of the file. May be repeated.");

    private readonly Option<string?> _preset = new("--preset")
    {
        Description = $"Ready-made options for mount points that name none of their own: {string.Join(", ", Preset.All.Select(preset => preset.Name))}.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _s3 = new("--s3") { Description = "Address of the S3 endpoint (default 127.0.0.1:9000).", HelpName = "ADDR" };

    private readonly Option<string?> _admin = new("--admin") { Description = "Address of the admin API, metrics and health (default 127.0.0.1:9001).", HelpName = "ADDR" };

    /// <summary>Makes a command take them.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _config, _mounts, _caches, _preset, _s3, _admin })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What a command line and the environment of this process say.</summary>
    public ConfigurationInput Read(ParseResult parsed) => new()
    {
        File = parsed.GetValue(_config) ?? NullIfEmpty(Environment.GetEnvironmentVariable("FOREBAY_CONFIG")),
        Environment = Environment.GetEnvironmentVariable,
        EnvironmentNames = [.. Environment.GetEnvironmentVariables().Keys.Cast<string>()],
        MountFlags = parsed.GetValue(_mounts) ?? [],
        CacheFlags = parsed.GetValue(_caches) ?? [],
        PresetFlag = parsed.GetValue(_preset),
        S3Flag = parsed.GetValue(_s3),
        AdminFlag = parsed.GetValue(_admin),
        CheckSource = CompositionRoot.CheckSource,
    };

    private static Option<string[]> Repeated(string name, string value, string description)
        => new(name) { Description = description, HelpName = value, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
