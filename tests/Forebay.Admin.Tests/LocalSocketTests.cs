using Forebay.Admin.Client;
using Forebay.Testing;
using Xunit;

namespace Forebay.Admin.Tests;

/// <summary>The admin API on a local socket, as the workers of mounts have it.</summary>
public sealed class LocalSocketTests
{
    [Fact]
    public async Task TheOwnerOfTheSocketIsAnsweredWithoutCredentials()
    {
        using TempDirectory directory = new();
        string path = directory["control"];
        await File.WriteAllTextAsync(path, "left behind by one that was killed");
        await using AdminServer server = await AdminServer.StartAsync(new AdminServerOptions { Node = new FakeNode(), SocketPath = path, AllowAnonymous = true }, CancellationToken.None);
        using AdminClient client = AdminClient.OverSocket(path, TimeProvider.System);

        Assert.NotEqual("", (await client.GetVersionAsync(CancellationToken.None)).Version);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public async Task ASocketThatIsMadeAMomentLaterIsWaitedFor()
    {
        using TempDirectory directory = new();
        string path = directory["control"];
        using AdminClient client = AdminClient.OverSocket(path, TimeProvider.System);

        Task<Api.VersionInfo> asking = client.GetVersionAsync(CancellationToken.None);
        await using AdminServer server = await AdminServer.StartAsync(new AdminServerOptions { Node = new FakeNode(), SocketPath = path, AllowAnonymous = true }, CancellationToken.None);

        Assert.NotEqual("", (await asking).Version);
    }

    [Fact]
    public async Task AWorkerThatDoesNotAnswerIsNamed()
    {
        using TempDirectory directory = new();
        using AdminClient client = AdminClient.OverSocket(directory["control"], TimeProvider.System);

        AdminClientException error = await Assert.ThrowsAsync<AdminClientException>(() => client.GetVersionAsync(CancellationToken.None));

        Assert.True(error.IsUnreachable);
        Assert.Contains("mount --list", error.Message, StringComparison.Ordinal);
    }
}
