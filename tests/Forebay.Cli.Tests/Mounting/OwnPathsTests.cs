using Forebay.Cli.Mounting;
using Forebay.Core;
using Forebay.Mounting;
using Forebay.Mounting.Options;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Mounting;

/// <summary>A mount must not use what lies in it: it would wait for itself.</summary>
public sealed class OwnPathsTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public OwnPathsTests()
    {
        Directory.CreateDirectory(_directory["mount"]);
        Directory.CreateDirectory(_directory["source"]);
        File.CreateSymbolicLink(_directory["link"], _directory["mount"]);
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("source", "mount", null, null)]
    [InlineData("mount-too", "mount", "cache", "log")]
    public void PathsBesideTheMountAreTaken(string source, string mount, string? cache, string? log) => Check(source, mount, cache, log, "run");

    [Theory]
    [InlineData("mount", "mount", null, null, "run", "source")]
    [InlineData("mount/below", "mount", null, null, "run", "source")]
    [InlineData("link", "mount", null, null, "run", "source")]
    [InlineData("source", "source/mount", null, null, "run", "lies in its own source")]
    [InlineData("source", "mount", "mount/cache", null, "run", "cache directory")]
    [InlineData("source", "mount", "link/cache/deep", null, "run", "cache directory")]
    [InlineData("source", "mount", null, "mount/log", "run", "access_log")]
    [InlineData("source", "mount", null, null, "mount/run", "runtime directory")]
    public void PathsInTheMountAreRefused(string source, string mount, string? cache, string? log, string runtime, string part)
    {
        ForebayException refused = Assert.Throws<ForebayException>(() => Check(source, mount, cache, log, runtime));

        Assert.Equal(ErrorKind.InvalidArgument, refused.Kind);
        Assert.Contains(part, refused.Message, StringComparison.Ordinal);
    }

    private void Check(string source, string mount, string? cache, string? log, string runtime)
    {
        MountOptions options = MountOptionParser.Parse(log is null ? [] : [$"access_log={_directory[log]}"], ignoreUnknown: false).Options;
        string[] caches = [cache is null ? "none" : $"{_directory[cache]}:64Mi:SSD"];
        MountPlan? plan = MountPlan.Make($"file://{_directory[source]}", options, caches, _ => null, out IReadOnlyList<string> faults);
        Assert.True(plan is not null, string.Join(' ', faults));
        OwnPaths.Check(plan, new MountDescription
        {
            Source = plan.Source,
            SourceArgument = plan.Source,
            Name = plan.Name,
            Directory = _directory[mount],
            Executable = "/usr/bin/forebay",
            RegionBytes = 4096,
            RuntimeDirectory = _directory[runtime],
        });
    }
}
