using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.FileSystem.Tests;

/// <summary>
/// Real mounts, used by child processes only: the process that serves a mount must never touch it. Where there is no /dev/fuse, or no right to mount,
/// each test says so and does nothing; the protocol tests cover the logic.
/// </summary>
[Collection("mounts")]
public sealed class MountedTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ATreeIsReadByteForByteTwice(bool passthrough)
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions { Passthrough = passthrough, PassthroughFromBytes = 4096 });
        if (world is null)
        {
            return;
        }

        var sums = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < 40; i++)
        {
            string key = $"tree/d{i % 4}/file-{i:d2}.bin";
            long length = i * 37_171L;
            ObjectStat stat = world.Inner.Memory.PutPattern(key, length);
            sums[key] = Convert.ToHexStringLower(SHA256.HashData(InMemoryUnderStore.PatternOf(stat).Bytes(0, (int)length)));
        }

        string expected = string.Concat(sums.Select(pair => $"{pair.Value}  {pair.Key}\n"));
        Assert.Equal(expected, world.Run("find tree -type f | LC_ALL=C sort | xargs sha256sum"));
        await world.LoadAllAsync(sums.Keys);
        Assert.Equal(expected, world.Run("find tree -type f | LC_ALL=C sort | xargs sha256sum"));
        Assert.Equal("40\n", world.Run("find tree -ls | grep -c file-"));
        Assert.Equal(passthrough && world.HasPassthrough, world.Inner.FileSystem.GetStatus().PassthroughOpens > 0);
    }

    /// <summary>What the kernel does once OPEN is not supported: it never asks again, keeps pages by nodeid, and a file that is overwritten is another one.</summary>
    [Fact]
    public async Task FilesThatOpenWithoutAMessageAreReadOnceAndSeenAnew()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions { Passthrough = false, SilentOpens = true });
        if (world is null)
        {
            return;
        }

        ObjectStat[] stats = [.. Enumerable.Range(0, 30).Select(i => world.Inner.Memory.PutPattern($"file{i:d2}", 1 + (i * 20_011)))];
        string expected = string.Concat(stats.Select(stat => $"{Convert.ToHexStringLower(SHA256.HashData(InMemoryUnderStore.PatternOf(stat).Bytes(0, (int)stat.Length)))}  {stat.Key}\n"));
        Assert.Equal(expected, world.Run("sha256sum file*"));
        long all = stats.Sum(stat => stat.Length);
        await Eventually.TrueAsync("all reads are counted", () => world.Inner.FileSystem.GetStatus().ReadBytes >= all);

        Assert.Equal(expected, world.Run("sha256sum file*"));

        FileSystemStatus twice = world.Inner.FileSystem.GetStatus();
        Assert.Equal((all, 0L, 0L), (twice.ReadBytes, twice.CachedOpens, twice.PassthroughOpens));
        world.Inner.Memory.Put("file00", "another");
        await world.Inner.Mount.RefreshAsync("file00", CancellationToken.None);
        await world.Session.Notifier.FlushAsync();
        Assert.Equal("another", world.Run("cat file00"));
        Assert.Contains("Read-only file system", world.Run("touch new 2>&1 || true"), StringComparison.Ordinal);
        Assert.Contains("Read-only file system", world.Run("(echo x >> file00) 2>&1 || true"), StringComparison.Ordinal);
        Assert.Contains("Read-only file system", world.Run("(: > file00) 2>&1 || true"), StringComparison.Ordinal);
        Assert.Equal("another", world.Run("cat file00"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LentFilesAreReadInPlaceAndStayWhatTheyAreWhenTheirNamesGo(bool passthrough)
    {
        using Lender lender = new();
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions { Passthrough = passthrough }, quotaBytes: 0, lenders: lender);
        if (world is null)
        {
            return;
        }

        ObjectStat[] stats = [.. Enumerable.Range(0, 4).Select(i => world.Inner.Memory.PutPattern($"file{i}", i == 0 ? 3_000_001 : 20_000))];
        foreach (ObjectStat stat in stats)
        {
            lender.Lend(stat);
        }

        string expected = string.Concat(stats.Select(stat => $"{Convert.ToHexStringLower(SHA256.HashData(InMemoryUnderStore.PatternOf(stat).Bytes(0, (int)stat.Length)))}  {stat.Key}\n"));
        Assert.Equal(expected, world.Run("sha256sum file*"));
        Assert.Equal(0, world.Inner.Memory.BytesRead);
        using Process open = world.Start("exec 5< file0; echo open; read go; sha256sum <&5 | cut -c1-64");
        Assert.Equal("open", await open.StandardOutput.ReadLineAsync());
        lender.Unlink("file0");
        await open.StandardInput.WriteLineAsync("go");

        Assert.StartsWith(expected[..64], MountedWorld.Finish(open), StringComparison.Ordinal);
        Assert.Equal(0, world.Inner.Memory.BytesRead);
        Assert.Equal(passthrough && world.HasPassthrough, world.Inner.FileSystem.GetStatus().PassthroughOpens > 0);
    }

    [Fact]
    public async Task PartsOfALargeFileAreReadAtAnyPlaceAndMapped()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions());
        if (world is null)
        {
            return;
        }

        ObjectStat stat = world.Inner.Memory.PutPattern("large", 40_000_003);
        PatternContent content = InMemoryUnderStore.PatternOf(stat);
        foreach ((long offset, int length) in new[] { (39_999_990L, 13), (0L, 4096), (12_345_678L, 1_000_000), (20_000_000L, 17) })
        {
            string sum = Convert.ToHexStringLower(SHA256.HashData(content.Bytes(offset, length)));
            Assert.StartsWith(sum, world.Run($"dd if=large iflag=skip_bytes,count_bytes skip={offset} count={length} bs=64K status=none | sha256sum"), StringComparison.Ordinal);
        }

        string whole = Convert.ToHexStringLower(SHA256.HashData(content.Bytes(0, 40_000_003)));
        Assert.StartsWith(whole, world.Run("python3 -c \"import mmap,hashlib;f=open('large','rb');m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ);print(hashlib.sha256(m).hexdigest())\""), StringComparison.Ordinal);
        Assert.Equal("40000003 78126 1\n", world.Run("stat -c '%s %b %h' large"));
    }

    [Fact]
    public async Task AnOverwrittenFileIsSeenAnewAndAnOpenOneKeepsItsVersion()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions());
        if (world is null)
        {
            return;
        }

        world.Inner.Memory.Put("file", "first");
        Assert.Equal("first", world.Run("cat file"));
        world.Inner.Memory.Put("file", "second, longer");
        Assert.Equal("first", world.Run("cat file"));
        await world.Inner.Mount.RefreshAsync("file", CancellationToken.None);
        await world.Session.Notifier.FlushAsync();

        Assert.Equal("second, longer", world.Run("cat file"));
        world.Inner.Memory.Delete("file");
        await world.Inner.Mount.RefreshAsync("", CancellationToken.None);
        await world.Session.Notifier.FlushAsync();
        Assert.Equal("gone\n", world.Run("cat file 2>/dev/null || echo gone"));
    }

    [Fact]
    public async Task WritesAreRefusedAndHolesAreNotShown()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions());
        if (world is null)
        {
            return;
        }

        world.Inner.Memory.PutPattern("d/file", 1_000_000);

        Assert.Contains("Read-only file system", world.Run("touch d/new 2>&1 || true"), StringComparison.Ordinal);
        Assert.Contains("Read-only file system", world.Run("rm -f d/file 2>&1 || true"), StringComparison.Ordinal);
        Assert.Equal("1000000\n", world.Run("python3 -c \"import os;f=os.open('d/file',os.O_RDONLY);print(os.lseek(f,0,os.SEEK_HOLE))\""));
        Assert.Equal("977\td/file\n", world.Run("du -k d/file"));
        Assert.Equal("d/file\n", world.Run("getfattr -d d/file 2>/dev/null | grep -o 'd/file' || echo d/file"));
    }

    [Fact]
    public async Task ASuccessorSessionGoesOnWithOpenFiles()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions { Passthrough = false });
        if (world is null)
        {
            return;
        }

        ObjectStat stat = world.Inner.Memory.PutPattern("file", 30_000_000);
        string sum = Convert.ToHexStringLower(SHA256.HashData(InMemoryUnderStore.PatternOf(stat).Bytes(0, 30_000_000)));
        using Process reader = world.Start("python3 -c \"import hashlib,time\nf=open('file','rb');h=hashlib.sha256()\nwhile True:\n b=f.read(262144)\n if not b: break\n h.update(b);time.sleep(0.005)\nprint(h.hexdigest())\"");
        for (int i = 0; i < 3; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(120), TimeProvider.System);
            await world.ReplaceSessionAsync();
        }

        Assert.StartsWith(sum, MountedWorld.Finish(reader), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASuccessorSessionTellsTheKernelWhatChangedAndHandsFilesOver()
    {
        await using MountedWorld? world = await MountedWorld.TryStartAsync(output, new FileSystemOptions { PassthroughFromBytes = 4096 });
        if (world is null)
        {
            return;
        }

        world.Inner.Memory.Put("file", "first");
        world.Inner.Memory.PutPattern("large", 500_000);
        await world.LoadAllAsync(["large"]);
        Assert.Equal("first500000\n", world.Run("cat file; cat large | wc -c"));
        Assert.Equal(world.HasPassthrough ? 1 : 0, world.Inner.FileSystem.GetStatus().Backings);

        await world.ReplaceSessionAsync();

        Assert.Equal(world.HasPassthrough ? 1 : 0, world.Inner.FileSystem.GetStatus().Backings);
        Assert.Equal("500000\n", world.Run("cat large | wc -c"));
        Assert.Equal(world.HasPassthrough ? 1 : 0, world.Inner.FileSystem.GetStatus().PassthroughOpens);
        world.Inner.Memory.Put("file", "second, longer");
        await world.Inner.Mount.RefreshAsync("", CancellationToken.None);
        await world.Session.Notifier.FlushAsync();
        Assert.Equal("second, longer", world.Run("cat file"));
    }
}

