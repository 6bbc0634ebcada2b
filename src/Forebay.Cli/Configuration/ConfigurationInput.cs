namespace Forebay.Cli.Configuration;

/// <summary>Where a configuration comes from. What stands lower overrides what stands higher: file, environment, flags.</summary>
internal sealed record ConfigurationInput
{
    /// <summary>The file, null for none.</summary>
    public string? File { get; init; }

    /// <summary>Looks up an environment variable.</summary>
    public Func<string, string?> Environment { get; init; } = static _ => null;

    /// <summary>Names of all environment variables, in which those that were meant to be ours are looked for.</summary>
    public IReadOnlyCollection<string> EnvironmentNames { get; init; } = [];

    /// <summary>Values of <c>--mount</c>.</summary>
    public IReadOnlyList<string> MountFlags { get; init; } = [];

    /// <summary>Values of <c>--cache</c>.</summary>
    public IReadOnlyList<string> CacheFlags { get; init; } = [];

    /// <summary>Value of <c>--preset</c>.</summary>
    public string? PresetFlag { get; init; }

    /// <summary>Value of <c>--s3</c>.</summary>
    public string? S3Flag { get; init; }

    /// <summary>Value of <c>--admin</c>.</summary>
    public string? AdminFlag { get; init; }

    /// <summary>What relative paths outside of the file are relative to.</summary>
    public string WorkingDirectory { get; init; } = Directory.GetCurrentDirectory();

    /// <summary>Asks the room of the under-stores whether a source can be used; gives the fault, or null.</summary>
    public Func<MountConfiguration, string?> CheckSource { get; init; } = static _ => null;

    /// <summary>Size and free bytes of the disk that holds a path.</summary>
    public Func<string, (long Size, long Free)> DiskSpace { get; init; } = DefaultCache.DiskSpaceOf;
}

/// <summary>What loading a configuration came to.</summary>
/// <param name="Configuration">Null exactly when there are faults.</param>
/// <param name="Faults">Everything that is wrong.</param>
/// <param name="Warnings">What does not stop the node but should be known.</param>
internal sealed record ConfigurationResult(ForebayConfiguration? Configuration, IReadOnlyList<Fault> Faults, IReadOnlyList<Fault> Warnings);
