using Forebay.Cli.Mounting;

namespace Forebay.Cli.Tests.Mounting;

public sealed class MountArgumentTests
{
    [Fact]
    public void AnOptionMayBeAttachedToItsLetter()
    {
        Assert.Equal(["mount", "b", "/d", "-o", "umask=022", "-o", "ro"], MountArguments.Split(["mount", "b", "/d", "-oumask=022", "-o", "ro"]));
        Assert.Equal(["ls", "-oumask"], MountArguments.Split(["ls", "-oumask"]));
    }

    [Fact]
    public void WhatMountPassesToItsHelperIsUnderstood()
    {
        Assert.Equal(["mount", "s3://b", "/d", "--sloppy", "-o", "rw,_netdev"], MountArguments.FromHelper(["s3://b", "/d", "-sv", "-t", "fuse.forebay", "-o", "rw,_netdev"])!);
        Assert.Null(MountArguments.FromHelper(["s3://b", "/d", "-f"]));
        Assert.True(MountArguments.IsHelper("/sbin/mount.fuse.forebay"));
        Assert.False(MountArguments.IsHelper("/usr/bin/forebay"));
    }

    [Fact]
    public void ThePlainFormIsReadWithoutTheCommandLine()
    {
        MountRequest request = MountArguments.TryRead(["mount", "-o", "ro", "s3://b", "--cache", "/c:1Gi", "/d", "-f", "-o", "umask=022"])!;

        Assert.Equal(("s3://b", "/d", true, false), (request.Source, request.Directory, request.Foreground, request.Sloppy));
        Assert.Equal(["ro", "umask=022"], request.Options);
        Assert.Equal(["/c:1Gi"], request.Caches);
    }

    [Theory]
    [InlineData("mount", "s3://b")]
    [InlineData("mount", "a", "b", "c")]
    [InlineData("mount", "a", "b", "-o")]
    [InlineData("mount", "a", "b", "-o", "-f")]
    [InlineData("mount", "a", "b", "-f", "true")]
    [InlineData("mount", "a", "b", "--sloppy")]
    [InlineData("mount", "a", "b", "--cache=/c:1Gi")]
    [InlineData("mount", "a", "b", "--help")]
    [InlineData("mount", "a", "--", "b")]
    [InlineData("mount", "@file", "b")]
    [InlineData("mount", "", "b")]
    [InlineData("unmount", "a", "b")]
    public void EverythingElseIsLeftToTheCommandLine(params string[] arguments) => Assert.Null(MountArguments.TryRead(arguments));

    [Theory]
    [InlineData("mount")]
    [InlineData("mount", "s3://b")]
    [InlineData("mount", "--list", "s3://b", "/d")]
    [InlineData("mount", "--list", "--upgrade", "/d")]
    [InlineData("unmount")]
    public async Task HalfACommandIsRefused(params string[] arguments) => Assert.Equal(ExitCode.Usage, (await RunAsync(arguments)).Code);

    [Fact]
    public async Task AllFaultsOfAMountAreToldAtOnce()
    {
        (int code, string error) = await RunAsync("mount", "s3://b", "/d", "-oumsk=022", "-o", "uid=me,threads=0");

        Assert.Equal(ExitCode.Usage, code);
        Assert.Contains("did you mean \"umask\"?", error, StringComparison.Ordinal);
        Assert.Contains("uid needs", error, StringComparison.Ordinal);
        Assert.Contains("threads needs", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mount", "s3://b@c", "/tmp", "credentials")]
    [InlineData("mount", "s4://b", "/tmp", "s3")]
    [InlineData("mount", "s3://b?endpont=x", "/tmp", "endpoint")]
    public async Task ABadSourceIsRefusedBeforeAnythingStarts(string verb, string source, string directory, string part)
    {
        (int code, string error) = await RunAsync(verb, source, directory);

        Assert.Equal(ExitCode.Usage, code);
        Assert.Contains(part, error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        return (await CommandLine.RunAsync(MountArguments.Split(arguments), output, error), error.ToString());
    }
}
