using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;
using Xunit.Abstractions;

namespace Forebay.Robustness.Mounts;

/// <summary>The executable as a mount: what it shows, how it fails to begin, how it ends.</summary>
public sealed class MountTests(ITestOutputHelper output)
{
    [MountFact]
    public async Task ADirectoryIsMountedReadAndUnmounted()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);

        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        await mount.MustMountAsync($"file://{mount["source"]}");
        output.WriteLine($"mounted after {System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");

        await AssertSameAsync(mount, mount["source"]);
        await AssertSameAsync(mount, mount["source"]);
        ListedMount listed = await mount.ListedAsync();
        Assert.Equal(($"file://{mount["source"]}", mount.MountPoint), (listed.Source, listed.Directory));
        output.WriteLine($"passthrough: {listed.Passthrough}");
        Finished unmount = await mount.RunAsync("unmount", mount.MountPoint);
        Assert.True(unmount.Code == 0, unmount.Text);
        Assert.Empty(mount.Processes());
        Assert.Equal([".lock", ".log"], Directory.GetFiles(mount["run"]).Select(file => Path.GetExtension(file)).Order(StringComparer.Ordinal));
    }

    [MountFact]
    public async Task TheExecutableIsOneFile()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        Directory.CreateDirectory(mount["alone"]);
        string copy = Path.Combine(mount["alone"], "anything");
        File.Copy(Executable.FilePath, copy);

        Finished mounted = await mount.ShellAsync($"{copy} mount file://{mount["source"]} {mount.MountPoint} --cache {mount["cache"]}:64Mi");

        Assert.True(mounted.Code == 0, $"{mounted.Text}\n{mount.Log}");
        await AssertSameAsync(mount, mount["source"]);
        Finished ended = await mount.ShellAsync($"{copy} unmount {mount.MountPoint} && {copy} fsck {mount["cache"]}");
        Assert.True(ended.Code == 0, ended.Text);
    }

    [MountFact]
    public async Task ABucketIsMountedAndNoSecretIsShown()
    {
        using MountedDirectory mount = new();
        await using PatternSource source = new();
        SourceObject large = source.Put("dir/large", 1, 9 << 20);
        source.Put("small", 1, 12_345);
        mount.Environment["AWS_ACCESS_KEY_ID"] = "id";
        mount.Environment["AWS_SECRET_ACCESS_KEY"] = "secret-6c1d9f";

        await mount.MustMountAsync($"s3://{PatternSource.Bucket}", "-o", $"url={source.Endpoint},endpoint=us-east-1,use_path_request_style,dbglevel=dbg");

        Finished read = await mount.ShellAsync($"cat {mount.MountPoint}/dir/large > {mount["copy"]} && stat -c %s {mount.MountPoint}/small");
        Assert.True(read.Code == 0 && read.Output.Trim() == "12345", $"{read.Text}\n{mount.Log}");
        Assert.Equal(-1, large.Content.FirstMismatch(0, await File.ReadAllBytesAsync(mount["copy"])));
        foreach (int process in mount.Processes())
        {
            Assert.DoesNotContain("secret-6c1d9f", await File.ReadAllTextAsync($"/proc/{process}/cmdline"), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("secret-6c1d9f", mount.Log + (await mount.RunAsync("mount", "--list")).Text + await File.ReadAllTextAsync("/proc/self/mountinfo"), StringComparison.Ordinal);
    }

    [MountFact]
    public async Task CommandsTakePathsInsideTheMount()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");

        Finished load = await mount.RunAsync("load", "--wait", mount.MountPoint);
        Finished stat = await mount.RunAsync("stat", $"{mount.MountPoint}/a/large", "--output", "json");
        Finished status = await mount.RunAsync("status", mount.MountPoint, "--output", "json");
        Finished refresh = await mount.RunAsync("refresh", $"{mount.MountPoint}/a/");
        Finished elsewhere = await mount.RunAsync("stat", $"{mount.MountPoint}/a/large", "/tmp/x");

        Assert.All([load, stat, status, refresh], verb => Assert.True(verb.Code == 0, verb.Text + mount.Log));
        Assert.Contains("\"cachedBytes\":5000000", stat.Output, StringComparison.Ordinal);
        Assert.Contains("underStoreBytesRead", status.Output, StringComparison.Ordinal);
        Assert.Equal(2, elsewhere.Code);
    }

    [MountFact]
    public async Task WhatCannotBeMountedIsToldInASentenceAndLeavesNothing()
    {
        using MountedDirectory mount = new();
        Directory.CreateDirectory(mount["source"]);
        Directory.CreateDirectory(mount["full"]);
        await File.WriteAllTextAsync(mount["full"] + "/file", "x");
        await File.WriteAllTextAsync(mount["passwd"], "id:secret");
        File.SetUnixFileMode(mount["passwd"], UnixFileMode.UserRead | UnixFileMode.OtherRead);
        string good = $"file://{mount["source"]}";

        await AssertFailsAsync(4, "not", "mount", $"file://{mount["nowhere"]}", mount.MountPoint);
        await AssertFailsAsync(3, "mkdir", "mount", good, mount["missing"]);
        await AssertFailsAsync(3, "not a directory", "mount", good, mount["passwd"]);
        await AssertFailsAsync(3, "not empty", "mount", good, mount["full"]);
        await AssertFailsAsync(8, "curl -v http://127.0.0.1:1", "mount", "s3://bucket", mount.MountPoint, "-o", "url=http://127.0.0.1:1,anonymous");
        await AssertFailsAsync(8, "DNS", "mount", "s3://bucket", mount.MountPoint, "-o", "url=http://no-such-host.invalid,anonymous");
        await AssertFailsAsync(2, "did you mean", "mount", good, mount.MountPoint, "-o", "alow_other");
        await AssertFailsAsync(2, "chmod 600", "mount", "s3://bucket", mount.MountPoint, "-o", $"passwd_file={mount["passwd"]}");
        await mount.MustMountAsync(good);
        await AssertFailsAsync(3, "mounted already", "mount", good, mount.MountPoint);
        Assert.Equal(0, (await mount.RunAsync("unmount", mount.MountPoint)).Code);
        await AssertFailsAsync(4, "Nothing is mounted", "unmount", mount.MountPoint);

        async Task AssertFailsAsync(int code, string part, params string[] arguments)
        {
            string[] cache = arguments[0] == "mount" ? ["--cache", $"{mount["cache2"]}:64Mi"] : [];
            Finished failed = await mount.RunAsync([.. arguments, .. cache]);
            Assert.True(failed.Code == code, $"{string.Join(' ', arguments)} ended with {failed.Code}: {failed.Text}\n{mount.Log}");
            Assert.Contains(part, failed.Error, StringComparison.Ordinal);
            Assert.Equal("", failed.Output);
        }
    }

    [MountFact]
    public async Task ACacheThatIsInUseIsRefusedBeforeAnythingIsMounted()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");
        Directory.CreateDirectory(mount["other"]);

        Finished second = await mount.RunAsync("mount", $"file://{mount["source"]}", mount["other"], "--cache", $"{mount["cache"]}:512Mi");

        Assert.True(second.Code == 3, second.Text);
        Assert.Contains("in use", second.Error, StringComparison.Ordinal);
        await mount.ListedAsync();
    }

    [MountFact]
    public async Task AWriteIsRefusedAsReadOnlyAndTheSourceIsNotTouched()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        Finished mounted = await mount.MountAsync($"file://{mount["source"]}", "-o", "rw");
        Assert.Contains("read-only", mounted.Error, StringComparison.Ordinal);
        Assert.Equal(0, mounted.Code);

        Finished write = await mount.ShellAsync($"touch {mount.MountPoint}/new; echo x > {mount.MountPoint}/a/small; rm -f {mount.MountPoint}/a/small; mkdir {mount.MountPoint}/d; true");

        Assert.Equal(4, write.Error.Split("Read-only file system").Length - 1);
        Assert.Equal("small file\n", await File.ReadAllTextAsync(Path.Combine(mount["source"], "a", "small")));
    }

    [MountFact]
    public async Task AMountInTheForegroundEndsWithItsCommand()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        using System.Diagnostics.Process command = mount.Start(Executable.FilePath, "mount", "-f", $"file://{mount["source"]}", mount.MountPoint, "--cache", $"{mount["cache"]}:64Mi");
        Assert.StartsWith("mounted", await command.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        await AssertSameAsync(mount, mount["source"]);

        MountedDirectory.Kill(command.Id, 15);

        await command.WaitForExitAsync().WaitAsync(MountedDirectory.Patience);
        Assert.Equal(0, command.ExitCode);
        Assert.False(mount.IsMounted);
        await Eventually.TrueAsync("all processes end", () => mount.Processes().Length == 0);
    }

    [MountFact]
    public async Task MountFindsItsHelperByName()
    {
        using MountedDirectory mount = new();
        MakeTree(mount["source"]);
        File.CreateSymbolicLink(mount["mount.fuse.forebay"], Executable.FilePath);

        Finished helper = await mount.ShellAsync($"{mount["mount.fuse.forebay"]} file://{mount["source"]} {mount.MountPoint} -o rw,noatime,_netdev,use_cache={mount["caches"]},cache_size=64Mi -t fuse.forebay");

        Assert.True(helper.Code == 0, helper.Text + mount.Log);
        await AssertSameAsync(mount, mount["source"]);
    }

    internal static void MakeTree(string root)
    {
        Directory.CreateDirectory(Path.Combine(root, "a", "b c"));
        File.WriteAllText(Path.Combine(root, "a", "small"), "small file\n");
        File.WriteAllText(Path.Combine(root, "a", "empty"), "");
        File.WriteAllText(Path.Combine(root, "a", "b c", "ü"), "name\n");
        byte[] large = new byte[5_000_000];
        new Random(7).NextBytes(large);
        File.WriteAllBytes(Path.Combine(root, "a", "large"), large);
    }

    private static async Task AssertSameAsync(MountedDirectory mount, string source)
    {
        Finished difference = await mount.ShellAsync($"diff -r {source} {mount.MountPoint}");
        Assert.True(difference.Code == 0, $"{difference.Text}\n{mount.Log}");
    }
}
