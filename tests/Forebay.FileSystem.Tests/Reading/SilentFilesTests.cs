using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests.Reading;

/// <summary>A kernel that opens files without a message: reads come with a nodeid and no handle, and nothing tells of the last one.</summary>
public sealed class SilentFilesTests
{
    [Fact]
    public async Task FilesAreReadByNodeidWithoutAnOpen()
    {
        await using var world = World();
        world.Memory.PutPattern("a", 300_000);
        ulong a = world.Kernel.Walk("a").NodeId;

        Assert.Equal(Errno.ENOSYS, world.Kernel.Open(a).Errno);
        Assert.Equal(Errno.ENOSYS, world.Kernel.Ask(FuseOpcode.Flush, a, new byte[24]).Errno);
        byte[] first = world.Kernel.Read(a, 0, 0, 131_072).Body;
        byte[] rest = world.Kernel.Read(a, 0, 131_072, 1 << 20).Body;

        Assert.Equal((131_072, 300_000 - 131_072), (first.Length, rest.Length));
        world.AssertContent("a", 0, first);
        world.AssertContent("a", 131_072, rest);
        Assert.Empty(world.Kernel.Read(a, 0, 300_000, 4096).Body);
        Assert.Equal(300_000UL, world.Kernel.Ask(FuseOpcode.Lseek, a, LseekOf(SeekHole)).Read<ulong>());
    }

    [Fact]
    public async Task TheProcessThatComesAfterReadsThemToo()
    {
        await using var world = World();
        world.Memory.PutPattern("a", 300_000);
        ulong a = world.Kernel.Walk("a").NodeId;
        world.AssertContent("a", 0, world.Kernel.Read(a, 0, 0, 4096).Body);

        world.Restart();

        world.AssertContent("a", 4096, world.Kernel.Read(a, 0, 4096, 131_072).Body);
    }

    [Fact]
    public async Task ANodeidStaysItsVersionAndWhatIsGoneIsStale()
    {
        await using var world = World();
        world.Memory.PutPattern("a", 300_000);
        ulong a = world.Kernel.Walk("a").NodeId;
        byte[] before = world.Kernel.Read(a, 0, 0, 4096).Body;
        world.AssertContent("a", 0, before);
        world.Memory.PutPattern("a", 300_001);
        await world.Mount.RefreshAsync("a", CancellationToken.None);
        ulong now = world.Kernel.Walk("a").NodeId;

        // The first bytes are in the cache: still those of the version. The last ones are nowhere any more.
        Assert.Equal(before, world.Kernel.Read(a, 0, 0, 4096).Body);
        Assert.Equal(Errno.ESTALE, world.Kernel.Read(a, 0, 290_000, 4096).Errno);
        Assert.NotEqual(a, now);
        world.AssertContent("a", 290_000, world.Kernel.Read(now, 0, 290_000, 4096).Body);
        Assert.Equal(Errno.ESTALE, world.Kernel.Read(InodeTable.Root, 0, 0, 4096).Errno);
    }

    /// <summary>The engine knew the new version before, so that it has nothing to tell; the kernel believes the name still, and asks nobody before it opens.</summary>
    [Fact]
    public async Task AVersionThatProvesToBeGoneIsLookedUpAnew()
    {
        await using FileSystemWorld world = new(Options, mount: first => first with { MetadataTtl = TimeSpan.Zero });
        world.Memory.PutPattern("d/a", 300_000);
        ulong a = world.Kernel.Walk("d/a").NodeId;
        ulong d = world.Kernel.Walk("d").NodeId;
        world.Memory.PutPattern("d/a", 300_001);
        Assert.Equal(300_001, (await world.Mount.StatAsync("d/a", null, CancellationToken.None)).Length);
        world.Kernel.DroppedNames.Clear();

        Assert.Equal(Errno.ESTALE, world.Kernel.Read(a, 0, 290_000, 4096).Errno);

        Assert.Contains((d, "a"), world.Kernel.DroppedNames);
        ulong now = world.Kernel.Walk("d/a").NodeId;
        world.AssertContent("d/a", 290_000, world.Kernel.Read(now, 0, 290_000, 4096).Body);
        Assert.Equal(Errno.ESTALE, world.Kernel.Read(ulong.MaxValue, 0, 0, 1).Errno);
    }

