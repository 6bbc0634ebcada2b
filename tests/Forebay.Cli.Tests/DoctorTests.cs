using Forebay.Cli.Doctor;
using Forebay.Fuse;
using Forebay.Mounting.Registry;
using Forebay.Testing;

namespace Forebay.Cli.Tests;

public sealed class DoctorTests
{
    private static readonly MachineFacts Sound = new()
    {
        KernelRelease = "6.12.3-amd64", FuseDevice = Usability.Usable, HasFusermount = true, IsRoot = true, HasAdminCapability = true, FuseConfiguration = "", OpenFilesLimit = 1 << 20,
        Mounts = MountEntry.Parse("1 0 8:1 / / rw - overlay overlay rw\n2 1 8:2 / /mnt/nvme rw - ext4 /dev/nvme0n1 rw\n"),
    };

    [Fact]
    public void ASoundMachineHasNothingToMend() => Assert.All(MachineChecks.Of(Sound), finding => Assert.Equal((FindingState.Ok, null), (finding.State, finding.Remedy)));

    [Theory]
    [InlineData("5.3.0", FindingState.Fail, FindingState.Warn)]
    [InlineData("6.8.0-45-generic", FindingState.Warn, FindingState.Warn)]
    [InlineData("6.9", FindingState.Ok, FindingState.Ok)]
    [InlineData("6.10-rc1", FindingState.Ok, FindingState.Ok)]
    [InlineData("what", FindingState.Warn, FindingState.Warn)]
    public void TheKernelDecidesWhichGuaranteesHold(string release, object kernel, object passthrough)
    {
        Finding[] findings = [.. MachineChecks.Of(Sound with { KernelRelease = release })];

        Assert.Equal((kernel, passthrough), (findings.Single(finding => finding.Check is "kernel").State, findings.Single(finding => finding.Check is "passthrough").State));
    }

    [Fact]
    public void WhatAnOrdinaryUserLacksIsToldWithTheRemedy()
    {
        Finding[] findings = [.. MachineChecks.Of(Sound with { IsRoot = false, HasAdminCapability = false, HasFusermount = false, FuseDevice = Usability.Missing, OpenFilesLimit = 256, FuseConfiguration = "#user_allow_other\n" })];

        Assert.Equal(["fuse-device", "fusermount3"], findings.Where(finding => finding.State == FindingState.Fail).Select(finding => finding.Check));
        Assert.Equal(["passthrough", "allow-other", "open-files"], findings.Where(finding => finding.State == FindingState.Warn).Select(finding => finding.Check));
        Assert.All(findings.Where(finding => finding.State != FindingState.Ok), finding => Assert.NotNull(finding.Remedy));
        Assert.Equal(FindingState.Ok, MachineChecks.Of(Sound with { IsRoot = false, FuseConfiguration = "# x\nuser_allow_other\n" }).Single(finding => finding.Check is "allow-other").State);
    }

    [Theory]
    [InlineData("/var/cache/forebay", 100, FindingState.Warn, "overlayfs")]
    [InlineData("/mnt/nvme2/cache", 100, FindingState.Warn, "overlayfs")]
    [InlineData("/mnt/nvme/cache", 4, FindingState.Warn, "nearly full")]
    [InlineData("/mnt/nvme/cache", 6, FindingState.Ok, "ext4")]
    public void ACacheDirectoryIsJudgedByTheDiskItIsOn(string directory, long free, object state, string part)
    {
        Finding finding = MachineChecks.Cache(directory, Sound.Mounts, size: 100, free);

        Assert.Equal(state, finding.State);
        Assert.Contains(part, finding.What, StringComparison.Ordinal);
    }

    [Fact]
    public void TheKernelsTextsAreUnderstood()
    {
        Assert.Equal(0x1ffUL, MachineFacts.CapabilitiesOf("Name:\tx\nCapEff:\t00000000000001ff\n"));
        Assert.Equal(4096, MachineFacts.OpenFilesOf("Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n"));
        Assert.Equal(long.MaxValue, MachineFacts.OpenFilesOf("Max open files            1024                 unlimited            files\n"));
        Assert.Equal(MountAnswer.Answers, MountChecks.Probe("/"));
    }

    [Fact]
    public async Task DeadMountsAndLeftoversOfKilledOnesAreFound()
    {
        using TempDirectory directory = new();
        MountRegistry registry = new(directory["run"]);
        registry.EnsureDirectory();
        registry.Put(new RegisteredMount("s3://b", "/mnt/gone", 0, 0, Passthrough: false) { Id = "gone" });
        IReadOnlyList<MountEntry> mounts = MountEntry.Parse("5 1 0:40 / /mnt/dead rw - fuse.forebay s3://b rw\n6 1 0:41 / /mnt/others rw - fuse.forebay s3://c rw\n7 1 0:42 / /mnt/x rw - fuse.sshfs h rw\n");

        IReadOnlyList<Finding> findings = await new MountChecks(registry, path => path is "/mnt/dead" ? MountAnswer.NotConnected : MountAnswer.Answers, TimeProvider.System).RunAsync(mounts, CancellationToken.None);

        Assert.Equal([("registry", FindingState.Warn), ("mount", FindingState.Fail), ("mount", FindingState.Ok)], findings.Select(finding => (finding.Check, finding.State)));
        Assert.Equal("Run 'forebay unmount --lazy /mnt/dead', then mount again.", findings[1].Remedy);
    }

    [Fact]
    public void SomethingThatFailsEndsWithOneAndTheJsonHasStableNames()
    {
        using StringWriter output = new();

        int code = DoctorRunner.Print([new Finding("kernel", FindingState.Warn, "Old.", "Newer."), new Finding("mount", FindingState.Fail, "Dead.")], OutputFormat.Json, output);

        Assert.Equal(ExitCode.Failure, code);
        Assert.Equal("""[{"check":"kernel","state":"warn","what":"Old.","remedy":"Newer."},{"check":"mount","state":"fail","what":"Dead.","remedy":null}]""", output.ToString().Trim());
        Assert.Equal(ExitCode.Success, DoctorRunner.Print([new Finding("kernel", FindingState.Warn, "Old.", "Newer.")], OutputFormat.Table, output));
    }
}
