using System.Diagnostics;
using Forebay.Core;
using Forebay.Testing;
using Forebay.UnderStores.Local;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.UnderStores.Tests;

/// <summary>What only a file system has: links, pipes, directories, names that are no text.</summary>
public sealed class LocalUnderStoreTests : IAsyncLifetime
{
    private readonly TempDirectory _directory = new();
    private readonly CancellationToken _token = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;
    private LocalUnderStore _store = null!;

    private string Root => _directory["root"];

    public Task InitializeAsync()
    {
        Directory.CreateDirectory(Path.Combine(Root, "sub"));
        File.WriteAllText(Path.Combine(Root, "sub", "inside.txt"), "inside");
        File.WriteAllText(_directory["outside.txt"], "outside");
        Directory.CreateDirectory(_directory["rootless"]);
        File.WriteAllText(_directory["rootless/x"], "outside");
        _store = new LocalUnderStore(LocalConformanceTests.OptionsOf(Root), 2, TimeProvider.System);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public void AListingThatIsGivenUpEndsAlsoWhileItReadsNamesThatNobodyWants()
    {
        using CancellationTokenSource given = new();
        given.Cancel();
        LocalListing listing = new(new LocalFile(Root, "root"), new ListQuery("sub/none", null, null, 10), given.Token);

        Assert.Throws<OperationCanceledException>(() => listing.ReadPage());
    }

    /// <summary>A file system tells times by ticks: what is written within the one of the last change has its time, too.</summary>
    [Theory]
    [InlineData(3, 7)]
    [InlineData(-2, 12)]
    public async Task AFileThatWasJustChangedIsReadWhenNothingMoreCanComeUnderItsTime(int age, int wait)
    {
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        await using LocalUnderStore store = new(LocalConformanceTests.OptionsOf(Root), 2, time);
        string path = Path.Combine(Root, "sub/inside.txt");
        DateTime changed = time.GetUtcNow().UtcDateTime.AddMilliseconds(-age);
        File.SetLastWriteTimeUtc(path, changed);
        ObjectStat stat = await store.StatAsync("sub/inside.txt", null, _token);

        Task<byte[]> reading = store.ReadAllAsync("sub/inside.txt", new ByteRange(0, 100), stat.Token, cancellationToken: _token);
        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 1 || reading.IsCompleted, TimeSpan.FromSeconds(30)));
        Assert.False(reading.IsCompleted, "it was read while it could change unseen");
        time.Advance(TimeSpan.FromMilliseconds(wait - 1));
        Assert.Equal(1, time.ArmedTimers);
        await File.WriteAllTextAsync(path, "INSIDE", _token);
        File.SetLastWriteTimeUtc(path, changed);
        time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal("INSIDE"u8.ToArray(), await reading);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(-10)]
    public async Task AFileThatWasChangedBeforeOrByAnotherClockIsReadAtOnce(int age)
    {
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        await using LocalUnderStore store = new(LocalConformanceTests.OptionsOf(Root), 2, time);
        File.SetLastWriteTimeUtc(Path.Combine(Root, "sub/inside.txt"), time.GetUtcNow().UtcDateTime.AddMilliseconds(-age));

        Assert.Equal("inside"u8.ToArray(), await store.ReadAllAsync("sub/inside.txt", new ByteRange(0, 100), cancellationToken: _token));
    }

    [Fact]
    public async Task AReaderThatLeavesAFileThatWasJustChangedGivesItsDescriptorBack()
    {
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        await using LocalUnderStore store = new(LocalConformanceTests.OptionsOf(Root), 2, time);
        string path = Path.Combine(Root, "sub/inside.txt");
        File.SetLastWriteTimeUtc(path, time.GetUtcNow().UtcDateTime);
        using CancellationTokenSource leaves = new();
        Task<byte[]> reading = store.ReadAllAsync("sub/inside.txt", new ByteRange(0, 100), cancellationToken: leaves.Token);
        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 1, TimeSpan.FromSeconds(30)));
        Assert.Contains(path, OpenFiles());

        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.DoesNotContain(path, OpenFiles());

        static IEnumerable<string?> OpenFiles() => [.. Directory.GetFiles("/proc/self/fd").Select(fd => new FileInfo(fd).LinkTarget)];
    }

    [Fact]
    public async Task LinksAreFollowedOnlyInsideTheRoot()
    {
        Link("relative", "sub/inside.txt");
        Link("absolute", Path.Combine(Root, "sub/inside.txt"));
        Link("dirlink", "sub");
        Link("escape", "../outside.txt");
        Link("escape-absolute", _directory["outside.txt"]);
        Link("escape-dir", "../rootless");
        Link("dangling", "nowhere");

        foreach (string key in new[] { "relative", "absolute", "dirlink/inside.txt" })
        {
            Assert.Equal("inside"u8.ToArray(), await _store.ReadAllAsync(key, new ByteRange(0, 100), cancellationToken: _token));
        }

        foreach (string key in new[] { "escape", "escape-absolute", "escape-dir/x", "dangling" })
        {
            await NotFoundAsync(key);
        }

        string[] names = [.. (await _store.ListAllAsync(cancellationToken: _token)).Select(entry => entry.Name)];
        Assert.Equal(["absolute", "dirlink/inside.txt", "relative", "sub/inside.txt"], names);
        Assert.True(_store.SkippedNames >= 3, "links that lead outside are counted");
    }

    [Fact]
    public async Task ALinkToAnAncestorDoesNotMakeTheListingEndless()
    {
        Link("sub/up", "..");

        Assert.Equal(["sub/inside.txt"], (await _store.ListAllAsync(cancellationToken: _token)).Select(entry => entry.Name));
    }

    [Theory]
    [InlineData("../outside.txt")]
    [InlineData("sub/../../outside.txt")]
    [InlineData("sub/../sub/inside.txt")]
    [InlineData("./sub/inside.txt")]
    [InlineData("sub//inside.txt")]
    [InlineData("/etc/passwd")]
    [InlineData("sub")]
    [InlineData("sub/")]
    [InlineData("sub/inside.txt/")]
    [InlineData("nul\0byte")]
    public async Task OddPathsAreNotFoundAndNeverAnEscape(string key) => await NotFoundAsync(key);

    [Fact]
    public async Task PipesAreNotObjectsAndDoNotHang()
    {
        await ShellAsync("mkfifo root/pipe");

        await NotFoundAsync("pipe");
        Assert.Equal(["sub/inside.txt"], (await _store.ListAllAsync(cancellationToken: _token)).Select(entry => entry.Name));
    }

    [Fact]
    public async Task NamesThatAreNotUtf8AreSkippedAndCounted()
    {
        await ShellAsync("touch $'root/bad\\xff' $'root/real\\xef\\xbf\\xbd'");

        List<ListEntry> entries = await _store.ListAllAsync(cancellationToken: _token);
        await ShellAsync("rm root/bad*"); // the runtime cannot delete it either

        Assert.Equal(["real\uFFFD", "sub/inside.txt"], entries.Select(entry => entry.Name));
        Assert.Equal(1, _store.SkippedNames);
    }

    [Fact]
    public async Task DirectoriesAreShownAsPrefixesAlsoWhenEmpty()
    {
        Directory.CreateDirectory(Path.Combine(Root, "empty"));

        List<ListEntry> entries = await _store.ListAllAsync("", "/", cancellationToken: _token);

        Assert.Equal(["empty/", "sub/"], entries.Select(entry => entry.Name));
        Assert.All(entries, entry => Assert.True(entry.IsPrefix));
    }

    [Fact]
    public async Task AFileChangedInPlaceDuringAReadIsStale()
    {
        string path = Path.Combine(Root, "big");
        await File.WriteAllBytesAsync(path, new byte[3 << 20], _token);
        await using UnderStoreRead read = await _store.ReadAsync("big", new ByteRange(0, 3 << 20), null, null, _token);
        _ = await read.ReadAsync(new byte[100], _token);

        using (FileStream file = new(path, FileMode.Open, FileAccess.Write))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(1);
        }

        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => read.ReadToEndAsync(_token));
        Assert.Equal(ErrorKind.StaleVersion, error.Kind);
    }

    /// <summary>One write(2) that takes far longer than <see cref="LocalUnderStore.SettlingTime"/>: its end is read only when it is there.</summary>
    [Fact]
    public async Task AWriteThatTakesLongIsWaitedFor()
    {
        const int Length = 256 << 20;
        string path = Path.Combine(Root, "slow");
        byte[] content = new byte[Length];
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, content, 0);
        int readBeside = 0;
        for (byte version = 1; version <= 40 && readBeside < 3; version++)
        {
            ObjectStat before = await _store.StatAsync("slow", null, _token);
            Array.Fill(content, version);
            Task write = Task.Factory.StartNew(() => RandomAccess.Write(file, content, 0), _token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            ObjectStat begun;
            while ((begun = await _store.StatAsync("slow", null, _token)).Token == before.Token && !write.IsFaulted)
            {
                await Task.Yield();
            }

            bool isBeside = !write.IsCompleted;
            await using UnderStoreRead read = await _store.ReadAsync("slow", new ByteRange(Length - 1000, 1000), begun.Token, null, _token);
            byte[] end = await read.ReadToEndAsync(_token);

            Assert.Equal(1000, end.Count(value => value == version));
            await write;
            readBeside += isBeside ? 1 : 0;
        }

        Assert.Equal(3, readBeside);
    }

    [Fact]
    public async Task ContentTypeFollowsTheExtension()
    {
        Assert.Equal("text/plain", (await _store.StatAsync("sub/inside.txt", null, _token)).Headers!.ContentType);
    }

    [Fact]
    public async Task ARootThatAppearsLaterIsFound()
    {
        string late = _directory["late"];
        await using LocalUnderStore store = new(LocalConformanceTests.OptionsOf(late), 1, TimeProvider.System);
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => store.StatAsync("a", null, _token));
        Assert.Equal(ErrorKind.Unavailable, error.Kind);

        Directory.CreateDirectory(late);
        await File.WriteAllTextAsync(Path.Combine(late, "a"), "x", _token);

        Assert.Equal(1, (await store.StatAsync("a", null, _token)).Length);
    }

    [Fact]
    public async Task ARootThatGoesAwayIsUnavailableAndNeverEmpty()
    {
        Assert.Single(await _store.ListAllAsync(cancellationToken: _token));
        Directory.Move(Root, _directory["away"]);

        await UnavailableAsync("sub/inside.txt");

        Directory.Move(_directory["away"], Root);
        Assert.Single(await _store.ListAllAsync(cancellationToken: _token));
        await NotFoundAsync("absent");
    }

    /// <summary>What an unmounted share leaves: its mount point, empty, on the device below it.</summary>
    [Fact]
    public async Task AnEmptyRootOnAnotherDeviceIsAnUnmountedShare()
    {
        const string OtherDevice = "/dev/shm";
        if (!Directory.Exists(OtherDevice))
        {
            return;
        }

        string share = Path.Combine(OtherDevice, Path.GetRandomFileName());
        Directory.CreateDirectory(share);
        try
        {
            await File.WriteAllTextAsync(Path.Combine(share, "file"), "x", _token);
            Directory.CreateDirectory(_directory["mountpoint"]);
            await using LocalUnderStore store = new(LocalConformanceTests.OptionsOf(_directory["link"]), 1, TimeProvider.System);
            Place("link", share);
            Assert.Single(await store.ListAllAsync(cancellationToken: _token));

            Place("link", _directory["mountpoint"]);
            await UnavailableAsync("file", store);
            await UnavailableAsync("file", store);

            Place("link", share);
            Assert.Single(await store.ListAllAsync(cancellationToken: _token));
            Assert.Equal(1, (await store.StatAsync("file", null, _token)).Length);
        }
        finally
        {
            Directory.Delete(share, recursive: true);
        }

        void Place(string name, string target)
        {
            File.Delete(_directory[name]);
            File.CreateSymbolicLink(_directory[name], target);
        }
    }

    [Fact]
    public async Task ACallThatHangsHoldsItsThreadOnly()
    {
        using ManualResetEventSlim released = new();
        Task<int> hanging = _store.Threads.RunAsync(() => { released.Wait(); return 1; }, abandon: null, CancellationToken.None);

        Assert.Equal(6, (await _store.StatAsync("sub/inside.txt", null, _token)).Length);

        Assert.False(hanging.IsCompleted);
        released.Set();
        Assert.Equal(1, await hanging.WaitAsync(_token));
    }

    [Fact]
    public async Task ManyCallsAtOnceShareTheFewThreads()
    {
        Task<ObjectStat>[] calls = [.. Enumerable.Range(0, 500).Select(_ => _store.StatAsync("sub/inside.txt", null, _token))];

        ObjectStat[] stats = await Task.WhenAll(calls);

        Assert.All(stats, stat => Assert.Equal(6, stat.Length));
    }

    private void Link(string name, string target) => File.CreateSymbolicLink(Path.Combine(Root, name), target);

    private async Task UnavailableAsync(string key, LocalUnderStore? store = null)
    {
        store ??= _store;
        Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => store.StatAsync(key, null, _token))).Kind);
        Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => store.ReadAsync(key, new ByteRange(0, 1), null, null, _token))).Kind);
        Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => store.ListAllAsync(cancellationToken: _token))).Kind);
        Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => store.ListAllAsync("sub/", "/", cancellationToken: _token))).Kind);
    }

    private async Task NotFoundAsync(string key)
    {
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<ForebayException>(() => _store.StatAsync(key, null, _token))).Kind);
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<ForebayException>(() => _store.ReadAsync(key, new ByteRange(0, 1), null, null, _token))).Kind);
    }

    private async Task ShellAsync(string command)
    {
        using Process process = Process.Start(new ProcessStartInfo("bash", ["-c", command]) { WorkingDirectory = _directory.Path })!;
        await process.WaitForExitAsync(_token);
        Assert.Equal(0, process.ExitCode);
    }
}
