using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Forebay.Robustness.Nodes;

namespace Forebay.Robustness.Mounts;

/// <summary>Mounts as mount(8), /etc/fstab and systemd make them.</summary>
public sealed class SystemTests
{
    private const string Helper = "/sbin/mount.fuse.forebay";

    [MountFact]
    public async Task MountEightMountsByTypeAndByFstabAndUmountEndsIt()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        Assert.False(File.Exists(Helper), $"{Helper} is there already: this test makes and removes it");
        File.CreateSymbolicLink(Helper, Executable.FilePath);
        try
        {
            string options = $"_netdev,nofail,allow_other,x-systemd.requires=network.target,use_cache={mount["caches"]},cache_size=64Mi";
            Finished byType = await mount.ShellAsync($"mount -t fuse.forebay -o {options} file://{mount["source"]} {mount.MountPoint}");
            await AssertServedAsync(byType);

            await File.WriteAllTextAsync(mount["fstab"], $"file://{mount["source"]}  {mount.MountPoint}  fuse.forebay  ro,{options}  0  0\n");
            Finished byFstab = await mount.ShellAsync($"mount -T {mount["fstab"]} {mount.MountPoint}");
            await AssertServedAsync(byFstab);

            Finished all = await mount.ShellAsync($"mount -a -T {mount["fstab"]} && mount -a -T {mount["fstab"]}");
            await AssertServedAsync(all);

            Finished wrong = await mount.ShellAsync($"mount -t fuse.forebay -o alow_other file://{mount["source"]} {mount.MountPoint}");
            Assert.True(wrong.Code != 0 && wrong.Error.Contains("did you mean \"allow_other\"", StringComparison.Ordinal), wrong.Text);
            Finished sloppy = await mount.ShellAsync($"mount -s -t fuse.forebay -o alow_other,{options} file://{mount["source"]} {mount.MountPoint}");
            await AssertServedAsync(sloppy);
            Finished rehearsal = await mount.ShellAsync($"mount -f -t fuse.forebay file://{mount["source"]} {mount.MountPoint}");
            Assert.True(rehearsal.Code == 0 && !mount.IsMounted, rehearsal.Text);
        }
        finally
        {
            File.Delete(Helper);
        }

        async Task AssertServedAsync(Finished mounted)
        {
            Assert.True(mounted.Code == 0, mounted.Text + mount.Log);
            Finished look = await mount.ShellAsync($"findmnt -n -o FSTYPE,OPTIONS {mount.MountPoint} && diff -r {mount["source"]} {mount.MountPoint}");
            Assert.True(look.Code == 0, look.Text + mount.Log);
            Assert.Contains("fuse.forebay", look.Output, StringComparison.Ordinal);
            Assert.Contains("allow_other", look.Output, StringComparison.Ordinal);
            Finished unmount = await mount.ShellAsync($"umount {mount.MountPoint}");
            Assert.True(unmount.Code == 0, unmount.Text);
            await Eventually.TrueAsync("all processes end", () => mount.Processes().Length == 0);
        }
    }

    [MountFact]
    public async Task AServiceManagerIsToldWhenTheMountAnswersAndATermSignalEndsIt()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        using Socket manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(mount["notify"]));
        mount.Environment["NOTIFY_SOCKET"] = mount["notify"];
        using Process command = mount.Start(Executable.FilePath, "mount", "-f", $"file://{mount["source"]}", mount.MountPoint, "-o", "", "--cache", $"{mount["cache"]}:64Mi");

        byte[] buffer = new byte[256];
        int received = await manager.ReceiveAsync(buffer).WaitAsync(MountedDirectory.Patience);
        Assert.Equal("READY=1", Encoding.ASCII.GetString(buffer, 0, received));
        mount.Environment.Remove("NOTIFY_SOCKET");
        Finished look = await mount.ShellAsync($"cat {mount.MountPoint}/a/small");
        Assert.Equal((0, "small file\n"), (look.Code, look.Output));

        MountedDirectory.Kill(command.Id, 15);
        await command.WaitForExitAsync().WaitAsync(MountedDirectory.Patience);
        Assert.Equal(0, command.ExitCode);
        Assert.False(mount.IsMounted);
        await Eventually.TrueAsync("all processes end", () => mount.Processes().Length == 0);
    }

    [MountFact]
    public async Task TheUnitIsOneThatSystemdUnderstands()
    {
        using MountedDirectory mount = new();
        if (!File.Exists("/usr/bin/systemd-analyze"))
        {
            return;
        }

        string unit = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "deploy", "systemd", "forebay-mount@.service"));
        Directory.CreateDirectory(mount["units"]);
        await File.WriteAllTextAsync(mount["units/forebay-mount@.service"], unit.Replace("/usr/bin/forebay", Executable.FilePath, StringComparison.Ordinal));

        Finished verified = await mount.ShellAsync($"systemd-analyze verify --man=no {mount["units"]}/forebay-mount@models.service");

        Assert.True(verified.Code == 0, verified.Text);
        Assert.DoesNotContain("forebay-mount", verified.Text, StringComparison.Ordinal);
    }
}
