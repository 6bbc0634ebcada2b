using System.Diagnostics;

namespace Forebay.Robustness.Mounts;

/// <summary>All ways in which a mount ends: bounded, with programs that read and workers that hang, and nothing is left behind.</summary>
public sealed class MountEndTests
{
    private const int Stop = 19;

    [MountFact]
    public async Task ATerminationLetsOpenFilesBeReadToTheirEnd()
        => await AssertEndsWithItsLastFileAsync(async (mount, listed) =>
        {
            MountedDirectory.Kill(listed.HolderPid, 15);
            await Eventually.TrueAsync("the mount is out of sight", () => !mount.IsMounted);
        });

    [MountFact]
    public async Task ALazyUnmountLetsOpenFilesBeReadToTheirEnd()
        => await AssertEndsWithItsLastFileAsync(async (mount, _) => Assert.Equal(0, (await mount.ShellAsync($"umount -l {mount.MountPoint}")).Code));

    [MountFact]
    public async Task UnmountingTwiceSaysSoTheSecondTime()
    {
        using MountedDirectory mount = await MountAsync();

        Task<Finished>[] both = [mount.RunAsync("unmount", mount.MountPoint), mount.RunAsync("unmount", mount.MountPoint)];
        int[] codes = [.. (await Task.WhenAll(both)).Select(one => one.Code).Order()];
        Finished third = await mount.RunAsync("unmount", mount.MountPoint);

        Assert.True(codes is [0, 0 or 4], string.Join(", ", codes));
        Assert.Equal(4, third.Code);
        Assert.Contains("Nothing is mounted", third.Error, StringComparison.Ordinal);
        await MountFaultTests.AssertNothingIsLeftAsync(mount);
    }

    [MountFact]
    public async Task AStoppedWorkerDoesNotHoldUpUnmounting()
    {
        using MountedDirectory mount = await MountAsync();
        MountedDirectory.Kill((await mount.ListedAsync()).WorkerPid, Stop);

        Finished unmount = await mount.RunAsync("unmount", mount.MountPoint).WaitAsync(TimeSpan.FromSeconds(15));

        Assert.True(unmount.Code == 0, unmount.Text + mount.Log);
        await MountFaultTests.AssertNothingIsLeftAsync(mount);
    }

    [MountFact]
    public async Task AStoppedWorkerWithReadersIsUnmountedByForce()
    {
        using MountedDirectory mount = await MountAsync();
        MountedDirectory.Kill((await mount.ListedAsync()).WorkerPid, Stop);
        using Process reader = mount.Start("cat", $"{mount.MountPoint}/a/large");
        await Eventually.WaitsForFuseAsync(reader);

        Finished busy = await mount.RunAsync("unmount", mount.MountPoint).WaitAsync(TimeSpan.FromSeconds(5));
        Finished unmount = await mount.RunAsync("unmount", "--force", mount.MountPoint).WaitAsync(TimeSpan.FromSeconds(15));

        Assert.True(busy.Code == 3, busy.Text);
        Assert.True(unmount.Code == 0, unmount.Text + mount.Log);
        await reader.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
        Assert.NotEqual(0, reader.ExitCode);
        await MountFaultTests.AssertNothingIsLeftAsync(mount);
    }

