using Forebay.Cli.Configuration;

namespace Forebay.Cli.Tests.Configuration;

/// <summary>Loads configurations from text, with an environment that holds only what a test puts there.</summary>
internal sealed class Loading : IDisposable
{
    private readonly Dictionary<string, string> _environment = new(StringComparer.Ordinal) { ["HOME"] = "/home/somebody" };

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("forebay-config-").FullName;

    public ConfigurationInput Input { get; set; } = new();

    public Loading Yaml(string text)
    {
        File.WriteAllText(Path.Combine(Directory, "forebay.yaml"), text);
        File.SetUnixFileMode(Path.Combine(Directory, "forebay.yaml"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Input = Input with { File = "forebay.yaml" };
        return this;
    }

    public Loading Variable(string name, string value)
    {
        _environment[name] = value;
        return this;
    }

    public Loading Flags(string[]? mounts = null, string[]? caches = null, string? s3 = null, string? admin = null)
    {
        Input = Input with { MountFlags = mounts ?? [], CacheFlags = caches ?? [], S3Flag = s3, AdminFlag = admin };
        return this;
    }

    public ConfigurationResult Load() => ConfigurationLoader.Load(Input with
    {
        Environment = name => _environment.GetValueOrDefault(name),
        EnvironmentNames = _environment.Keys,
        WorkingDirectory = Directory,
        DiskSpace = Input.DiskSpace == DefaultCache.DiskSpaceOf ? _ => (1L << 40, 1L << 39) : Input.DiskSpace,
    });

    public ForebayConfiguration Good()
    {
        ConfigurationResult result = Load();
        Assert.Empty(result.Faults);
        return result.Configuration!;
    }

    /// <summary>All faults, one a line.</summary>
    public string Bad()
    {
        ConfigurationResult result = Load();
        Assert.Null(result.Configuration);
        return string.Join('\n', result.Faults);
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
