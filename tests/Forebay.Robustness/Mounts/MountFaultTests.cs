using System.Diagnostics;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness.Mounts;

/// <summary>What a mount does when source or cache disk fail under it, and that it never shows a mixture.</summary>
public sealed class MountFaultTests
{
    private const int FileBytes = 3 << 20;

    /// <summary>Within this, whatever fails has failed.</summary>
    private static readonly TimeSpan Bounded = TimeSpan.FromSeconds(12);

    [MountFact]
    public async Task WhatIsCachedStaysReadableWhenTheSourceIsLostAndTheRestFailsInTime()
    {
        await using PatternSource source = new();
        using MountedDirectory mount = await MountAsync(source);
        await AssertReadsAsync(mount, source, "dir/cached");
        Assert.Equal("cached\nother\n", (await mount.ShellAsync($"ls {mount.MountPoint}/dir")).Text);
        await source.StopAsync();

        for (int round = 0; round < 2; round++)
        {
            await AssertReadsAsync(mount, source, "dir/cached");
            Finished list = await mount.ShellAsync($"ls {mount.MountPoint}/dir");
            Assert.Equal("cached\nother\n", list.Text);
        }

        long started = Stopwatch.GetTimestamp();
        Finished other = await mount.ShellAsync($"cat {mount.MountPoint}/dir/other");
        Assert.Contains("Input/output error", other.Error, StringComparison.Ordinal);
        Assert.True(Stopwatch.GetElapsedTime(started) < Bounded, $"the error took {Stopwatch.GetElapsedTime(started)}");
        Assert.Contains("dir/other", mount.Log, StringComparison.Ordinal);

        source.Restart();
        await AssertReadsAsync(mount, source, "dir/other");
        await AssertLeavesNothingAsync(mount);
    }

    [MountFact]
    public async Task ASourceThatHangsHangsNeitherListingsNorUnmounting()
    {
        await using PatternSource source = new();
        using MountedDirectory mount = await MountAsync(source);
        await AssertReadsAsync(mount, source, "dir/cached");
        Assert.Equal("4\n", (await mount.ShellAsync($"find {mount.MountPoint} | wc -l")).Text);
        source.Faults = static _ => new SourceFault(FaultKind.Silence);
        using Process waiting = mount.Start("cat", $"{mount.MountPoint}/dir/other");
        using Process alsoWaiting = mount.Start("cat", $"{mount.MountPoint}/dir/other");

        long started = Stopwatch.GetTimestamp();
        Finished list = await mount.ShellAsync($"ls -l {mount.MountPoint}/dir && find {mount.MountPoint} | wc -l");
        Assert.True(list.Code == 0, list.Text);
        await AssertReadsAsync(mount, source, "dir/cached");
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(3), $"listing and reading took {Stopwatch.GetElapsedTime(started)}");