    [MountFact]
    public async Task AStoppedWorkerWithReadersIsReplacedAtATermination()
    {
        using MountedDirectory mount = await MountAsync();
        ListedMount listed = await mount.ListedAsync();
        MountedDirectory.Kill(listed.WorkerPid, Stop);
        using Process reader = mount.Start("sha256sum", $"{mount.MountPoint}/a/large");
        await Eventually.WaitsForFuseAsync(reader);

        MountedDirectory.Kill(listed.HolderPid, 15);

        string[] sums = [await reader.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(15)), (await mount.ShellAsync($"sha256sum {mount["source"]}/a/large")).Output];
        Assert.Equal(sums[1].Split(' ')[0], sums[0].Split(' ')[0]);
        await MountFaultTests.AssertNothingIsLeftAsync(mount);
    }

    [MountFact]
    public async Task EveryWriteIsRefusedAsReadOnlyAndTheSourceStaysTheSame()
    {
        const string Writes = """
            import errno, os, sys
            os.chdir(sys.argv[1])
            libc = __import__("ctypes").CDLL(None, use_errno=True)
            def call(function, *arguments):
                if function(*arguments) < 0:
                    raise OSError(__import__("ctypes").get_errno(), "")
            writes = {
                "create": lambda: os.open("a/new", os.O_CREAT | os.O_WRONLY),
                "create exclusively": lambda: os.open("a/new", os.O_CREAT | os.O_EXCL | os.O_RDONLY),
                "open to write": lambda: os.open("a/small", os.O_WRONLY),
                "open to read and write": lambda: os.open("a/large", os.O_RDWR),
                "open to append": lambda: os.open("a/small", os.O_WRONLY | os.O_APPEND),
                "open to empty": lambda: os.open("a/small", os.O_RDONLY | os.O_TRUNC),
                "nameless file": lambda: os.open("a", os.O_TMPFILE | os.O_RDWR),
                "truncate": lambda: os.truncate("a/small", 1),
                "mkdir": lambda: os.mkdir("a/dir"),
                "rmdir": lambda: os.rmdir("a/b c"),
                "unlink": lambda: os.unlink("a/small"),
                "rename": lambda: os.rename("a/small", "a/renamed"),
                "rename over": lambda: os.rename("a/small", "a/empty"),
                "rename a directory": lambda: os.rename("a/b c", "d"),
                "link": lambda: os.link("a/small", "a/link"),
                "symlink": lambda: os.symlink("small", "a/symlink"),
                "mknod": lambda: os.mknod("a/node", 0o600),
                "mkfifo": lambda: os.mkfifo("a/fifo"),
                "chmod": lambda: os.chmod("a/small", 0o777),
                "chown": lambda: os.chown("a/small", 1, 1),
                "utime": lambda: os.utime("a/small", (0, 0)),
                "setxattr": lambda: os.setxattr("a/small", "user.x", b"x"),
                "setxattr of Forebay's": lambda: os.setxattr("a/small", "user.forebay.etag", b"x"),
                "removexattr": lambda: os.removexattr("a/small", "user.forebay.etag"),
                "access": lambda: call(libc.access, b"a/small", os.W_OK),
            }
            for name, write in writes.items():
                try:
                    write()
                    print(name, "was done")
                except OSError as e:
                    if e.errno != errno.EROFS:
                        print(name, errno.errorcode[e.errno])
            file = os.open("a/small", os.O_RDONLY)
            for name, write in {"write": lambda: os.write(file, b"x"), "ftruncate": lambda: os.ftruncate(file, 0), "fallocate": lambda: os.posix_fallocate(file, 0, 100)}.items():
                try:
                    write()
                    print(name, "was done")
                except OSError as e:
                    if e.errno not in (errno.EBADF, errno.EINVAL, errno.EROFS):
                        print(name, errno.errorcode[e.errno])
            for name, write in {"fchmod": lambda: os.fchmod(file, 0o777), "futime": lambda: os.utime(file, (0, 0))}.items():
                try:
                    write()
                    print(name, "was done")
                except OSError as e:
                    if e.errno != errno.EROFS:
                        print(name, errno.errorcode[e.errno])
            """;
        using MountedDirectory mount = await MountAsync();
        string state = $"cd {mount["source"]} && find . -printf '%p %y %s %m %U %G %T@ %C@ %n %l\\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum";
        Finished before = await mount.ShellAsync(state);

        using Process writer = mount.Start("python3", "-c", Writes, mount.MountPoint);
        string said = await writer.StandardOutput.ReadToEndAsync().WaitAsync(MountedDirectory.Patience) + await writer.StandardError.ReadToEndAsync();

        Assert.Equal("", said);
        Finished after = await mount.ShellAsync(state);
        Assert.Equal(0, before.Code);
        Assert.Equal(before.Output, after.Output);
    }

    private static async Task<MountedDirectory> MountAsync()
    {
        MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");
        return mount;
    }

    private static async Task AssertEndsWithItsLastFileAsync(Func<MountedDirectory, ListedMount, Task> end)
    {
        using MountedDirectory mount = await MountAsync();
        ListedMount listed = await mount.ListedAsync();
        using Process reader = mount.Start("bash", "-c", $"exec 5< {mount.MountPoint}/a/large; head -c 100 <&5 > /dev/null; echo open; read go; cat <&5 | wc -c");
        Assert.Equal("open", await reader.StandardOutput.ReadLineAsync());

        await end(mount, listed);
        Assert.False(mount.IsMounted);
        Assert.NotEmpty(mount.Processes());
        await reader.StandardInput.WriteLineAsync("go");

        Assert.Equal((5_000_000 - 100).ToString(System.Globalization.CultureInfo.InvariantCulture), await reader.StandardOutput.ReadLineAsync());
        await MountFaultTests.AssertNothingIsLeftAsync(mount);
        Finished again = await mount.RunAsync("unmount", mount.MountPoint);
        Assert.Equal(4, again.Code);
    }
}
