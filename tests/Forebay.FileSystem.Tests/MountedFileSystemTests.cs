using System.Text;
using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

public sealed class MountedFileSystemTests
{
    [Fact]
    public async Task AFileIsFoundOpenedAndReadToItsEnd()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("a/b/file.bin", 300_001);

        FuseEntryOut entry = world.Kernel.Walk("a/b/file.bin");
        FuseOpenOut opened = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>();
        Reply first = world.Kernel.Read(entry.NodeId, opened.Handle, 0, 131_072);
        Reply last = world.Kernel.Read(entry.NodeId, opened.Handle, 300_000, 4096);
        Reply behind = world.Kernel.Read(entry.NodeId, opened.Handle, 300_001, 4096);

        Assert.Equal(300_001UL, entry.Attr.Size);
        Assert.Equal(FuseMode.File | 0x1A0, entry.Attr.Mode);
        Assert.Equal((300_001UL + 511) / 512, entry.Attr.Blocks);
        Assert.Equal(131_072, first.Body.Length);
        world.AssertContent("a/b/file.bin", 0, first.Body);
        world.AssertContent("a/b/file.bin", 300_000, last.Body);
        Assert.Single(last.Body);
        Assert.Empty(behind.Body);
        Assert.True((opened.Flags & (uint)FuseOpenFlags.KeepCache) != 0, "pages of a version always stay");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AListingShowsEachNameOnceAndHidesWhatIsNoPath(bool plus)
    {
        await using var world = new FileSystemWorld();
        string[] keys = ["a", "a-b", "a.txt", "a/x", "dir/", "dir/y", "b", "//odd", "./odd", "../odd", new string('n', 256), "e/f/g"];
        foreach (string key in keys)
        {
            world.Memory.PutPattern(key, 10);
        }

        List<DirectoryEntry> entries = world.Kernel.List(1, plus, size: plus ? 600 : 200);

        Assert.Equal([".", "..", "a", "a-b", "a.txt", "b", "dir", "e"], entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.Equal((FuseMode.Directory >> 12), entries.Single(entry => entry.Name == "a").Type);
        Assert.Equal(1L, world.FileSystem.GetStatus().HiddenObjects);
        Assert.Equal(4L, world.FileSystem.GetStatus().UnshowableKeys);
        if (plus)
        {
            Assert.Equal(world.Kernel.Walk("a-b").NodeId, entries.Single(entry => entry.Name == "a-b").Plus.NodeId);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(DirectoryStream.AfterParent)]
    public async Task ADirectoryMayBeClosedBeforeItsReaderHasReturned(ulong cookie)
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("a", 10);
        ulong handle = world.Kernel.Open(1, directory: true).Read<FuseOpenOut>().Handle;
        world.Kernel.ReadSome(1, handle, 0, 4096, plus: true);

        world.Kernel.OnAnswer = () => world.Kernel.Release(1, handle, directory: true);
        List<DirectoryEntry> again = world.Kernel.ReadSome(1, handle, cookie, 4096, plus: true);

        Assert.Equal("a", again[^1].Name);
        Assert.Empty(world.Kernel.Faults);
        Assert.Equal(0, world.FileSystem.GetStatus().Failures);
    }

    [Fact]
    public async Task AMissingNameIsNotAskedForTwiceWhileItsAbsenceIsFresh()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("there", 1);

        FuseEntryOut absent = world.Kernel.Lookup(1, "gone").Read<FuseEntryOut>();
        long asked = world.Memory.Requests;
        world.Kernel.Lookup(1, "gone");

        Assert.Equal(0UL, absent.NodeId);
        Assert.InRange(absent.EntryValidSeconds, 1UL, 5UL);
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Fact]
    public async Task TheKernelIsToldToBelieveANameNoLongerThanItsMetadataHolds()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(time: time, mount: point => point with { MetadataTtl = TimeSpan.FromSeconds(60) });
        world.Memory.PutPattern("file", 1);

        world.Kernel.Walk("file");
        time.Advance(TimeSpan.FromSeconds(45));
        FuseEntryOut later = world.Kernel.Walk("file");

