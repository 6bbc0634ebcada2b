using System.Diagnostics;
using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests.Mounts;

/// <summary>A test over a real mount; skipped with the reason where that cannot be.</summary>
internal sealed class MountFactAttribute : FactAttribute
{
    public MountFactAttribute() => Skip = Reason;

    private static string? Reason => !File.Exists(FuseDevice.DevicePath) ? $"needs {FuseDevice.DevicePath}" : Environment.IsPrivilegedProcess ? null : "needs root: it mounts";
}

/// <summary>A mounted <see cref="MemoryFileSystem"/>. Only child processes touch it.</summary>
internal sealed class TestMount : IAsyncDisposable
{
    private readonly TempDirectory _place = new();

    private TestMount(MemoryFileSystem fileSystem, FuseDevice device, FuseSession session, NotingObserver observer)
    {
        FileSystem = fileSystem;
        Device = device;
        Session = session;
        Observer = observer;
    }

    internal MemoryFileSystem FileSystem { get; }

    internal FuseDevice Device { get; }

    internal FuseSession Session { get; set; }

    internal NotingObserver Observer { get; }

    internal string Path => _place.Path;

    internal string this[string name] => _place[name];

    /// <summary>Waits for what the kernel does on its own time.</summary>
    internal static void Eventually(Func<bool> condition, string what) => Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(20)), what);

    internal static async Task<TestMount> StartAsync(MemoryFileSystem fileSystem, Func<FuseConnectionOptions, FuseConnectionOptions>? change = null)
    {
        FuseDevice device = FuseDevice.Open();
        NotingObserver observer = new();
        FuseSessionOptions options = new() { Threads = 2, Observer = observer, Connection = change?.Invoke(new FuseConnectionOptions()) ?? new FuseConnectionOptions() };
        fileSystem.Device = device;
        TestMount mount = new(fileSystem, device, new FuseSession(device, fileSystem, options), observer);
        FuseMount.Attach(device, new FuseMountOptions { Directory = mount.Path, Source = "a test, with \\ and space", ReadOnly = false });
        mount.Session.Start();
        await mount.Session.Negotiated.WaitAsync(TimeSpan.FromSeconds(10));
        return mount;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (FuseUnmountMode mode in new[] { FuseUnmountMode.Force, FuseUnmountMode.Lazy })
        {
            try
            {
                FuseMount.Unmount(Path, mode);
            }
            catch (ForebayException)
            {
                // Not mounted any more, or in use: then lazily.
            }
        }

        await Session.DisposeAsync();
        Device.Dispose();
        Assert.Null(MountEntry.Find(Path));
        _place.Dispose();
    }
}

/// <summary>Programs that touch the mount, killed after a time-out.</summary>
internal static class Child
{
    /// <summary>Runs a program to its end.</summary>
    internal static async Task<ChildResult> RunAsync(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        MemoryStream output = new();
        await process.StandardOutput.BaseStream.CopyToAsync(output);
        await process.WaitForExitAsync();
        return new ChildResult(process.ExitCode, output.ToArray(), await error);
    }

    /// <summary>Runs a line of bash to its end.</summary>
    internal static Task<ChildResult> ShellAsync(string line) => RunAsync("bash", "-c", line);

    /// <summary>Starts a program; <c>timeout</c> kills it after 30 s.</summary>
    internal static Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new("timeout") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/", ArgumentList = { "-s", "KILL", "30", program } };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}

/// <summary>How a program ended.</summary>
internal sealed record ChildResult(int ExitCode, byte[] Output, string Error)
{
    internal string Text => System.Text.Encoding.UTF8.GetString(Output).TrimEnd();
}