/// <summary>A file system on a real mount.</summary>
internal sealed class MountedWorld : IAsyncDisposable
{
    private const int TimeoutSeconds = 60;
    private readonly TempDirectory _place = new();
    private readonly FuseDevice _device;

    private MountedWorld(FileSystemOptions options, long quotaBytes, int inodes, IWholeFileSource? lenders)
    {
        Inner = new FileSystemWorld(options, quotaBytes: quotaBytes, withKernel: false, inodes: inodes, lenders: lenders);
        System.IO.Directory.CreateDirectory(Directory);
        _device = FuseMount.Mount(new FuseMountOptions { Directory = Directory, Source = "forebay-test" });
        Session = StartSession(null);
    }

    internal FileSystemWorld Inner { get; }

    internal FuseSession Session { get; private set; }

    internal bool HasPassthrough { get; private set; }

    private string Directory => _place["mount"];

    internal static async Task<MountedWorld?> TryStartAsync(ITestOutputHelper output, FileSystemOptions options, long quotaBytes = 256 << 20, int inodes = 20_000, IWholeFileSource? lenders = null)
    {
        if (!File.Exists(FuseDevice.DevicePath))
        {
            output.WriteLine($"skipped: there is no {FuseDevice.DevicePath}");
            return null;
        }

        try
        {
            var world = new MountedWorld(options, quotaBytes, inodes, lenders);
            FuseConnection connection = await world.Session.Negotiated.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
            world.HasPassthrough = connection.Has(FuseInitFlags.Passthrough) && Environment.IsPrivilegedProcess;
            return world;
        }
        catch (ForebayException error) when (error.Kind is ErrorKind.AccessDenied or ErrorKind.NotSupported)
        {
            output.WriteLine($"skipped: {error.Message}");
            return null;
        }
    }

