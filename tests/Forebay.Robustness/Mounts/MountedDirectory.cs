using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Forebay.Robustness.Nodes;

namespace Forebay.Robustness.Mounts;

/// <summary>One mount as <c>mount --list --output json</c> tells it.</summary>
internal sealed record ListedMount(string Source, string Directory, int HolderPid, int WorkerPid, bool Passthrough);

/// <summary>A mount of the executable under test, with runtime and cache directories of its own. Disposing leaves neither mount nor process behind.</summary>
internal sealed class MountedDirectory : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TempDirectory _directory = new();
    private readonly Dictionary<string, string> _environment = new(StringComparer.Ordinal);

    public MountedDirectory()
    {
        Directory.CreateDirectory(MountPoint);
        _environment["FOREBAY_RUNTIME_DIR"] = _directory["run"];
    }

    public string MountPoint => _directory["mnt"];

    public string this[string name] => _directory[name];

    public Dictionary<string, string> Environment => _environment;

    /// <summary>What the processes logged.</summary>
    public string Log => string.Concat(Directory.Exists(_directory["run"]) ? Directory.GetFiles(_directory["run"], "*.log").Select(File.ReadAllText) : []);

    /// <summary>Runs <c>forebay mount SOURCE DIR</c> with these options.</summary>
    public Task<Finished> MountAsync(string source, params string[] options) => RunAsync(["mount", source, MountPoint, "--cache", $"{_directory["cache"]}:512Mi", .. options]);

    /// <summary>Mounts and expects it to succeed.</summary>
    public async Task MustMountAsync(string source, params string[] options)
    {
        Finished mount = await MountAsync(source, options);
        Assert.True(mount.Code == 0, $"mount ended with {mount.Code}: {mount.Text}\n{Log}");
    }

    /// <summary>Runs the executable under test to its end.</summary>
    public Task<Finished> RunAsync(params string[] arguments) => FinishAsync(Start(Executable.FilePath, arguments));

    /// <summary>Runs a program that may touch the mount: this process never does.</summary>
    public Task<Finished> ShellAsync(string script) => FinishAsync(Start("bash", "-c", script));

    public Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("FOREBAY_", StringComparison.Ordinal) || name.StartsWith("AWS_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>The only mount in the list.</summary>
    public async Task<ListedMount> ListedAsync()
    {
        Finished list = await RunAsync("mount", "--list", "--output", "json");
        Assert.True(list.Code == 0, list.Text);
        using JsonDocument json = JsonDocument.Parse(list.Output);
        JsonElement mount = Assert.Single(json.RootElement.EnumerateArray().ToList());
        return new ListedMount(
            mount.GetProperty("source").GetString()!, mount.GetProperty("directory").GetString()!, mount.GetProperty("holderPid").GetInt32(), mount.GetProperty("workerPid").GetInt32(), mount.GetProperty("passthrough").GetBoolean());
    }

    /// <summary>The entry of the registry, read without starting a process: for loops of kills. Null while there is none.</summary>
    public ListedMount? Peek()
    {
        foreach (string file in Directory.GetFiles(_directory["run"], "*.mount"))
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(file));
            JsonElement mount = json.RootElement;
            return new ListedMount("", MountPoint, mount.GetProperty("holderPid").GetInt32(), mount.GetProperty("workerPid").GetInt32(), mount.GetProperty("passthrough").GetBoolean());
        }

        return null;
    }

    /// <summary>Processes of this mount: holder, worker, standby.</summary>
    public int[] Processes()
        => [.. Directory.GetDirectories("/proc").Select(path => int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int process) ? process : 0)
            .Where(process => process > 0 && Arguments(process) is [_, "mount-holder" or "mount-worker", ..] arguments && arguments.Contains(MountPoint, StringComparer.Ordinal))];

    public bool IsMounted => File.ReadAllText("/proc/self/mountinfo").Contains($" {MountPoint} ", StringComparison.Ordinal);

    public static bool Kill(int process, int signal = 9) => kill(process, signal) == 0;

    public void Dispose()
    {
        for (int i = 0; i < 3 && IsMounted; i++)
        {
            using Process unmount = Process.Start("umount", ["-f", "-l", MountPoint]);
            unmount.WaitForExit(5000);
        }

        long started = Stopwatch.GetTimestamp();
        while (Processes() is { Length: > 0 } left)
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(5))
            {
                foreach (int process in left)
                {
                    Kill(process);
                }
            }

            Thread.Yield();
        }

        _directory.Dispose();
    }

    private static async Task<Finished> FinishAsync(Process process)
    {
        using (process)
        {
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
                Assert.Fail($"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)} did not end within {Patience.TotalSeconds} s");
            }

            return new Finished(process.ExitCode, await output, await error);
        }
    }

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

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int kill(int process, int signal);
}

/// <summary>How a program ended.</summary>
internal sealed record Finished(int Code, string Output, string Error)
{
    public string Text => Output + Error;
}
