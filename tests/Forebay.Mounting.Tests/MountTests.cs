using System.Diagnostics;
using Forebay.Fuse;
using Forebay.Mounting.Launching;
using Forebay.Mounting.Registry;
using Forebay.Mounting.Tests.Mounts;
using Xunit.Abstractions;

namespace Forebay.Mounting.Tests;

/// <summary>Holder and worker as processes, over the kernel itself. Every byte that comes through a mount is compared.</summary>
public sealed class MountTests(ITestOutputHelper output)
{
    private const int Stop = 19;

    /// <summary>What a kill costs the readers is time: they must still end within their patience on a slow machine.</summary>
    private const int MostKills = 100;

    private static readonly string Digest = PatternFileSystem.Digest();

    [MountFact]
    public async Task AMountAnswersWhenTheLaunchReturnsAndLeavesNothingBehind()
    {
        using TestMount mount = new();
        long started = Stopwatch.GetTimestamp();
        mount.Mounted();
        output.WriteLine($"mounted after {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
        await AssertReadsAsync(mount);
        RegisteredMount entry = mount.Entry;
        Assert.Equal(("pattern", mount.MountPoint), (entry.Source, entry.Directory));
        Assert.All([entry.WorkerPid, entry.HolderPid], process => Assert.Contains("DOTNET_EnableDiagnostics=0", File.ReadAllText($"/proc/{process}/environ").Split('\0')));

        (int code, string said) = await TestMount.RunAsync("umount", mount.MountPoint);

        Assert.True(code == 0, said);
        Assert.True(MountSteering.WaitForEnd(entry, TestMount.Patience), mount.Log);
        Assert.Equal([".lock"], Directory.GetFiles(mount.Registry.Directory).Select(file => Path.GetExtension(file)));
        Assert.False(mount.IsMounted);
    }

    [MountFact]
    public async Task WorkersAreKilledOverAndOverAndReadersSeeNothingOfIt()
    {
        using TestMount mount = new TestMount().Mounted();
        Task<(int Code, string Output)>[] readers = [.. Enumerable.Range(0, 3).Select(_ => TestMount.RunAsync("sh", "-c", $"for i in 1 2; do sha256sum < {mount.FilePath} || exit 1; done"))];
        int kills = 0;
        HashSet<int> workers = [];
        Task all = Task.WhenAll(readers);
        while (!all.IsCompleted && kills < MostKills)
        {
            int worker = mount.Entry.WorkerPid;
            if (workers.Add(worker))
            {
                await Eventually.ReadsMoreAsync(worker, 20, () => all.IsCompleted);
                TestMount.Signal(worker, 9);
                kills++;
            }

            await mount.UntilAsync("another worker serves", () => all.IsCompleted || mount.Entry.WorkerPid != worker);
        }

        foreach ((int code, string text) in await Task.WhenAll(readers))
        {
            Assert.True(code == 0, $"{text}\n{mount.Log}");
            Assert.All(text.Trim().Split('\n'), line => Assert.StartsWith(Digest, line, StringComparison.Ordinal));
        }

        output.WriteLine($"{kills} kills");
        Assert.Empty(Directory.GetFileSystemEntries(mount.TemporaryFiles));
        Assert.True(kills >= MostKills / 2, $"only {kills} workers were killed: the test has seen too little");
    }

    [MountFact]
    public async Task AHolderThatIsKilledIsReplacedByItsWorker()
    {
        using TestMount mount = new TestMount().Mounted();
        Task<(int Code, string Output)> reader = TestMount.RunAsync("sh", "-c", $"for i in 1 2 3 4 5 6; do sha256sum < {mount.FilePath} || exit 1; done");
        for (int i = 0; i < 3; i++)
        {
            RegisteredMount before = mount.Entry;
            TestMount.Signal(before.HolderPid, 9);
            await mount.UntilAsync("another holder is registered", () => mount.Registry.Find(mount.MountPoint) is { } now && now.HolderPid != before.HolderPid);
            Assert.Equal(before.WorkerPid, mount.Entry.WorkerPid);
        }

        // The new holder does what the first one did.
        int worker = mount.Entry.WorkerPid;
        TestMount.Signal(worker, 9);
        await mount.UntilAsync("another worker is registered", () => mount.Registry.Find(mount.MountPoint) is { } now && now.WorkerPid != worker);
        (int code, string text) = await reader;
        Assert.True(code == 0, $"{text}\n{mount.Log}");
        Assert.All(text.Trim().Split('\n'), line => Assert.StartsWith(Digest, line, StringComparison.Ordinal));
        RegisteredMount last = mount.Entry;
        TestMount.Signal(last.HolderPid, 15);
        Assert.True(MountSteering.WaitForEnd(last, TestMount.Patience), mount.Log);
        Assert.False(mount.IsMounted);
    }

    [MountFact]
    public async Task WithoutAStandbyAKilledWorkerIsReplacedToo()
    {
        using TestMount mount = new TestMount(standby: false).Mounted();
        int worker = mount.Entry.WorkerPid;
        await AssertReadsAsync(mount);

        TestMount.Signal(worker, 9);

        await AssertReadsAsync(mount);
        Assert.NotEqual(worker, mount.Entry.WorkerPid);
    }

    [MountFact]
    public async Task AnUpgradeReplacesTheWorkerUnderItsReaders()
    {
        using TestMount mount = new TestMount().Mounted();
        Task<(int Code, string Output)> reader = TestMount.RunAsync("sh", "-c", $"for i in 1 2 3 4; do sha256sum < {mount.FilePath} || exit 1; done");
        RegisteredMount before = mount.Entry;

        (int worker, string version) = MountSteering.Upgrade(before, mount.Description.Executable);

        Assert.Equal("test", version);
        Assert.Equal((before.HolderPid, worker), (mount.Entry.HolderPid, mount.Entry.WorkerPid));
        Assert.False(TestMount.IsAlive(before.WorkerPid), "the old worker still runs");
        (int code, string text) = await reader;
        Assert.True(code == 0, $"{text}\n{mount.Log}");
        Assert.All(text.Trim().Split('\n'), line => Assert.StartsWith(Digest, line, StringComparison.Ordinal));
    }

    [MountFact]
    public async Task AnUpgradeThatDoesNotComeUpLeavesTheOldWorkerServing()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount before = mount.Entry;

        string refused = Assert.Throws<ForebayException>(() => MountSteering.Upgrade(before, "/bin/false")).Message;
        Assert.Throws<ForebayException>(() => MountSteering.Upgrade(before, "/not/there"));

        Assert.Contains("still does", refused, StringComparison.Ordinal);
        Assert.Equal(before.WorkerPid, mount.Entry.WorkerPid);
        await AssertReadsAsync(mount);
    }

