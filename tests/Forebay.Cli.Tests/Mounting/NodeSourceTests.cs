using System.Net;
using Forebay.Admin;
using Forebay.Cli.Mounting;
using Forebay.Core;
using Forebay.Mounting.Options;

namespace Forebay.Cli.Tests.Mounting;

public sealed class NodeSourceTests
{
    private static readonly Dictionary<string, string> Keys = new(StringComparer.Ordinal) { [NodeSource.AccessKeyVariable] = "id", [NodeSource.SecretKeyVariable] = "secret" };

    [Theory]
    [InlineData("forebay://node:9001/name", "http://node:9001/", "name", "")]
    [InlineData("forebay://node/name/", "http://node:9001/", "name", "")]
    [InlineData("forebay://[::1]:7/name/a/b%20c/", "http://[::1]:7/", "name", "a/b%20c")]
    public void ItNamesANodeAMountPointAndAPrefix(string source, string admin, string name, string prefix)
    {
        NodeSource node = NodeSource.TryParse(source, out _)!;

        Assert.Equal((admin, name, prefix), (node.Admin.ToString(), node.Name, node.Prefix));
        Assert.Null(node.S3);
    }

    [Theory]
    [InlineData("forebay://")]
    [InlineData("forebay:///name")]
    [InlineData("forebay://node:9001")]
    [InlineData("forebay://node:9001/")]
    [InlineData("forebay://id:secret@node:9001/name")]
    [InlineData("forebay://node:port/name")]
    [InlineData("forebay://node:9001/name?endpoint=http://h")]
    [InlineData("forebay://node:9001/name?s3=file:///etc")]
    public void WhatNamesNoneIsRefusedWithTheForm(string source)
    {
        Assert.Null(NodeSource.TryParse(source, out string fault));

        Assert.Contains("forebay://HOST:PORT/NAME", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void AWorkerUnderstandsWhatTheNodeToldItsLauncher()
    {
        NodeSource asked = NodeSource.TryParse("forebay://node:9001/name/a%20b", out _)! with { S3 = "http://10.0.0.7:9000" };

        MountPlan plan = Plan(asked.ToArgument(), "", Keys);

        Assert.Equal(asked, plan.Node);
        Assert.Equal(("forebay://node:9001/name/a%20b", "name"), (plan.Source, plan.Name));
        Assert.Equal(("http://10.0.0.7:9000", true, "a b/"), (plan.Mount.Access.Endpoint, plan.Mount.Access.PathStyle, plan.Mount.Engine.Prefix));
        Assert.Equal(("id", "secret"), (plan.Mount.Access.AccessKeyId, plan.Mount.Access.SecretAccessKey!.Reveal()));
    }

    [Fact]
    public void WhatANodeOfThisMachineHasIsNotStoredAgainUnlessAskedFor()
    {
        Assert.Empty(Plan("forebay://127.0.0.1:9001/name?s3=http%3A%2F%2F127.0.0.1%3A9000", "", Keys).Engine.Tiers);
        Assert.Single(Plan("forebay://node:9001/name?s3=http%3A%2F%2F10.0.0.7%3A9000", "use_cache=/c", Keys).Engine.Tiers);
        Assert.Single(MountPlan.Make("forebay://127.0.0.1:9001/name?s3=http%3A%2F%2F127.0.0.1%3A9000", new MountOptions(), ["/c:1Gi"], Keys.GetValueOrDefault, out _)!.Engine.Tiers);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("anonymous", true)]
    [InlineData("passwd_file=/p", true)]
    public void AKeyPairOfTheNodeIsAskedFor(string options, bool isEnough)
    {
        MountPlan? plan = MountPlan.Make("forebay://node/name?s3=http%3A%2F%2Fnode%3A9000", MountOptionParser.Parse([options]).Options, ["none"], static _ => null, out IReadOnlyList<string> faults);

        Assert.Equal(isEnough, plan is not null);
        Assert.Equal(isEnough ? 0 : 1, faults.Count(fault => fault.Contains("FOREBAY_ACCESS_KEY_ID", StringComparison.Ordinal)));
    }

    [Fact]
    public void OptionsThatSayHowAStoreIsReachedAreRefused()
    {
        Assert.Null(MountPlan.Make("forebay://node/name?s3=http%3A%2F%2Fnode%3A9000", MountOptionParser.Parse(["url=http://h"]).Options, ["none"], Keys.GetValueOrDefault, out IReadOnlyList<string> faults));

        Assert.Contains("takes none of them", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANodeIsAskedWhereItsDataIs()
    {
        await using AdminServer server = await StartAsync("http://0.0.0.0:7777");

        NodeSource node = await Source(server).ResolveAsync(TimeProvider.System, CancellationToken.None);

        Assert.Equal("http://127.0.0.1:7777", node.S3);
        Assert.True(node.IsLocal);
    }

    [Fact]
    public async Task WhereNoNodeAnswersTheAddressIsToBeLookedAt()
    {
        ForebayException nobody = await Assert.ThrowsAsync<ForebayException>(() => NodeSource.TryParse("forebay://127.0.0.1:1/name", out _)!.ResolveAsync(TimeProvider.System, CancellationToken.None));
        await using AdminServer worker = await AdminServer.StartAsync(new AdminServerOptions { Node = new Serve.FakeNode(), Address = new IPEndPoint(IPAddress.Loopback, 0), AllowAnonymous = true }, CancellationToken.None);
        ForebayException other = await Assert.ThrowsAsync<ForebayException>(() => Source(worker).ResolveAsync(TimeProvider.System, CancellationToken.None));

        Assert.Contains("start it with 'forebay serve'", nobody.Message, StringComparison.Ordinal);
        Assert.Contains("is not the admin address of a node", other.Message, StringComparison.Ordinal);
    }

    private static NodeSource Source(AdminServer server) => NodeSource.TryParse($"forebay://{server.Address.Authority}/name", out _)!;

    private static Task<AdminServer> StartAsync(string s3) => AdminServer.StartAsync(
        new AdminServerOptions { Node = new Serve.FakeNode(), Address = new IPEndPoint(IPAddress.Loopback, 0), AllowAnonymous = true, Endpoints = () => new DataEndpoints("id", new Uri(s3), null) }, CancellationToken.None);

    private static MountPlan Plan(string source, string options, Dictionary<string, string> environment)
    {
        MountPlan? plan = MountPlan.Make(source, MountOptionParser.Parse([options]).Options, [], environment.GetValueOrDefault, out IReadOnlyList<string> faults);
        Assert.Empty(faults);
        return plan!;
    }
}
