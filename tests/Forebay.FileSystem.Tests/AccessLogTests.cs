using System.Globalization;
using System.Text;
using Forebay.Core;
using Forebay.FileSystem.Tests.Inodes;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

public sealed class AccessLogTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    private string LogFile => _directory["access"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ALineTellsWhatWasAskedAndWhereTheAnswerCameFrom()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("dir/file", 100_000);
        world.FileSystem.AccessLog.Start(LogFile);

        // The kernel has its answer before anybody is told of it: what others answer meanwhile must not come first.
        FuseEntryOut directory = world.Kernel.Walk("dir");
        AwaitLine("\t/dir\t");
        FuseEntryOut entry = world.Kernel.Walk("dir/file");
        AwaitLine("\t/dir/file\t");
        world.Kernel.Lookup(directory.NodeId, "file");
        world.Kernel.Lookup(1, "none");
        AwaitLine("\t/none\t");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        world.Kernel.Read(entry.NodeId, handle, 4096, 1000);
        AwaitLine("\tread\t");
        world.FileSystem.AccessLog.Stop();
        world.Kernel.Lookup(1, "after it was switched off");

        string[][] lines = [.. (await File.ReadAllLinesAsync(LogFile)).Where(line => line[0] != '#').Select(line => line.Split('\t'))];
        Assert.All(lines, line => Assert.Equal(9, line.Length));
        string[] asked = [.. lines.Select(line => $"{line[1]} {line[3]} {line[4]} {line[6]} {line[8]}")];
        Assert.Equal("lookup /dir - ok cold", asked[0]);
        Assert.Equal(["lookup /dir/file - ok hot", "lookup /none - ENOENT cold", "open /dir/file - ok worker", "read /dir/file 4096 ok cold"], asked[^4..]);
        Assert.Equal((entry.NodeId.ToString(CultureInfo.InvariantCulture), "1000"), (lines[^1][2], lines[^1][5]));
        Assert.Equal(lines.Length, world.FileSystem.AccessLog.Lines);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LogFile));

        void AwaitLine(string part) => Assert.True(SpinWait.SpinUntil(() => File.ReadAllText(LogFile).Contains(part, StringComparison.Ordinal), TimeSpan.FromSeconds(30)), $"no line has {part}");
    }

    [Fact]
    public async Task AReadAtTheEndIsOneOfItsPlaceToo()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 100);
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        world.FileSystem.AccessLog.Start(LogFile);

        Assert.Empty(world.Kernel.Read(entry.NodeId, handle, 100, 4096).Body);

        world.FileSystem.AccessLog.Stop();
        string[] line = Assert.Single(await File.ReadAllLinesAsync(LogFile), line => line[0] != '#').Split('\t');
        Assert.Equal("read /file 100 0 ok hot", $"{line[1]} {line[3]} {line[4]} {line[5]} {line[6]} {line[8]}");
    }

    [Fact]
    public async Task SwitchedOffItAllocatesNothing()
    {
        await using var world = new FileSystemWorld(withKernel: false);
        world.FileSystem.AccessLog.Start(LogFile);
        world.FileSystem.AccessLog.Stop();
        // Not the root: its path costs nothing.
        ulong nodeId = InodeTableTests.LookUp(world.FileSystem.Table, InodeTable.Root, "file", InodeTableTests.Stat("file", 1)).NodeId;
        var completion = new FuseCompletion(FuseOpcode.Read, nodeId, 2, 0, 3, TimeSpan.FromMicroseconds(4), IsRepeated: false, Note: default);
        world.FileSystem.Note(completion);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            world.FileSystem.Note(completion);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(0, world.FileSystem.AccessLog.Lines);
    }

    [Fact]
    public void NoNameCanMakeALineOfItsOwn()
    {
        StringBuilder text = new();

        AccessLine.Append(text, Record("a\nb\tc\\d\u2028e\x1b"));

        Assert.Equal("2026-01-01T00:00:00.000000Z\tread\t7\t/a\\x0ab\\x09c\\x5cd\\x2028e\\x1b\t5\t6\tEIO\t8\thot\n", text.ToString());
    }

    [Fact]
    public void AFullFileMakesWayForANewOne()
    {
        using AccessLog log = new(TimeProvider.System, maxFileBytes: 1_000);
        log.Start(LogFile);
        for (int i = 0; i < 30; i++)
        {
            log.Add(Record(new string('x', 500)));
            log.Stop();
            log.Start(LogFile);
        }

        log.Stop();

        Assert.InRange(new FileInfo(LogFile).Length, 1, 2_000);
        Assert.InRange(new FileInfo(LogFile + ".old").Length, 1_000, 2_000);
        Assert.Equal(AccessLine.Header.TrimEnd(), File.ReadLines(LogFile).First());
        Assert.Equal(30, log.Lines);
    }

    [Fact]
    public void ASlowDiskCostsLinesThatAreCountedAndNobodyWaits()
    {
        using ManualResetEventSlim disk = new();
        using MemoryStream written = new();
        AccessCounters counters = new();
        AccessWriter writer = new(LogFile, AccessLog.MaxFileBytes, counters, _ => new SlowStream(written, disk));
        int added = AccessLog.QueueCapacity * 2;

        for (int i = 0; i < added; i++)
        {
            writer.Add(Record("file"));
        }

        Assert.InRange(counters.Dropped, 1, added);
        disk.Set();
        writer.Add(Record("late"));
        writer.Dispose();

        // The last one found a queue that was full, or not: nothing else is uncertain.
        Assert.Equal(added + 1, counters.Lines + counters.Dropped);
        string text = Encoding.UTF8.GetString(written.ToArray());
        Assert.Equal(counters.Lines, text.Split('\n').LongCount(line => line.Contains("\tread\t", StringComparison.Ordinal)));
        Assert.Equal(counters.Dropped, text.Split('\n').Where(line => line.EndsWith("requests before this line are missing: the disk was too slow, or refused them", StringComparison.Ordinal)).Sum(line => long.Parse(line[1..line.IndexOf(' ', StringComparison.Ordinal)], CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void ADiskThatRefusesIsTriedAgain()
    {
        using MemoryStream written = new();
        AccessCounters counters = new();
        int opened = 0;
        AccessWriter writer = new(LogFile, AccessLog.MaxFileBytes, counters, _ => ++opened == 1 ? new FullStream() : new SlowStream(written, open: null));
        writer.Add(Record("lost"));
        SpinWait.SpinUntil(() => counters.Dropped == 1, TimeSpan.FromSeconds(30));

        writer.Add(Record("kept"));
        writer.Dispose();

        string text = Encoding.UTF8.GetString(written.ToArray());
        Assert.Equal((1, 1), (counters.Lines, counters.Dropped));
        Assert.StartsWith("\n#1 requests before", text, StringComparison.Ordinal);
        Assert.Contains("/kept", text, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileThatCannotBeWrittenIsRefusedWithTheRemedyAndTheOneBeforeGoesOn()
    {
        using AccessLog log = new(TimeProvider.System);
        log.Start(LogFile);

        ForebayException refused = Assert.Throws<ForebayException>(() => log.Start(_directory["missing/access"]));

        Assert.Equal(ErrorKind.InvalidArgument, refused.Kind);
        Assert.Contains("Name another file", refused.Message, StringComparison.Ordinal);
        Assert.Equal((true, LogFile), (log.IsOn, log.FilePath));
    }

    private static AccessRecord Record(string path)
        => new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), FuseOpcode.Read, 7, path, 5, 6, Errno.EIO, TimeSpan.FromMicroseconds(8), AccessSource.Hot);

    /// <summary>A file whose writes wait until the disk is let go.</summary>
    private sealed class SlowStream(MemoryStream inner, ManualResetEventSlim? open) : MemoryStream
    {
        public override long Length => inner.Length;

        public override void Write(byte[] buffer, int offset, int count)
        {
            open?.Wait(TimeSpan.FromSeconds(30));
            inner.Write(buffer, offset, count);
        }
    }

    private sealed class FullStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("No space left on device");
    }
}
