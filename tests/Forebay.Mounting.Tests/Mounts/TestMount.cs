using System.Diagnostics;
using System.Runtime.InteropServices;
using Forebay.Fuse;
using Forebay.Mounting.Launching;
using Forebay.Mounting.Registry;

namespace Forebay.Mounting.Tests.Mounts;

/// <summary>A mount of this program on a directory of its own. Disposing leaves neither mount nor process behind, whatever the test did.</summary>
internal sealed class TestMount : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TempDirectory _directory = new();
    private RunningMount? _running;

    public TestMount(string source = "pattern", bool standby = true)
    {
        Directory.CreateDirectory(_directory["mount"]);
        Directory.CreateDirectory(TemporaryFiles);
        Registry = new MountRegistry(_directory["run"]);
        Registry.EnsureDirectory();
        Description = new MountDescription
        {
            Source = source,
            SourceArgument = source,
            Name = "pattern",
            Directory = _directory["mount"],
            Executable = Dotnet(),
            ExecutableArguments = ["exec", typeof(TestMount).Assembly.Location],
            Environment = MountEnvironment.ForWorker(new Dictionary<string, string?> { ["AWS_SECRET_ACCESS_KEY"] = "hunter2", ["TMPDIR"] = TemporaryFiles }),
            RegionBytes = 1 << 20,
            RuntimeDirectory = _directory["run"],
            LogFile = _directory["log"],
            Standby = standby,
        };
    }

    public MountDescription Description { get; set; }

    public MountRegistry Registry { get; }

    public string MountPoint => Description.Directory;

    /// <summary>Where the worker makes its temporary files.</summary>
    public string TemporaryFiles => _directory["temporary"];

    public string FilePath => Path.Combine(MountPoint, PatternFileSystem.FileName);

    public string Log => File.Exists(_directory["log"]) ? File.ReadAllText(_directory["log"]) : "";

    /// <summary>What the registry says at this moment.</summary>
    public RegisteredMount Entry => Registry.Find(MountPoint) ?? throw new InvalidOperationException($"the mount is not registered:\n{Log}");

    public bool IsMounted => MountEntry.Find(MountPoint) is not null;

    public LaunchResult Launch(CancellationToken cancellationToken = default)
    {
        LaunchResult result = MountLauncher.Launch(Description, cancellationToken);
        _running = result.Running;
        return result;
    }

    public TestMount Mounted()
    {
        LaunchResult result = Launch();
        Assert.True(result.ExitCode == 0, $"{result.Sentence}\n{Log}");
        return this;
    }

    /// <summary>Runs a program that touches the mount; this process never does.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource limit = new(Patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within {Patience.TotalSeconds} s");
        }

        return (process.ExitCode, await output + await error);
    }

    public static Process Start(string program, params string[] arguments)
        => Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;

    public static void Signal(int process, int signal) => Assert.Equal(0, kill(process, signal));

    /// <summary>Waits for something that another process brings about.</summary>
    public Task UntilAsync(string what, Func<bool> condition) => Eventually.TrueAsync(what, condition, Patience, () => Log);

    public static bool IsAlive(int process) => File.Exists($"/proc/{process}/stat") && !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);

    public void Dispose()
    {
        _running?.Dispose();
        if (IsMounted)
        {
            try
            {
                FuseMount.Unmount(MountPoint, FuseUnmountMode.Force);
            }
            catch (ForebayException)
            {
                FuseMount.Unmount(MountPoint, FuseUnmountMode.Lazy);
            }
        }

        foreach (string file in Directory.GetFiles("/proc", "cmdline", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, IgnoreInaccessible = true }))
        {
            // Only those of this mount: its directory is in their arguments.
            if (int.TryParse(Path.GetFileName(Path.GetDirectoryName(file)), out int process) && process != Environment.ProcessId && ReadArguments(file).Contains(MountPoint, StringComparer.Ordinal)
                && ReadArguments(file).Any(argument => argument is MountProcesses.HolderVerb or MountProcesses.WorkerVerb) && !Exits(process))
            {
                _ = kill(process, 9);
            }
        }

        _directory.Dispose();
    }

    private static bool Exits(int process)
    {
        long started = Stopwatch.GetTimestamp();
        while (IsAlive(process) && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5))
        {
            Thread.Yield();
        }

        return !IsAlive(process);
    }

    private static string[] ReadArguments(string file)
    {
        try
        {
            return File.ReadAllText(file).Split('\0');
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string Dotnet()
        => Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path
            : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? throw new InvalidOperationException("the dotnet that runs the tests cannot be told");

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int process, int signal);
}

/// <summary>A test that mounts; skipped, with the reason, where that is not possible.</summary>
internal sealed class MountFactAttribute : FactAttribute
{
    public MountFactAttribute()
    {
        if (!File.Exists("/dev/fuse"))
        {
            Skip = "there is no /dev/fuse";
        }
        else if (Environment.UserName != "root")
        {
            Skip = "only root mounts here";
        }
    }
}
