using Forebay.Admin;
using Forebay.Admin.Client;
using Forebay.Admin.Tests;
using Forebay.Cli.Mounting;
using Forebay.FileSystem;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Mounting;

public sealed class AccessLogSwitchTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task TheSocketSwitchesItAndTheNextWorkerGoesOnAsToldNotAsMounted()
    {
        using AccessLog first = new(TimeProvider.System);
        MountAccessLog log = new(first, _directory["id.access"], _directory["usual"]);
        await using AdminServer server = await StartAsync(log);
        using AdminClient client = AdminClient.OverSocket(_directory["control"], TimeProvider.System);

        Assert.Equal(new AccessLogStatus(true, _directory["usual"], 0, 0), await client.SwitchAccessLogAsync(true, null, CancellationToken.None));
        Assert.Equal(_directory["usual"], Successor(option: null));
        Assert.Equal(_directory["other"], (await client.SwitchAccessLogAsync(true, _directory["other"], CancellationToken.None)).File);
        Assert.Equal(_directory["other"], (await client.SwitchAccessLogAsync(true, null, CancellationToken.None)).File);
        Assert.Equal(_directory["other"], Successor(option: _directory["asked at mount"]));
        Assert.False((await client.SwitchAccessLogAsync(false, null, CancellationToken.None)).On);
        Assert.False((await client.GetAccessLogAsync(CancellationToken.None)).On);
        Assert.Null(Successor(option: _directory["asked at mount"]));
    }

    [Fact]
    public async Task WhatCannotBeDoneIsToldAndChangesNothing()
    {
        using AccessLog first = new(TimeProvider.System);
        await using AdminServer server = await StartAsync(new MountAccessLog(first, _directory["id.access"], _directory["usual"]));
        using AdminClient client = AdminClient.OverSocket(_directory["control"], TimeProvider.System);

        AdminClientException refused = await Assert.ThrowsAsync<AdminClientException>(() => client.SwitchAccessLogAsync(true, _directory["missing/file"], CancellationToken.None));

        Assert.Equal("invalidArgument", refused.Kind);
        Assert.False(File.Exists(_directory["id.access"]));
        Assert.Equal(_directory["asked at mount"], Successor(option: _directory["asked at mount"]));
    }

    [Fact]
    public async Task ANodeWithoutMountHasNone()
    {
        await using AdminServer server = await StartAsync(log: null);
        using AdminClient client = AdminClient.OverSocket(_directory["control"], TimeProvider.System);

        Assert.Equal("notSupported", (await Assert.ThrowsAsync<AdminClientException>(() => client.GetAccessLogAsync(CancellationToken.None))).Kind);
    }

    [Theory]
    [InlineData("access-log")]
    [InlineData("access-log", "/mnt", "perhaps")]
    [InlineData("access-log", "/mnt", "off", "--file", "/tmp/x")]
    public async Task ABadCommandLineIsRefused(params string[] arguments)
        => Assert.Equal(ExitCode.Usage, await CommandLine.RunAsync(arguments, TextWriter.Null, TextWriter.Null));

    [Fact]
    public async Task ALinkStandsForTheDirectoryThatItLeadsTo()
    {
        Directory.CreateDirectory(_directory["mount"]);
        File.CreateSymbolicLink(_directory["link"], _directory["mount"]);
        using StringWriter error = new();

        Assert.Equal(ExitCode.NotFound, await CommandLine.RunAsync(["access-log", _directory["link"]], TextWriter.Null, error));
        Assert.Contains($"{_directory["mount"]} is no mount", error.ToString(), StringComparison.Ordinal);
    }

    private string? Successor(string? option)
    {
        using AccessLog next = new(TimeProvider.System);
        new MountAccessLog(next, _directory["id.access"], _directory["usual"]).Begin(option);
        return next.FilePath;
    }

    private Task<AdminServer> StartAsync(IAccessLogSwitch? log) => AdminServer.StartAsync(
        new AdminServerOptions { Node = new FakeNode(), SocketPath = _directory["control"], AllowAnonymous = true, AccessLog = log }, CancellationToken.None);
}
