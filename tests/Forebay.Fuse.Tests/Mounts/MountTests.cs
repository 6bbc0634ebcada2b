using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests.Mounts;

/// <summary>The protocol against the kernel of this machine.</summary>
public sealed class MountTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [MountFact]
    public async Task OrdinaryProgramsReadATree()
    {
        MemoryFileSystem tree = new();
        byte[] large = RandomNumberGenerator.GetBytes((5 * 1024 * 1024) + 123);
        ulong directory = tree.AddDirectory(1, "directory");
        tree.Add(1, "hello", "hello, world\n"u8.ToArray());
        tree.Add(directory, "large", large);
        tree.Add(directory, "empty", []);
        tree.Add(directory, "name with space é", "x"u8.ToArray());
        tree.Add(1, "link", "directory/large"u8.ToArray(), FuseMode.SymbolicLink | 0x1FF);
        await using TestMount mount = await TestMount.StartAsync(tree);

        Assert.Equal("hello, world", (await Child.RunAsync("cat", mount["hello"])).Text);
        Assert.Equal("directory\nhello\nlink", (await Child.RunAsync("ls", mount.Path)).Text);
        Assert.Equal("empty\nlarge\nname with space é", (await Child.ShellAsync($"LC_ALL=C.UTF-8 ls {mount["directory"]}")).Text);
        Assert.Equal($"{large.Length} 81a4 1000000000 86400", (await Child.RunAsync("stat", "-c", "%s %f %Y %W", mount["directory/large"])).Text);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(large)), (await Child.RunAsync("sha256sum", mount["link"])).Text.Split(' ')[0]);
        Assert.Equal(large.AsSpan(1_000_000, 70_000).ToArray(), (await Child.RunAsync("dd", $"if={mount["directory/large"]}", "bs=10000", "skip=100", "count=7", "status=none")).Output);
        Assert.Equal("6", (await Child.ShellAsync($"find {mount.Path} -mindepth 1 -ls | wc -l")).Text);
        Assert.Equal("b'memory'", (await Child.RunAsync("python3", "-c", $"import os; print(os.getxattr('{mount["hello"]}', 'user.kind'))")).Text);
        Assert.Equal("13 13", (await Child.RunAsync("python3", "-c", $"import os; f=os.open('{mount["hello"]}', 0); print(os.lseek(f, 0, 4), os.lseek(f, 0, 2))")).Text);
        Assert.Equal($"{large[4_000_000]}", (await Child.RunAsync("python3", "-c", $"import mmap; f=open('{mount["directory/large"]}','rb'); print(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[4000000])")).Text);
        Assert.Equal("1", (await Child.ShellAsync($"cat {mount["nothere"]} 2>/dev/null; echo $?")).Text);
        Assert.Empty(mount.Observer.Faults);
        Assert.Equal(0, mount.Session.OutstandingBuffers);
    }

    [MountFact]
    public async Task ALargeDirectoryIsListedWholeWithAndWithoutAttributes()
    {
        foreach (ReadDirectoryPlusMode mode in Enum.GetValues<ReadDirectoryPlusMode>())
        {
            MemoryFileSystem tree = new();
            for (int i = 0; i < 3000; i++)
            {
                tree.Add(1, $"file-with-a-name-{i:0000}", []);
            }

            await using TestMount mount = await TestMount.StartAsync(tree, options => options with { ReadDirectoryPlus = mode });

            Assert.Equal("3000", (await Child.ShellAsync($"ls -U {mount.Path} | sort -u | wc -l")).Text);
            Assert.Equal("3000", (await Child.ShellAsync($"find {mount.Path} -type f -ls | wc -l")).Text);
            long plus = mount.Session.Statistics[FuseOpcode.ReadDirectoryPlus].Count;
            Assert.True(mode == ReadDirectoryPlusMode.Off ? plus == 0 : plus > 0, $"{mode}: {plus} READDIRPLUS");
        }
    }

    [MountFact]
    public async Task OpensInARowAreAskedForWithoutSleepAndAnIdleMountSleeps()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "file", "x"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);

        ChildResult opens = await Child.RunAsync("python3", "-c", $"import os\nfor i in range(20000): os.close(os.open('{mount["file"]}', 0))\nprint(i)");

        Assert.Equal("19999", opens.Text);
        Assert.True(mount.Session.Statistics[FuseOpcode.Open].Count >= 20000);
        if (Environment.ProcessorCount > 1)
        {
            Assert.True(mount.Session.Solo.Begun > 0, "no thread ever asked without sleeping");
        }

        TestMount.Eventually(() => !mount.Session.Solo.IsOn, "a thread still asks for requests though none come");
        Assert.Equal("x", (await Child.RunAsync("cat", mount["file"])).Text);
        Assert.Empty(mount.Observer.Faults);
    }

    [MountFact]
    public async Task WritesAreRefusedAsReadOnly()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "file", "x"u8.ToArray());
        tree.AddDirectory(1, "directory");
        await using TestMount mount = await TestMount.StartAsync(tree);

        string program = $"""
            import os
            def errno(f, *a):
                try:
                    f(*a)
                    return 0
                except OSError as e:
                    return e.errno
            os.chdir('{mount.Path}')
            f = os.open('file', os.O_RDWR)
            print(*[errno(*c) for c in [(os.write, f, b'y'), (os.truncate, 'file', 0), (os.open, 'new', os.O_CREAT | os.O_RDWR), (os.mkdir, 'new'), (os.unlink, 'file'), (os.rmdir, 'directory'),
                (os.rename, 'file', 'new'), (os.symlink, 'a', 'new'), (os.link, 'file', 'new'), (os.setxattr, 'file', 'user.a', b'b'), (os.chmod, 'file', 0), (os.mknod, 'new'),
                (os.posix_fallocate, f, 0, 10), (os.open, '.', os.O_TMPFILE | os.O_RDWR), (os.fsync, f)]])
            """;

        Assert.Equal("30 30 30 30 30 30 30 30 30 30 30 30 30 30 0", (await Child.RunAsync("python3", "-c", program)).Text);
        Assert.Empty(mount.Observer.Faults);
    }

    [MountFact]
    public async Task APassthroughFileIsReadByTheKernelItself()
    {
        using TempDirectory place = new();
        byte[] content = RandomNumberGenerator.GetBytes(3 * 1024 * 1024);
        await File.WriteAllBytesAsync(place["backing"], content);
        MemoryFileSystem tree = new();
        ulong id = tree.Add(1, "file", content);
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(place["backing"]);
        tree.Backing.Add(id, file);
        await using TestMount mount = await TestMount.StartAsync(tree);

        for (int round = 0; round < 3; round++)
        {
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), (await Child.RunAsync("sha256sum", mount["file"])).Text.Split(' ')[0]);
        }

        Assert.Equal(0, tree.BackingErrno);
        Assert.Equal(0, mount.Session.Statistics[FuseOpcode.Read].Count);
        Assert.Equal(Errno.ENOENT, mount.Device.CloseBacking(123_456));
        Assert.Equal(Errno.EBADF, mount.Device.OpenBacking(new Microsoft.Win32.SafeHandles.SafeFileHandle(1_000_000, ownsHandle: false), out int refused));
        Assert.Equal(0, refused);
        Assert.True(mount.Device.TakesFilesLike(place["backing"]));
        Assert.False(mount.Device.TakesFilesLike(place["missing"]));
        Assert.False(mount.Device.TakesFilesLike("/proc/self"));
    }

    [MountFact]
    public async Task KillingAReaderInterruptsItsRequest()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "hang", new byte[100]);
        await using TestMount mount = await TestMount.StartAsync(tree);
        using System.Diagnostics.Process reader = Child.Start("cat", mount["hang"]);
        FuseRequest request = await tree.Hanging.Task.WaitAsync(Patience);
        uint pid = request.Pid;

        Assert.Equal(0, (await Child.RunAsync("kill", "-TERM", $"{pid}")).ExitCode);

        await reader.WaitForExitAsync().WaitAsync(Patience);
        Assert.True(mount.Session.Statistics[FuseOpcode.Interrupt].Count >= 1);
        Assert.Equal(1, mount.Session.Statistics[FuseOpcode.Read].Errors);
        TestMount.Eventually(() => mount.Session.OpenRequests == 0, "a request stayed open");
    }

    [MountFact]
    public async Task AHandlerThatThrowsGivesAnErrorAndTheMountLives()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "throws", new byte[10]);
        tree.Add(1, "good", "good"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);

        Assert.Contains("Input/output error", (await Child.RunAsync("cat", mount["throws"])).Error, StringComparison.Ordinal);
        Assert.Equal("good", (await Child.RunAsync("cat", mount["good"])).Text);
        Assert.Contains(mount.Observer.Faults, static fault => fault.Kind == FuseFaultKind.Handler);
    }

    [MountFact]
    public async Task ASuccessorAnswersWhatItsPredecessorHadTaken()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "hang", "at last"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);
        FuseConnection agreed = FuseConnection.TryParse((await mount.Session.Negotiated).ToBytes())!;
        Task<ChildResult> reader = Child.RunAsync("cat", mount["hang"]);
        await tree.Hanging.Task.WaitAsync(Patience);
        using CancellationTokenSource patience = new(Patience);

        Assert.Equal(FuseSessionEnd.Stopped, await mount.Session.StopAsync(patience.Token));
        MemoryFileSystem second = new() { Hangs = false };
        second.Add(1, "hang", "at last"u8.ToArray());
        mount.Session = new FuseSession(mount.Device, second, new FuseSessionOptions(), agreed);
        mount.Session.Start();

        Assert.Equal("at last", (await reader).Text);
        Assert.True(second.SawRepeated);
    }

    [MountFact]
    public async Task StoppingWakesIdleThreadsAndLeavesTheMount()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "file", "still here"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);
        FuseConnection agreed = await mount.Session.Negotiated;
        for (int round = 0; round < 5; round++)
        {
            using CancellationTokenSource patience = new(Patience);
            Assert.Equal(FuseSessionEnd.Stopped, await mount.Session.StopAsync(patience.Token));
            mount.Session = new FuseSession(mount.Device, tree, new FuseSessionOptions { Threads = 4 }, agreed);
            mount.Session.Start();
        }

        Assert.Equal("still here", (await Child.RunAsync("cat", mount["file"])).Text);
        Assert.NotNull(MountEntry.Find(mount.Path));
    }

    [MountFact]
    public async Task UnmountingEndsTheSession()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "hang", new byte[10]);
        tree.Add(1, "file", new byte[10]);
        await using TestMount mount = await TestMount.StartAsync(tree);
        await Child.RunAsync("cat", mount["file"]);

        FuseMount.Unmount(mount.Path, FuseUnmountMode.Plain);

        Assert.Equal(FuseSessionEnd.Unmounted, await mount.Session.Completion.WaitAsync(Patience));
        await tree.IsDisconnected.Task.WaitAsync(Patience);
        Assert.Equal(ErrorKind.NotFound, Assert.Throws<ForebayException>(() => FuseMount.Unmount(mount.Path, FuseUnmountMode.Plain)).Kind);
    }

    [MountFact]
    public async Task WhatIsInUseForAMomentOnlyIsUnmounted()
    {
        await using TestMount mount = await TestMount.StartAsync(new MemoryFileSystem());
        using Process ending = StartInside(mount);
        int waits = 0;

        FuseMount.Unmount(mount.Path, FuseUnmountMode.Plain, _ =>
        {
            waits++;
            ending.StandardInput.Close();
            ending.WaitForExit();
        });

        Assert.Equal(1, waits);
        Assert.Equal(FuseSessionEnd.Unmounted, await mount.Session.Completion.WaitAsync(Patience));
    }

    [MountFact]
    public async Task WhatStaysInUseIsWaitedForHalfASecondAndByNobodyWhoForcesIt()
    {
        await using TestMount mount = await TestMount.StartAsync(new MemoryFileSystem());
        using Process staying = StartInside(mount);
        TimeSpan waited = TimeSpan.Zero;

        Assert.Equal(ErrorKind.Unavailable, Assert.Throws<ForebayException>(() => FuseMount.Unmount(mount.Path, FuseUnmountMode.Force, time => waited += time)).Kind);
        Assert.Equal(TimeSpan.Zero, waited);
        Assert.Equal(ErrorKind.Unavailable, Assert.Throws<ForebayException>(() => FuseMount.Unmount(mount.Path, FuseUnmountMode.Plain, time => waited += time)).Kind);
        Assert.Equal(TimeSpan.FromMilliseconds(500), waited);

        staying.StandardInput.Close();
        await staying.WaitForExitAsync();
    }

    /// <summary>A program that has the directory in use until its input ends.</summary>
    private static Process StartInside(TestMount mount)
        => Process.Start(new ProcessStartInfo("cat") { UseShellExecute = false, WorkingDirectory = mount.Path, RedirectStandardInput = true })!;

    [MountFact]
    public async Task ABusyMountIsNotUnmountedButCanBeForced()
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "hang", new byte[10]);
        await using TestMount mount = await TestMount.StartAsync(tree);
        Task<ChildResult> reader = Child.RunAsync("cat", mount["hang"]);
        await tree.Hanging.Task.WaitAsync(Patience);

        ForebayException busy = Assert.Throws<ForebayException>(() => FuseMount.Unmount(mount.Path, FuseUnmountMode.Plain));
        Assert.Equal(ErrorKind.Unavailable, busy.Kind);
        try
        {
            FuseMount.Unmount(mount.Path, FuseUnmountMode.Force);
        }
        catch (ForebayException)
        {
            FuseMount.Unmount(mount.Path, FuseUnmountMode.Lazy);
        }

        Assert.NotEqual(0, (await reader).ExitCode);
        Assert.Equal(FuseSessionEnd.Unmounted, await mount.Session.Completion.WaitAsync(Patience));
        TestMount.Eventually(() => mount.Session.OpenRequests == 0, "the token of the hanging request was not canceled");
    }

    [MountFact]
    public async Task NotificationsDropWhatTheKernelCached()
    {
        MemoryFileSystem tree = new() { Validity = TimeSpan.MaxValue };
        ulong file = tree.Add(1, "file", "old content"u8.ToArray());
        ulong named = tree.Add(1, "named", "n"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);
        Assert.Equal("old content", (await Child.RunAsync("cat", mount["file"])).Text);
        Assert.Equal("n", (await Child.RunAsync("cat", mount["named"])).Text);

        tree.Change(file, "new content"u8.ToArray());
        tree.Rename(named, "renamed");
        Assert.Equal("old content", (await Child.RunAsync("cat", mount["file"])).Text);
        Assert.Equal("n", (await Child.RunAsync("cat", mount["named"])).Text);
        Assert.True(mount.Session.Notifier.InvalidateInode(file));
        Assert.True(mount.Session.Notifier.InvalidateEntry(1, "named"u8));
        await mount.Session.Notifier.FlushAsync().WaitAsync(Patience);

        Assert.Equal("new content", (await Child.RunAsync("cat", mount["file"])).Text);
        Assert.NotEqual(0, (await Child.RunAsync("cat", mount["named"])).ExitCode);
        Assert.Equal(2, mount.Session.Notifier.Sent);
        Assert.Equal(0, mount.Session.Notifier.Unknown);
        mount.Session.Notifier.InvalidateInode(987_654);
        await mount.Session.Notifier.FlushAsync().WaitAsync(Patience);
        Assert.Equal(1, mount.Session.Notifier.Unknown);
    }

    [MountFact]
    public async Task ANewEpochAndExpiryMakeNamesBeLookedUpAgain()
    {
        MemoryFileSystem tree = new() { Validity = TimeSpan.MaxValue };
        tree.Add(1, "file", "x"u8.ToArray());
        await using TestMount mount = await TestMount.StartAsync(tree);
        FuseConnection connection = await mount.Session.Negotiated;
        await Child.RunAsync("cat", mount["file"]);
        await Child.RunAsync("cat", mount["file"]);
        Assert.Equal(1, mount.Session.Statistics[FuseOpcode.Lookup].Count);

        foreach (Func<bool> notify in new Func<bool>[] { () => mount.Session.Notifier.ExpireEntry(1, "file"u8), mount.Session.Notifier.IncrementEpoch })
        {
            long before = mount.Session.Statistics[FuseOpcode.Lookup].Count;
            if (!notify())
            {
                Assert.True(connection.KernelMinor < 44);
                continue;
            }

            await mount.Session.Notifier.FlushAsync().WaitAsync(Patience);
            Assert.Equal("x", (await Child.RunAsync("cat", mount["file"])).Text);
            Assert.Equal(before + 1, mount.Session.Statistics[FuseOpcode.Lookup].Count);
        }

        mount.Session.Notifier.Delete(1, 2, "file"u8);
        mount.Session.Notifier.Prune([2]);
        await mount.Session.Notifier.FlushAsync().WaitAsync(Patience);
        Assert.Empty(mount.Observer.Faults);
    }

    [MountFact]
    public async Task ForgottenInodesAreReported()
    {
        MemoryFileSystem tree = new();
        for (int i = 0; i < 50; i++)
        {
            tree.Add(1, $"file{i}", []);
        }

        await using TestMount mount = await TestMount.StartAsync(tree);
        await Child.ShellAsync($"ls -l {mount.Path}; ls -l {mount.Path}");
        for (int i = 0; i < 50; i++)
        {
            mount.Session.Notifier.InvalidateEntry(1, System.Text.Encoding.ASCII.GetBytes($"file{i}"));
        }

        await mount.Session.Notifier.FlushAsync().WaitAsync(Patience);

        TestMount.Eventually(() => Interlocked.Read(ref tree.Forgotten) >= 50, "not all lookups were given back");
    }

    [MountFact]
    public async Task ReadAheadIsSetThroughTheDeviceNumber()
    {
        MemoryFileSystem tree = new();
        byte[] large = new byte[8 * 1024 * 1024];
        tree.Add(1, "large", large);
        await using TestMount mount = await TestMount.StartAsync(tree);

        bool isSet = FuseMount.SetReadAhead(mount.Path, 1024);
        await Child.RunAsync("cat", mount["large"]);

        FuseOperationStatistics reads = mount.Session.Statistics[FuseOpcode.Read];
        Assert.Equal(large.Length, reads.ReplyBytes);
        Assert.True(!isSet || reads.Count <= 24, $"8 MiB took {reads.Count} reads with a read-ahead of 1 MiB");
        Assert.False(FuseMount.SetReadAhead("/proc/nothing", 1024));
    }
}