    [MountFact]
    public async Task AnUpgradeThatFailsHalfwayIsTold()
    {
        using TestMount mount = new TestMount("dies-later").Mounted();
        RegisteredMount before = mount.Entry;

        string refused = Assert.Throws<ForebayException>(() => MountSteering.Upgrade(before, mount.Description.Executable)).Message;

        Assert.Contains("not upgraded", refused, StringComparison.Ordinal);
        Assert.Contains("takes over", refused, StringComparison.Ordinal);
        await mount.UntilAsync("others are started in its place", () => mount.Log.Contains("in 160 ms", StringComparison.Ordinal));
    }

    [MountFact]
    public void ASourceThatCannotBeUsedMountsNothing()
    {
        foreach ((string source, int code, string part) in new[]
        {
            ("missing", MountExit.NotFound, "not there"), ("refused", MountExit.Refused, "refuses"), ("crash", MountExit.Failure, "ended before it could serve"),
        })
        {
            using TestMount mount = new(source);

            LaunchResult result = mount.Launch();

            Assert.Equal(code, result.ExitCode);
            Assert.Contains(part, result.Sentence, StringComparison.Ordinal);
            Assert.False(mount.IsMounted);
            Assert.Equal([".lock"], Directory.GetFiles(mount.Registry.Directory).Select(file => Path.GetExtension(file)));
        }
    }

    [MountFact]
    public void AWarningOfTheWorkerReachesWhoMounts()
    {
        using TestMount mount = new("empty");

        LaunchResult result = mount.Launch();

        Assert.Equal((MountExit.Success, "Nothing lies below it."), (result.ExitCode, result.Sentence));
        Assert.True(mount.IsMounted);
    }

    [MountFact]
    public async Task ALaunchThatIsGivenUpLeavesNothing()
    {
        using TestMount mount = new("slow");
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(1));

        LaunchResult result = mount.Launch(stop.Token);