    internal async Task LoadAllAsync(IEnumerable<string> keys) => await Inner.LoadAsync([.. keys]);

    /// <summary>Runs a shell script in the mount, in another process, and gives what it printed.</summary>
    internal string Run(string script)
    {
        using Process process = Start(script);
        return Finish(process);
    }

    internal Process Start(string script)
    {
        // The directory is entered by the child: this process must not.
        var start = new ProcessStartInfo("timeout") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = "/" };
        foreach (string word in new[] { "-s", "KILL", TimeoutSeconds.ToString(CultureInfo.InvariantCulture), "bash", "-c", $"cd '{Directory}' && {script}" })
        {
            start.ArgumentList.Add(word);
        }

        return Process.Start(start)!;
    }

    internal static string Finish(Process process)
    {
        var errors = new System.Text.StringBuilder();
        process.ErrorDataReceived += (_, line) => errors.Append(line.Data);
        process.BeginErrorReadLine();
        string text = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(TimeoutSeconds + 10)), "the child hangs");
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}: {errors}");
        return text;
    }

    /// <summary>Ends the session as a kill would leave it: what it had taken and not answered is sent again to its successor.</summary>
    internal async Task ReplaceSessionAsync()
    {
        FuseConnection connection = await Session.Negotiated;
        await Session.StopAsync(CancellationToken.None);
        FuseSession old = Session;
        Session = StartSession(connection);
        _ = old;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            FuseMount.Unmount(Directory, FuseUnmountMode.Lazy);
        }
        catch (ForebayException)
        {
            // Never mounted.
        }

        await Session.DisposeAsync();
        _device.Dispose();
        await Inner.DisposeAsync();
        _place.Dispose();
    }

    private FuseSession StartSession(FuseConnection? negotiated)
    {
        if (negotiated is not null)
        {
            Inner.RestartWithoutKernel();
        }

        var session = new FuseSession(
            _device, Inner.FileSystem, new FuseSessionOptions { Connection = new FuseConnectionOptions { ZeroMessageOpen = Inner.Options.SilentOpens } }, negotiated);
        Inner.FileSystem.Attach(_device, session.Notifier);
        session.Start();
        return session;
    }
}

/// <summary>Mounts are used one after the other.</summary>
[CollectionDefinition("mounts", DisableParallelization = true)]
public sealed class MountsCollection;