    [Fact]
    public async Task OneThatWasReadWholeIsLetGoAndTheOldestMakesWay()
    {
        await using var world = World();
        ObjectStat stat = world.Memory.PutPattern("a", 300_000);
        int opened = 0;
        using SilentFiles files = new(
            nodeId =>
            {
                opened++;
                return nodeId == 999 ? null : new OpenFile(world.Mount, stat, lenders: null);
            },
            TimeProvider.System);
        OpenFile first = Read(1)!;
        Assert.Same(first, Read(1));
        Assert.Equal((1, 1), (files.Count, opened));

        files.OnReadWhole(1, first);
        Assert.Equal(0, files.Count);
        Assert.False(first.TryBegin());
        OpenFile again = Read(1)!;
        files.OnReadWhole(1, first);
        Assert.Same(again, Read(1));
        Assert.Null(Read(999));

        for (ulong nodeId = 2; nodeId <= SilentFiles.MaxFiles; nodeId++)
        {
            Read(nodeId);
        }

        Assert.Same(again, Read(1));
        OpenFile second = Read(2)!;
        Read(1);
        Read(1000);

        // Read least recently: 3.
        Assert.Equal(SilentFiles.MaxFiles, files.Count);
        Assert.Same(again, Read(1));
        Assert.Same(second, Read(2));
        int before = opened;
        Read(3);
        Assert.Equal(before + 1, opened);

        OpenFile? Read(ulong nodeId)
        {
            OpenFile? file = files.Begin(nodeId);
            file?.End();
            return file;
        }
    }

    /// <summary>No RELEASE comes: what was lent for a file that is read in part goes back when nobody has read it for a while.</summary>
    [Fact]
    public async Task WhatWasLentForAFileThatIsReadNoMoreIsGivenBack()
    {
        ManualTimeProvider time = new();
        using Lender lender = new();
        await using FileSystemWorld world = new(Options, time, quotaBytes: 0, lenders: lender);
        lender.Lend(world.Memory.PutPattern("a", 300_000));
        lender.Lend(world.Memory.PutPattern("b", 300_000));
        ulong a = world.Kernel.Walk("a").NodeId;
        ulong b = world.Kernel.Walk("b").NodeId;
        world.AssertContent("a", 0, world.Kernel.Read(a, 0, 0, 4096).Body);
        world.AssertContent("b", 0, world.Kernel.Read(b, 0, 0, 300_000).Body);
        await Eventually.TrueAsync("the one that was read whole is given back", () => lender.Out == 1);

        time.Advance(SilentFiles.IdleTime - TimeSpan.FromMilliseconds(1));
        world.AssertContent("a", 4096, world.Kernel.Read(a, 0, 4096, 4096).Body);
        time.Advance(SilentFiles.IdleTime - TimeSpan.FromMilliseconds(1));
        Assert.Equal((2, 1), (lender.Asked, lender.Out));

        time.Advance(SilentFiles.IdleTime);
        await lender.HasAllBackAsync();
        world.AssertContent("a", 8192, world.Kernel.Read(a, 0, 8192, 4096).Body);
        Assert.Equal(3, lender.Asked);
    }

    /// <summary>More files than are kept, whole and in part, by several at once; what is let go too early cannot be read any more.</summary>
    [Fact]
    public async Task ManyReadersOfManyFilesGetTheirBytes()
    {
        const int Files = SilentFiles.MaxFiles + 60;
        const int Length = 9_000;
        using Lender lender = new();
        await using FileSystemWorld world = new(Options, quotaBytes: 0, lenders: lender);
        string[] names = [.. Enumerable.Range(0, Files).Select(i => $"f{i}")];
        Array.ForEach(names, name => lender.Lend(world.Memory.PutPattern(name, Length)));
        ulong[] nodes = [.. names.Select(name => world.Kernel.Walk(name).NodeId)];

        await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            for (int i = 0; i < 2_000; i++)
            {
                int file = random.Next(random.Next(2) == 0 ? 3 : Files);
                int offset = random.Next(2) == 0 ? 0 : random.Next(Length);
                world.AssertContent(names[file], offset, world.Kernel.Read(nodes[file], 0, offset, Length).Body);
            }
        })));

        Assert.Empty(world.Kernel.Faults);
        Assert.Equal(0, world.Memory.BytesRead);
    }

    private const uint SeekHole = 4;

    private static byte[] LseekOf(uint whence)
    {
        byte[] arguments = new byte[24];
        BitConverter.TryWriteBytes(arguments.AsSpan(16), whence);
        return arguments;
    }

    private static readonly FileSystemOptions Options = new() { Passthrough = false, SilentOpens = true, PrefetchFileBytes = 0 };

    private static FileSystemWorld World() => new(Options);
}