        Assert.NotEqual(0, result.ExitCode);
        await mount.UntilAsync("the holder ended", () => Directory.GetFiles(mount.Registry.Directory, "*.holder").Length == 0);
        Assert.False(mount.IsMounted);
    }

    [MountFact]
    public void ADirectoryIsMountedOnce()
    {
        using TestMount mount = new TestMount().Mounted();

        LaunchResult second = MountLauncher.Launch(mount.Description, CancellationToken.None);

        Assert.Equal(MountExit.Environment, second.ExitCode);
        Assert.Contains("mounted already", second.Sentence, StringComparison.Ordinal);
    }

    [MountFact]
    public async Task AMountInUseGoesAwayAtATerminationAndEndsWithItsLastUser()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount entry = mount.Entry;
        _ = await TestMount.RunAsync("mkfifo", $"{mount.Registry.Directory}/go");
        using Process user = TestMount.Start("sh", "-c", $"exec 5< {mount.FilePath}; echo open; read line < {mount.Registry.Directory}/go; sha256sum <&5");
        Assert.Equal("open", await user.StandardOutput.ReadLineAsync());

        TestMount.Signal(entry.HolderPid, 15);
        await mount.UntilAsync("the mount is out of sight", () => !mount.IsMounted);
        Assert.True(TestMount.IsAlive(entry.HolderPid) && TestMount.IsAlive(entry.WorkerPid), "a process ended under an open file");
        await File.WriteAllTextAsync($"{mount.Registry.Directory}/go", "now\n");

        Assert.StartsWith(Digest, await user.StandardOutput.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.True(MountSteering.WaitForEnd(entry, TestMount.Patience), mount.Log);
    }

    [MountFact]
    public async Task AStoppedWorkerDoesNotKeepItsProcessesFromEndingWithTheMount()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount entry = mount.Entry;
        TestMount.Signal(entry.WorkerPid, Stop);

        // Not umount(8): it asks the file system how it is.
        await Task.Run(() => FuseMount.Unmount(mount.MountPoint, FuseUnmountMode.Plain)).WaitAsync(TestMount.Patience);

        Assert.True(MountSteering.WaitForEnd(entry, TimeSpan.FromSeconds(15)), mount.Log);
        Assert.Equal([".lock"], Directory.GetFiles(mount.Registry.Directory).Select(file => Path.GetExtension(file)));
    }

    [MountFact]
    public async Task AStoppedWorkerIsReplacedWhenTheMountIsToEndAndItsReadersAreAnswered()
    {
        using TestMount mount = new TestMount().Mounted();
        TestMount.Signal(mount.Entry.WorkerPid, Stop);

        await AssertATerminationAnswersAsync(mount);
    }

    [MountFact]
    public async Task AWorkerThatAnswersNoRequestIsReplacedWhenTheMountIsToEnd()
    {
        using TestMount mount = new TestMount("stuck").Mounted();

        await AssertATerminationAnswersAsync(mount);
    }

    [MountFact]
    public async Task ASecretIsInNoArgumentAndNotInTheHolder()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount entry = mount.Entry;
        await mount.UntilAsync("the standby runs", () => Processes(mount).Length == 3);

        foreach (int process in Processes(mount))
        {
            Assert.DoesNotContain("hunter2", await File.ReadAllTextAsync($"/proc/{process}/cmdline"), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("hunter2", await File.ReadAllTextAsync($"/proc/{entry.HolderPid}/environ"), StringComparison.Ordinal);
        Assert.Contains("hunter2", await File.ReadAllTextAsync($"/proc/{entry.WorkerPid}/environ"), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", mount.Log, StringComparison.Ordinal);
    }

    [MountFact]
    public async Task WorkersThatCannotServeAreStartedLessOftenAndUnmountingStillWorks()
    {
        using TestMount mount = new TestMount("dies-later").Mounted();
        RegisteredMount entry = mount.Entry;
        TestMount.Signal(entry.WorkerPid, 9);
        await mount.UntilAsync("the back-off has begun", () => mount.Log.Contains("in 320 ms", StringComparison.Ordinal));

        TestMount.Signal(entry.HolderPid, 15);

        using Process? holder = TestMount.IsAlive(entry.HolderPid) ? Process.GetProcessById(entry.HolderPid) : null;
        await mount.UntilAsync("the holder ends", () => !TestMount.IsAlive(entry.HolderPid));
        Assert.False(mount.IsMounted);
    }

    [MountFact]
    public async Task ALostRuntimeDirectoryCostsNothingOfTheMount()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount before = mount.Entry;
        await AssertReadsAsync(mount);
        string run = mount.Registry.Directory;
        Directory.Delete(run, recursive: true);
        await File.WriteAllTextAsync(run, "in the way");

        TestMount.Signal(before.WorkerPid, 9);
        await AssertReadsAsync(mount);
        TestMount.Signal(before.HolderPid, 9);
        await mount.UntilAsync("another holder runs", () => Processes(mount, MountProcesses.HolderVerb) is [var holder] && holder != before.HolderPid);
        await mount.UntilAsync("another worker stands by", () => Processes(mount, MountProcesses.WorkerVerb).Length == 2);
        await AssertReadsAsync(mount);

        File.Delete(run);
        await mount.UntilAsync("the mount is registered again", () => mount.Registry.Find(mount.MountPoint) is not null);
        Assert.Equal([mount.Entry.HolderPid], Processes(mount, MountProcesses.HolderVerb));
    }

    [MountFact]
    public async Task ASecondTerminationAbortsWhatIsOutOfSightAndNothingElse()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount entry = mount.Entry;
        using Process user = TestMount.Start("sh", "-c", $"exec 5< {mount.FilePath}; echo open; exec sleep 60");
        Assert.Equal("open", await user.StandardOutput.ReadLineAsync());
        TestMount.Signal(entry.HolderPid, 15);
        await mount.UntilAsync("the mount is out of sight", () => !mount.IsMounted);
        Assert.Equal(0, (await TestMount.RunAsync("mount", "-t", "tmpfs", "other", mount.MountPoint)).Code);

        TestMount.Signal(entry.HolderPid, 15);

        Assert.True(MountSteering.WaitForEnd(entry, TestMount.Patience), mount.Log);
        Assert.Equal("tmpfs", MountEntry.Find(mount.MountPoint)?.Type);
        user.Kill();
    }

    [MountFact]
    public async Task ADirectoryCanBeMountedAgainWhileTheMountBeforeHasUsers()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount first = mount.Entry;
        _ = await TestMount.RunAsync("mkfifo", $"{mount.Registry.Directory}/go");
        using Process user = TestMount.Start("sh", "-c", $"exec 5< {mount.FilePath}; echo open; read line < {mount.Registry.Directory}/go; sha256sum <&5");
        Assert.Equal("open", await user.StandardOutput.ReadLineAsync());
        FuseMount.Unmount(mount.MountPoint, FuseUnmountMode.Lazy);

        mount.Mounted();

        RegisteredMount second = mount.Entry;
        Assert.NotEqual(first.HolderPid, second.HolderPid);
        await AssertReadsAsync(mount);

        // The mount before goes on being a whole one: its worker is replaced, its reader gets every byte.
        TestMount.Signal(first.WorkerPid, 9);
        await File.WriteAllTextAsync($"{mount.Registry.Directory}/go", "now\n");
        Assert.StartsWith(Digest, await user.StandardOutput.ReadToEndAsync().WaitAsync(TestMount.Patience), StringComparison.Ordinal);
        Assert.True(MountSteering.WaitForEnd(first, TestMount.Patience), mount.Log);
        Assert.Equal((second.HolderPid, second.WorkerPid), (mount.Entry.HolderPid, mount.Entry.WorkerPid));
        Assert.Equal(0, (await TestMount.RunAsync("umount", mount.MountPoint)).Code);
        Assert.True(MountSteering.WaitForEnd(second, TestMount.Patience), mount.Log);
        Assert.Empty(Directory.GetDirectories(mount.Registry.Directory));
    }

    [MountFact]
    public async Task AMountPointIsFoundByALinkToIt()
    {
        using TestMount mount = new TestMount().Mounted();
        RegisteredMount entry = mount.Entry;
        string link = mount.MountPoint + "-link";
        File.CreateSymbolicLink(link, mount.MountPoint);

        Assert.Equal(mount.MountPoint, FuseMount.Resolve(link));
        Assert.Equal(mount.MountPoint + "/not/there", FuseMount.Resolve(link + "/not/there"));
        await Task.Run(() => FuseMount.Unmount(link, FuseUnmountMode.Plain)).WaitAsync(TestMount.Patience);

        Assert.True(MountSteering.WaitForEnd(entry, TestMount.Patience), mount.Log);
    }

    /// <summary>A reader that waits for a worker that hangs gets its bytes from the next one, and then nothing is left.</summary>
    private static async Task AssertATerminationAnswersAsync(TestMount mount)
    {
        RegisteredMount entry = mount.Entry;
        using Process reader = TestMount.Start("sha256sum", mount.FilePath);
        await Eventually.WaitsForFuseAsync(reader);

        TestMount.Signal(entry.HolderPid, 15);

        Assert.StartsWith(Digest, await reader.StandardOutput.ReadToEndAsync().WaitAsync(TestMount.Patience), StringComparison.Ordinal);
        await mount.UntilAsync("the holder ends", () => !TestMount.IsAlive(entry.HolderPid));
        Assert.False(TestMount.IsAlive(entry.WorkerPid), mount.Log);
        Assert.Equal([".lock"], Directory.GetFiles(mount.Registry.Directory).Select(file => Path.GetExtension(file)));
    }

    private static int[] Processes(TestMount mount)
        => [.. Directory.GetDirectories("/proc").Select(directory => int.TryParse(Path.GetFileName(directory), out int process) ? process : 0)
            .Where(process => process > 0 && Arguments(process) is [_, .., var last, ""] && last == mount.MountPoint)];

    private static int[] Processes(TestMount mount, string verb) => [.. Processes(mount).Where(process => Arguments(process).Contains(verb, StringComparer.Ordinal))];

    private static string[] Arguments(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Split('\0');
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static async Task AssertReadsAsync(TestMount mount)
    {
        (int code, string text) = await TestMount.RunAsync("sha256sum", mount.FilePath);
        Assert.True(code == 0, $"{text}\n{mount.Log}");
        Assert.StartsWith(Digest, text, StringComparison.Ordinal);
    }
}
