#pragma warning disable CA1001 // String writers hold nothing to dispose.
using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Admin.Tests;
using Forebay.Cli.Verbs;
using Forebay.Engine;

namespace Forebay.Cli.Tests.Verbs;

public sealed class VerbTests : AdminFixture
{
    private readonly StringWriter _output = new();
    private readonly AwaitedWriter _error = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-verbs-").FullName;

    public override async Task DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        await base.DisposeAsync();
    }

    [Fact]
    public async Task LsPrintsSizesTimesAndPathsAndTheSameAsJson()
    {
        Assert.Equal(0, await RunAsync(session => NamespaceVerbs.ListAsync(session, "/data/dir/", recursive: true, Soon)));
        Assert.Equal(["/data/dir/one.bin", "/data/dir/sub/two.bin"], _output.ToString().TrimEnd().Split('\n').Select(line => line.Split("  ")[^1].TrimEnd()));
        Assert.Contains("683.6 KiB", _output.ToString());

        using JsonDocument json = await JsonAsync(session => NamespaceVerbs.ListAsync(session, "/data/", recursive: false, Soon));
        Assert.Equal(4, json.RootElement.GetProperty("entries").GetArrayLength());
        Assert.Equal("/data/", json.RootElement.GetProperty("path").GetString());
    }

    [Fact]
    public async Task WhatIsMissingIsCodeFourAndSomeMissingIsCodeFive()
    {
        Assert.Equal(4, await RunAsync(session => NamespaceVerbs.StatAsync(session, ["/data/none"], Soon)));
        Assert.Contains("forebay ls", _error.ToString());
        Assert.Equal(5, await RunAsync(session => NamespaceVerbs.StatAsync(session, ["/data/none", "/data/empty"], Soon)));
        Assert.Contains("path:          /data/empty", _output.ToString());
        Assert.Equal(2, await RunAsync(session => NamespaceVerbs.ListAsync(session, "relative", recursive: false, Soon)));
    }

    [Fact]
    public async Task ANodeThatIsNotThereIsCodeSixAndMissingCredentialsSayWhatToSet()
    {
        using var nobody = new AdminClient(new Uri("http://127.0.0.1:1"), AdminCredentials.None, TimeProvider.System);
        using var stranger = new AdminClient(Address, AdminCredentials.None, TimeProvider.System);

        Assert.Equal(6, await Session(json: false, nobody).RunAsync(session => NamespaceVerbs.StatAsync(session, ["/data/a", "/data/b"], Soon)));
        Assert.Contains("forebay serve", _error.ToString());
        Assert.Equal(1, await Session(json: false, stranger).RunAsync(session => NamespaceVerbs.StatusAsync(session, Soon)));
        Assert.Contains("FOREBAY_ADMIN_TOKEN", _error.ToString());
    }

    [Fact]
    public async Task CatStreamsObjectsOneAfterTheOther()
    {
        using var body = new MemoryStream();

        Assert.Equal(0, await RunAsync(session => CopyVerbs.CatAsync(session, ["/data/a b+c%20.txt", "/data/empty", "/data/ümlaut/∂.txt"], body, Soon)));

        Assert.Equal("hello∂", System.Text.Encoding.UTF8.GetString(body.ToArray()));
    }

    [Fact]
    public async Task CpMakesWholeFilesInFilesDirectoriesAndTrees()
    {
        Assert.Equal(0, await RunAsync(session => CopyVerbs.CopyAsync(session, "/data/dir/one.bin", _directory, recursive: false, Soon)));
        Assert.Equal(0, await RunAsync(session => CopyVerbs.CopyAsync(session, "/data/empty", Path.Combine(_directory, "new/file"), recursive: false, Soon)));
        using JsonDocument json = await JsonAsync(session => CopyVerbs.CopyAsync(session, "/data", Path.Combine(_directory, "tree"), recursive: true, Soon));

        Assert.Equal(700_000, new FileInfo(Path.Combine(_directory, "one.bin")).Length);
        Assert.Equal(0, new FileInfo(Path.Combine(_directory, "new/file")).Length);
        Assert.Equal("hello", await File.ReadAllTextAsync(Path.Combine(_directory, "tree", "a b+c%20.txt")));
        Assert.Equal(10, new FileInfo(Path.Combine(_directory, "tree/dir/sub/two.bin")).Length);
        Assert.Equal((5, 0), (json.RootElement.GetProperty("files").GetInt32(), json.RootElement.GetProperty("failed").GetInt32()));
        Assert.Empty(Directory.EnumerateFiles(_directory, "*.part", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }));
    }

    [Fact]
    public async Task CpThatBreaksLeavesTheOldFileAndNothingElse()
    {
        string file = Path.Combine(_directory, "one.bin");
        await File.WriteAllTextAsync(file, "old");
        Node.Data.BreakAt = 300_000;

        Assert.Equal(1, await RunAsync(session => CopyVerbs.CopyAsync(session, "/data/dir/one.bin", file, recursive: false, Soon)));

        Assert.Equal("old", await File.ReadAllTextAsync(file));
        Assert.Single(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public async Task NoKeyWritesOutsideTheDestination()
    {
        Node.Put("up/../../evil", "x"u8.ToArray());
        Node.Put("up/good", "x"u8.ToArray());
        string destination = Path.Combine(_directory, "a", "b");

        Assert.Equal(5, await RunAsync(session => CopyVerbs.CopyAsync(session, "/data/up/", destination, recursive: true, Soon)));

        Assert.Equal([Path.Combine(destination, "good")], Directory.EnumerateFiles(_directory, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task ChangesSayWhatTheyDid()
    {
        Assert.Equal(0, await RunAsync(session => CacheVerbs.FreeAsync(session, ["/data/"], pinnedToo: false, dryRun: true, Soon)));
        Assert.Equal("would free 4 KiB of 2 objects below /data/; 3 pinned objects kept (--pinned-too drops pinned objects as well)", _output.ToString().TrimEnd());
        Assert.Equal(0, await RunAsync(session => CacheVerbs.PinAsync(session, ["/data/x"], Soon)));
        _output.GetStringBuilder().Clear();
        Assert.Equal(0, await RunAsync(session => CacheVerbs.ListPinsAsync(session, ["/data/set", "/data/x"], Soon)));
        Assert.Equal(["CACHED", "OBJECTS", "PATH", "4", "KiB", "1", "/data/x"], _output.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        using JsonDocument json = await JsonAsync(session => CacheVerbs.RefreshAsync(session, ["/data/"], Soon));

        Assert.Equal("refresh", json.RootElement[0].GetProperty("action").GetString());
        Assert.Equal(["free /data/ pinnedToo=False dryRun=True", "pin /data/x", "refresh /data/"], Node.Calls);
    }

    [Theory]
    [InlineData(LoadState.Succeeded, 10, 0, 0)]
    [InlineData(LoadState.Failed, 9, 1, 5)]
    [InlineData(LoadState.Failed, 0, 10, 1)]
    [InlineData(LoadState.Canceled, 1, 0, 1)]
    public async Task FollowingALoadEndsWithItsResult(LoadState state, long done, long failed, int code)
    {
        Node.SetLoad(LoadState.Running, 0, 0);
        Task<int> follow = RunAsync(session => LoadVerb.FollowAsync(session, "l1", Soon));
        Node.SetLoad(state, done, failed);

        Assert.Equal(code, await follow);
        Assert.Contains($"{done} of 10 files", _output.ToString());
    }

    [Fact]
    public async Task CtrlCLeavesTheLoadRunningAndSaysHowToGoOn()
    {
        using var interrupt = new CancellationTokenSource();
        Task<int> follow = RunAsync(session => LoadVerb.StartAsync(session, new LoadBody { Paths = ["/data/"] }, wait: true, interrupt.Token));
        await _error.ContainsAsync("files", Soon);
        await interrupt.CancelAsync();

        Assert.Equal(130, await follow);
        Assert.Contains("forebay load --follow l1", _error.ToString());
        Assert.Equal(LoadState.Running, Node.FindLoad("l1")!.State);
    }

    [Fact]
    public async Task ALoadThatIsNotKnownPointsToTheListOfLoads()
    {
        Assert.Equal(4, await RunAsync(session => LoadVerb.CancelAsync(session, "none", Soon)));
        Assert.Equal(4, await RunAsync(session => LoadVerb.FollowAsync(session, "none", Soon)));

        Assert.Contains("forebay load --list", _error.ToString());
        Assert.DoesNotContain("forebay ls", _error.ToString());
    }

    [Fact]
    public async Task APrefixIsCopiedOnlyWithItsOption()
    {
        Assert.Equal(2, await RunAsync(session => CopyVerbs.CopyAsync(session, "/data/dir/", Path.Combine(_directory, "x"), recursive: false, Soon)));

        Assert.Contains("cp -r", _error.ToString());
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public async Task TheUsageOfTheRootIsARowForEachMountPoint()
    {
        using JsonDocument json = await JsonAsync(session => NamespaceVerbs.MeasureAsync(session, ["/"], Soon));

        Assert.Equal("/data/", Assert.Single(json.RootElement.EnumerateArray()).GetProperty("path").GetString());
    }

    [Fact]
    public async Task ATableWithoutRowsIsNotPrinted()
    {
        Assert.NotEqual(0, await RunAsync(session => NamespaceVerbs.MeasureAsync(session, ["/nowhere/"], Soon)));

        Assert.Equal("", _output.ToString());
    }

    [Fact]
    public void ProgressShowsFilesBytesRateAndTimeLeft()
    {
        var load = new LoadStatus("l1", ["/data/"], LoadState.Running, DateTimeOffset.UnixEpoch, null, true, 1_000, 5L << 30, 250, 5L << 28, 0, 0, null);

        Assert.Equal("[######------------------]  25 %  250/1,000 files  1.2 GiB/5 GiB  64 MiB/s  ETA 1:00", LoadVerb.Progress(load, 64 << 20));
    }

    [Fact]
    public async Task StatusShowsMountPointsTiersAndTheLastError()
    {
        Assert.Equal(0, await RunAsync(session => NamespaceVerbs.StatusAsync(session, Soon)));

        Assert.Contains("75.0 %", _output.ToString());
        Assert.Contains("last error of data: it \"broke\"", _output.ToString());
        using JsonDocument json = await JsonAsync(session => NamespaceVerbs.StatusAsync(session, Soon));
        Assert.Equal(75, json.RootElement.GetProperty("mountPoints")[0].GetProperty("hitBytes").GetInt32());
    }

    [Fact]
    public void EveryVerbHasAnExampleAndHelp()
    {
        Assert.Equal(
            ["cat", "cp", "du", "free", "load", "ls", "pin", "refresh", "stat", "status", "unpin"], VerbCommands.All.Select(verb => verb.Name).Order());
        Assert.All(VerbCommands.All, verb => Assert.NotEmpty(CommandExamples.Of(verb)));
    }

    private VerbSession Session(bool json, AdminClient? client = null)
        => new(client ?? Client, _output, TextWriter.Synchronized(_error), json, Interactive: false, TimeProvider.System);

    private Task<int> RunAsync(Func<VerbSession, Task<int>> verb) => Session(json: false).RunAsync(verb);

    private async Task<JsonDocument> JsonAsync(Func<VerbSession, Task<int>> verb)
    {
        _output.GetStringBuilder().Clear();
        Assert.Equal(0, await Session(json: true).RunAsync(verb));
        return JsonDocument.Parse(_output.ToString());
    }

    /// <summary>A writer whose text can be waited for.</summary>
    private sealed class AwaitedWriter : StringWriter
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override void Write(char value) => Changed(() => base.Write(value));

        public override void Write(string? value) => Changed(() => base.Write(value));

        public override void Write(char[] buffer, int index, int count) => Changed(() => base.Write(buffer, index, count));

        public override string ToString()
        {
            lock (_lock)
            {
                return base.ToString();
            }
        }

        public async Task ContainsAsync(string text, CancellationToken cancellationToken)
        {
            while (true)
            {
                Task written = _written.Task;
                if (ToString().Contains(text, StringComparison.Ordinal))
                {
                    return;
                }

                await written.WaitAsync(cancellationToken);
            }
        }

        private void Changed(Action write)
        {
            lock (_lock)
            {
                write();
            }

            Interlocked.Exchange(ref _written, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
    }
}