        Assert.InRange(later.EntryValidSeconds, 1UL, 15UL);
        Assert.InRange(later.AttrValidSeconds, 1UL, 15UL);
    }

    [Fact]
    public async Task AnOpenOfAnOverwrittenFileIsStaleAndItsNameGetsAnotherNodeId()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 100_000);
        FuseEntryOut first = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(first.NodeId).Read<FuseOpenOut>().Handle;
        Assert.Equal(0, world.Kernel.Read(first.NodeId, handle, 0, 10).Errno);
        byte[] before = world.Kernel.Read(first.NodeId, handle, 0, 65_536).Body;

        world.Memory.PutPattern("file", 100_000);
        await world.Mount.RefreshAsync("file", CancellationToken.None);
        FuseEntryOut second = world.Kernel.Walk("file");

        Assert.NotEqual(first.NodeId, second.NodeId);
        Assert.Equal(first.Attr.Inode, second.Attr.Inode);
        Assert.Equal(Errno.ESTALE, world.Kernel.Open(first.NodeId).Errno);
        Assert.Equal(before, world.Kernel.Read(first.NodeId, handle, 0, 65_536).Body);
        Assert.Contains((1UL, "file"), world.Kernel.DroppedNames);
        ulong fresh = world.Kernel.Open(second.NodeId).Read<FuseOpenOut>().Handle;
        world.AssertContent("file", 0, world.Kernel.Read(second.NodeId, fresh, 0, 100_000).Body);
    }

    [Fact]
    public async Task AMissingPageOfAnOverwrittenFileIsStaleNotMixed()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { PrefetchFileBytes = 0 });
        world.Memory.PutPattern("file", 50_000_000);
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        Assert.Equal(0, world.Kernel.Read(entry.NodeId, handle, 0, 10).Errno);

        world.Memory.PutPattern("file", 50_000_000);

        Assert.Equal(Errno.ESTALE, world.Kernel.Read(entry.NodeId, handle, 49_000_000, 4096).Errno);
        Assert.Equal(Errno.ESTALE, world.Kernel.Open(entry.NodeId).Errno);
    }

    [Fact]
    public async Task ASuccessorAnswersForOldNodeIdsAndHandlesWithoutAskingTheSource()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("d/file", 100_000);
        FuseEntryOut entry = world.Kernel.Walk("d/file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        world.Kernel.Read(entry.NodeId, handle, 0, 100_000);
        await world.Mount.RefreshAsync("", CancellationToken.None);
        long asked = world.Memory.Requests;

        world.Restart();

        Reply attributes = world.Kernel.Ask(FuseOpcode.GetAttr, entry.NodeId, FakeKernel.Bytes(default(FuseGetAttrIn)));
        Assert.Equal(100_000UL, attributes.Read<FuseAttrOut>().Attr.Size);
        world.AssertContent("d/file", 0, world.Kernel.Read(entry.NodeId, handle, 0, 100_000).Body);
        Assert.Equal(0, world.Kernel.Open(entry.NodeId).Errno);
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Fact]
    public async Task ARepeatedOpenFindsTheHandleOfTheFirst()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 10);
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong first = world.Kernel.Open(entry.NodeId, unique: 1001).Read<FuseOpenOut>().Handle;

        world.Restart();
        ulong again = world.Kernel.Open(entry.NodeId, unique: 1001 | (1UL << 63)).Read<FuseOpenOut>().Handle;

        Assert.Equal(first, again);
        Assert.Equal(1, world.FileSystem.Table.HandleCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ADirectoryIsReadOnWhereItWasAfterARestartAndWithChanges(bool plus)
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 3_000; i++)
        {
            world.Memory.PutPattern($"d/{i:d5}", 1);
        }

        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;
        var seen = new List<string>();
        ulong cookie = 0;
        for (int step = 0; world.Kernel.ReadSome(directory, handle, cookie, 4096, plus) is { Count: > 0 } some; step++)
        {
            // The kernel does not always use all it got.
            List<DirectoryEntry> used = some[..Math.Max(1, some.Count - (step % 3))];
            seen.AddRange(used.Select(entry => entry.Name));
            cookie = used[^1].Cookie;
            if (step == 5)
            {
                world.Memory.Delete($"d/{used[^1].Name}");
                world.Memory.PutPattern("d/00000a", 1);
                await world.Mount.RefreshAsync("d/", CancellationToken.None);
            }

            if (step is 7 or 12)
            {
                world.Restart();
            }
        }

        Assert.Equal(Enumerable.Range(0, 3_000).Select(i => $"{i:d5}"), seen.Where(name => name[0] != '.'));
    }

    [Fact]
    public async Task AnEarlierPlaceInADirectoryIsFoundAgain()
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 2_500; i++)
        {
            world.Memory.PutPattern($"d/{i:d5}", 1);
        }

        ulong directory = world.Kernel.Walk("d").NodeId;
        List<DirectoryEntry> all = world.Kernel.List(directory);
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;
        foreach (int place in new[] { 2_400, 100, 1_700, 0, 1_001, 2 })
        {
            List<DirectoryEntry> some = world.Kernel.ReadSome(directory, handle, all[place].Cookie, 4096, plus: false);
            Assert.Equal(all[place + 1].Name, some[0].Name);
        }
    }

    [Fact]
    public async Task EveryWriteIsRefusedAndNothingIsAsked()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 10);
        FuseEntryOut entry = world.Kernel.Walk("file");
        long asked = world.Memory.Requests;

        Assert.Equal(Errno.EROFS, world.Kernel.Open(entry.NodeId, flags: 1).Errno);
        Assert.Equal(Errno.EROFS, world.Kernel.Open(entry.NodeId, flags: 2).Errno);
        Assert.Equal(Errno.EROFS, world.Kernel.Ask(FuseOpcode.Unlink, 1, "file\0"u8).Errno);
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Fact]
    public async Task AHotReadAllocatesNothing()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 1_000_000);
        await world.LoadAsync("file");
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        var sink = new SilentSink();
        var connection = new FuseConnection { Minor = 45, KernelMinor = 45, Flags = FuseInitFlags.None, MaxWriteBytes = 128 << 10, MaxReadAheadBytes = 1 << 20, MaxPages = 256, MaxBackground = 64, MaxStackDepth = 0 };
        using var dispatcher = new FuseDispatcher(world.FileSystem, new FuseConnectionOptions(), connection, sink, observer: null);
        byte[] message = [.. FakeKernel.Bytes(new FuseInHeader { Length = 80, Opcode = (uint)FuseOpcode.Read, Unique = 2, NodeId = entry.NodeId }), .. FakeKernel.Bytes(new FuseReadIn { Handle = handle, Offset = 4096, Size = 131_072 })];
        for (int i = 0; i < 100; i++)
        {
            dispatcher.Dispatch(message);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            dispatcher.Dispatch(message);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1_100, sink.Sent);
        Assert.Equal(0L, world.FileSystem.GetStatus().ColdReads);
    }

    [Fact]
    public async Task AColdReadBlocksNoThreadOfTheSession()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("slow", 100_000);
        world.Memory.PutPattern("fast", 100);
        FuseEntryOut slow = world.Kernel.Walk("slow");
        ulong handle = world.Kernel.Open(slow.NodeId).Read<FuseOpenOut>().Handle;
        var release = new TaskCompletionSource();
        world.Plan.When(UnderStoreCall.Read, (key, _) => key == "slow", Fault.StallUntil(release.Task));

        Task<Reply> waiting = world.Kernel.Start(FuseOpcode.Read, slow.NodeId, FakeKernel.Bytes(new FuseReadIn { Handle = handle, Size = 4096 }));
        world.Kernel.Walk("fast");

        Assert.False(waiting.IsCompleted);
        release.SetResult();
        world.AssertContent("slow", 0, (await waiting).Body);
    }

    [Fact]
    public async Task SmallFilesOfADirectoryComeTogether()
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 200; i++)
        {
            world.Memory.PutPattern($"d/{i:d3}", 20_000);
        }

        ulong directory = world.Kernel.Walk("d").NodeId;
        List<DirectoryEntry> entries = world.Kernel.List(directory, plus: true);
        FuseEntryOut some = entries.Single(entry => entry.Name == "077").Plus;
        ulong handle = world.Kernel.Open(some.NodeId).Read<FuseOpenOut>().Handle;
        world.AssertContent("d/077", 0, world.Kernel.Read(some.NodeId, handle, 0, 20_000).Body);
        Assert.True(SpinWait.SpinUntil(() => world.FileSystem.GetStatus().PrefetchedFiles == 199, TimeSpan.FromSeconds(30)), "not all files were brought in");
        long cold = world.FileSystem.GetStatus().ColdReads;
        FuseEntryOut other = entries.Single(entry => entry.Name == "003").Plus;
        handle = world.Kernel.Open(other.NodeId).Read<FuseOpenOut>().Handle;

        world.AssertContent("d/003", 0, world.Kernel.Read(other.NodeId, handle, 0, 20_000).Body);
        Assert.Equal(cold, world.FileSystem.GetStatus().ColdReads);
    }

    [Fact]
    public async Task AFullSecondLookupOfADirectoryListsItOnce()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { ObjectAttributes = ObjectAttributes.Ignore });
        for (int i = 0; i < 100; i++)
        {
            world.Memory.PutPattern($"d/{i:d3}", 1);
        }

        for (int i = 99; i >= 0; i--)
        {
            world.Kernel.Walk($"d/{i:d3}");
        }

        Assert.InRange(world.Memory.Requests, 1, 4);
    }

    [Fact]
    public async Task ARefreshOfEverythingExpiresAllNamesAndListings()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("d/file", 1);
        ulong directory = world.Kernel.Walk("d").NodeId;
        world.Kernel.Walk("d/file");

        await world.Mount.RefreshAsync("", CancellationToken.None);
        Assert.Equal(1, world.Kernel.Epochs);
        Assert.Contains(directory, world.Kernel.DroppedInodes);

        world.Kernel.KnowsEpochs = false;
        await world.Mount.RefreshAsync("", CancellationToken.None);
        Assert.Contains((directory, "file"), world.Kernel.DroppedNames);
    }

    [Fact]
    public async Task AListingIsKeptByTheKernelWhileItIsFresh()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(time: time);
        world.Memory.PutPattern("d/file", 1);
        ulong directory = world.Kernel.Walk("d").NodeId;
        const uint Kept = (uint)(FuseOpenFlags.CacheDirectory | FuseOpenFlags.KeepCache);

        Assert.Equal((uint)FuseOpenFlags.CacheDirectory, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
        world.Kernel.List(directory);
        Assert.Equal(Kept, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal((uint)FuseOpenFlags.CacheDirectory, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
    }

    [Fact]
    public async Task AFailingSourceIsAnErrorInBoundedTime()
    {
        await using var world = new FileSystemWorld();
        world.Memory.PutPattern("file", 100);
        FuseEntryOut entry = world.Kernel.Walk("file");
        ulong handle = world.Kernel.Open(entry.NodeId).Read<FuseOpenOut>().Handle;
        world.Plan.OnEvery(UnderStoreCall.Read, Fault.Fail(ErrorKind.Unavailable));

        Assert.Equal(Errno.EIO, world.Kernel.Read(entry.NodeId, handle, 0, 10).Errno);
        Assert.Equal(1L, world.FileSystem.GetStatus().Failures);
        world.Plan.Clear();
        world.AssertContent("file", 0, world.Kernel.Read(entry.NodeId, handle, 0, 100).Body);
    }

    [Fact]
    public void EveryKindOfErrorHasAnErrno()
    {
        foreach (ErrorKind kind in Enum.GetValues<ErrorKind>())
        {
            Assert.InRange(ErrnoMap.Of(kind), 1, 133);
        }

        Assert.Equal(Errno.ESTALE, ErrnoMap.Of(ErrorKind.StaleVersion));
        Assert.Equal(Errno.EIO, ErrnoMap.Of(ErrorKind.Timeout));
    }

    [Fact]
    public void TheTableOfErrnosIsThatOfTheDocuments()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "ERRORS.md"));
        foreach (ErrorKind kind in Enum.GetValues<ErrorKind>())
        {
            string errno = typeof(Errno).GetFields().Single(field => (int)field.GetRawConstantValue()! == ErrnoMap.Of(kind)).Name;
            Assert.Contains($"| `{kind}` | {errno} | {(ErrnoMap.IsFailure(kind) ? "Warning" : "Debug")} |", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ATableThatFillsUpHasTheKernelLetGoOfNames()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { ObjectAttributes = ObjectAttributes.Ignore }, inodes: InodeRegion.FewestInodes);
        for (int i = 0; i < 950; i++)
        {
            world.Memory.PutPattern($"{i:d4}", 1);
        }

        world.Kernel.List(1, plus: true);

        Assert.True(SpinWait.SpinUntil(() => world.Kernel.DroppedNames.Count > 800, TimeSpan.FromSeconds(30)), "no names were dropped");
    }

    private sealed class SilentSink : IFuseReplySink
    {
        internal int Sent { get; private set; }

        public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
        {
            Sent++;
            return 0;
        }
    }
}