        // A program that waits goes when it is told to; one that stays makes the mount busy, until it is forced.
        MountedDirectory.Kill(waiting.Id, 15);
        await waiting.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(3));
        Finished busy = await mount.RunAsync("unmount", mount.MountPoint);
        Assert.True(busy.Code == 3, busy.Text);
        Assert.Contains("--lazy", busy.Error, StringComparison.Ordinal);
        Finished forced = await mount.RunAsync("unmount", "--force", mount.MountPoint);
        Assert.True(forced.Code == 0, forced.Text + mount.Log);
        await alsoWaiting.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(3));
        await AssertNothingIsLeftAsync(mount);
        Assert.True(Stopwatch.GetElapsedTime(started) < Bounded, $"all of it took {Stopwatch.GetElapsedTime(started)}");
    }

    [MountFact]
    public async Task AFullCacheDiskIsReadPast()
    {
        await using PatternSource source = new();
        using MountedDirectory mount = new();
        Directory.CreateDirectory(mount["cache"]);
        Assert.Equal(0, (await mount.ShellAsync($"mount -t tmpfs -o size=5m tmpfs {mount["cache"]}")).Code);
        try
        {
            // The quota is larger than the disk.
            await MountAsync(source, mount);
            for (int round = 0; round < 2; round++)
            {
                await AssertReadsAsync(mount, source, "dir/cached");
                await AssertReadsAsync(mount, source, "dir/other");
            }

            await AssertLeavesNothingAsync(mount);
        }
        finally
        {
            await mount.ShellAsync($"umount -l {mount["cache"]}");
        }
    }

    [MountFact]
    public async Task ACacheDirectoryThatVanishesIsReadPast()
    {
        await using PatternSource source = new();
        using MountedDirectory mount = await MountAsync(source);
        await AssertReadsAsync(mount, source, "dir/cached");

        Directory.Delete(mount["cache"], recursive: true);

        for (int round = 0; round < 2; round++)
        {
            await AssertReadsAsync(mount, source, "dir/cached");
            await AssertReadsAsync(mount, source, "dir/other");
        }

        await AssertLeavesNothingAsync(mount);
    }

    [MountFact]
    public async Task AnObjectOverwrittenWhileItIsOpenIsReadAsItWasOrNotAtAll()
    {
        const string Reader = """
            import errno, os, sys
            file = os.open(sys.argv[1], os.O_RDONLY)
            out = open(sys.argv[2], "wb")
            said = "whole"
            try:
                out.write(os.pread(file, 100_000, 0))
                print("open", flush=True)
                sys.stdin.readline()
                while piece := os.pread(file, 300_000, out.tell()):
                    out.write(piece)
            except OSError as e:
                said = errno.errorcode[e.errno]
            out.close()
            print(said, flush=True)
            """;
        await using PatternSource source = new();
        using MountedDirectory mount = await MountAsync(source);
        for (int round = 0; round < 3; round++)
        {
            // Of the same length, with what is read ahead still under way.
            SourceObject before = source.Put("dir/changing", 10 + (2 * round), 8 << 20);
            await mount.RunAsync("refresh", mount.MountPoint);
            source.PieceDelay = TimeSpan.FromMilliseconds(2);
            using Process reader = mount.Start("python3", "-c", Reader, $"{mount.MountPoint}/dir/changing", mount["copy"]);
            Assert.Equal("open", await reader.StandardOutput.ReadLineAsync());
            SourceObject after = source.Put("dir/changing", 11 + (2 * round), 8 << 20);
            if (round > 0)
            {
                Finished refresh = await mount.RunAsync("refresh", mount.MountPoint);
                Assert.True(refresh.Code == 0, refresh.Text);
            }

            await reader.StandardInput.WriteLineAsync();
            string? said = await reader.StandardOutput.ReadLineAsync().WaitAsync(MountedDirectory.Patience);
            source.PieceDelay = null;
            byte[] copy = await File.ReadAllBytesAsync(mount["copy"]);

            Assert.True(said is "whole" or "ESTALE", $"the reader was told {said}\n{mount.Log}");
            Assert.True(before.Content.Matches(0, copy), $"byte {before.Content.FirstMismatch(0, copy)} is of another version");
            Assert.Equal(said == "whole", copy.Length == before.Length);
            await mount.RunAsync("refresh", mount.MountPoint);
            await AssertReadsAsync(mount, source, "dir/changing");
            Assert.Equal(after, source.Object("dir/changing"));
        }
    }

    [MountFact]
    public async Task NamesTheKernelCannotShowAreLeftOutAndNamedInTheLog()
    {
        await using PatternSource source = new();
        string[] segments = [.. Enumerable.Repeat(new string('x', 204), 5)];
        string longest = string.Join('/', segments)[..^4] + "/end";
        Assert.Equal(1024, longest.Length);
        string[] shown = ["a/plain", "e/f", "trail/below", "ü/ö", "100% & <odd> \"name\" + #?", longest];
        string[] hidden = ["a//empty", "/lead", "a/./dot", "a/../dots", "e", new string('y', 256)];
        foreach (string key in (string[])[.. shown, .. hidden])
        {
            source.Put(key, 1, 1000 + key.Length);
        }

        source.Put("trail/", 1, 0);
        using MountedDirectory mount = new();
        await MountAsync(source, mount);

        Finished find = await mount.ShellAsync($"cd {mount.MountPoint} && find . -type f -printf '%P\\n'");
        Assert.True(find.Code == 0, find.Text + mount.Log);
        Assert.Equal([.. shown.Append("dir/cached").Append("dir/other").Order(StringComparer.Ordinal)], find.Output.TrimEnd('\n').Split('\n').Order(StringComparer.Ordinal));
        foreach (string key in shown)
        {
            await AssertReadsAsync(mount, source, key);
        }

        Finished isDirectory = await mount.ShellAsync($"test -d {mount.MountPoint}/e && test -d {mount.MountPoint}/trail && ! test -e {mount.MountPoint}/{hidden[^1]}");
        Assert.True(isDirectory.Code == 0, "a key that is a prefix, too, is not shown as its directory");
        foreach (string key in hidden)
        {
            string part = key.Contains("//", StringComparison.Ordinal) ? "a//" : key.Contains("./", StringComparison.Ordinal) ? key[..(key.IndexOf("./", StringComparison.Ordinal) + 2)] : key == "/lead" ? "\"/\"" : key;
            Assert.Contains(part, mount.Log.Replace('\'', '"'), StringComparison.Ordinal);
        }
    }

    private static async Task<MountedDirectory> MountAsync(PatternSource source)
    {
        MountedDirectory mount = new();
        await MountAsync(source, mount);
        return mount;
    }

    private static Task MountAsync(PatternSource source, MountedDirectory mount)
    {
        source.Put("dir/cached", 1, FileBytes);
        source.Put("dir/other", 1, FileBytes + 100);
        return mount.MustMountAsync($"s3://{PatternSource.Bucket}", "-o", $"url={source.Endpoint},endpoint=us-east-1,use_path_request_style,anonymous,dbglevel=info");
    }

    private static async Task AssertReadsAsync(MountedDirectory mount, PatternSource source, string key)
    {
        SourceObject wanted = source.Object(key);
        using Process read = mount.Start("cp", "--", $"{mount.MountPoint}/{key}", mount["read"]);
        string error = await read.StandardError.ReadToEndAsync().WaitAsync(MountedDirectory.Patience);
        await read.WaitForExitAsync();
        Assert.True(read.ExitCode == 0, $"{key}: {error}\n{mount.Log}");
        byte[] bytes = await File.ReadAllBytesAsync(mount["read"]);
        Assert.Equal(wanted.Length, bytes.Length);
        Assert.True(wanted.Content.Matches(0, bytes), $"byte {wanted.Content.FirstMismatch(0, bytes)} of {key} is wrong");
    }

    private static async Task AssertLeavesNothingAsync(MountedDirectory mount)
    {
        Finished unmount = await mount.RunAsync("unmount", mount.MountPoint);
        Assert.True(unmount.Code == 0, unmount.Text + mount.Log);
        await AssertNothingIsLeftAsync(mount);
    }

    /// <summary>No mount, no process, no entry, no socket.</summary>
    internal static async Task AssertNothingIsLeftAsync(MountedDirectory mount)
    {
        await Eventually.TrueAsync("all processes end", () => mount.Processes().Length == 0, TimeSpan.FromSeconds(15));
        Assert.False(mount.IsMounted);
        Assert.Equal([".lock", ".log"], Directory.GetFiles(mount["run"]).Select(file => Path.GetExtension(file)).Order(StringComparer.Ordinal));
    }
}
