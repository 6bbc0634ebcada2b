using System.Globalization;
using System.Text;
using Forebay.Core;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.FileSystem.Tests.Inodes;

public sealed class InodeTableTests(ITestOutputHelper output) : IDisposable
{
    private const ulong Identity = 42;
    private static readonly InodeAttributes Plain = new(InodeAttributes.Unknown, InodeAttributes.Unknown, InodeAttributes.Unknown, 0);
    private readonly InodeRegion _region = InodeRegion.Allocate(InodeRegion.FewestInodes);

    public void Dispose() => _region.Dispose();

    [Fact]
    public void AnotherVersionOfANameGetsAnotherNodeIdAndKeepsItsInodeNumber()
    {
        InodeTable table = Open();

        InodeView first = LookUp(table, InodeTable.Root, "a", Stat("a", 1));
        InodeView again = LookUp(table, InodeTable.Root, "a", Stat("a", 1));
        InodeView second = LookUp(table, InodeTable.Root, "a", Stat("a", 2));

        Assert.Equal(first.NodeId, again.NodeId);
        Assert.NotEqual(first.NodeId, second.NodeId);
        Assert.Equal(first.Inode, second.Inode);
        Assert.True(table.TryGet(first.NodeId, out InodeView old) && old.IsOutdated, "the old version is outdated");
        Assert.False(second.IsOutdated);
    }

    [Fact]
    public void AForgottenNodeIdIsNeverUsedAgain()
    {
        InodeTable table = Open();
        var seen = new HashSet<ulong>();

        for (int i = 0; i < 10_000; i++)
        {
            InodeView view = LookUp(table, InodeTable.Root, "name", Stat("name", i));
            Assert.True(seen.Add(view.NodeId), "a nodeid came back");
            table.Forget(view.NodeId, 1);
            Assert.False(table.TryGet(view.NodeId, out _), "forgotten, but still there");
        }

        Assert.Equal(1, table.Count);
    }

    /// <summary>Whoever looks at all of them must not keep the table from those who look up names.</summary>
    [Fact]
    public void InodesAreCollectedSomeAtATime()
    {
        using var region = InodeRegion.Allocate(20_000);
        var table = new InodeTable(region, Identity, DateTimeOffset.UnixEpoch);
        for (int i = 0; i < 10_000; i++)
        {
            LookUp(table, InodeTable.Root, $"{i}", Stat($"{i}", 1));
        }

        var all = new List<InodeView>();
        var part = new List<InodeView>();
        for (int place = 1; place != 0;)
        {
            part.Clear();
            place = table.CollectPart(place, onlyDirectories: false, part);
            Assert.InRange(part.Count, 1, 4_096);
            all.AddRange(part);
        }

        Assert.Equal(10_001, all.Select(view => view.NodeId).Distinct().Count());
        Assert.Equal(10_001, all.Count);
    }

    [Fact]
    public void ARepeatedLookupCountsOnce()
    {
        InodeTable table = Open();

        Assert.True(table.TryLookUp(InodeTable.Root, "a"u8, InodeKind.File, Stat("a", 1), Plain, unique: 7, isRepeated: false, out InodeView view));
        Assert.True(table.TryLookUp(InodeTable.Root, "a"u8, InodeKind.File, Stat("a", 1), Plain, unique: 7, isRepeated: true, out _));
        table.Forget(view.NodeId, 1);

        Assert.False(table.TryGet(view.NodeId, out _), "counted twice");
    }

    [Fact]
    public void ADirectoryOutlivesItsOwnLookupsWhileSomethingBelowItIsKnown()
    {
        InodeTable table = Open();
        InodeView directory = LookUp(table, InodeTable.Root, "d", null);
        InodeView file = LookUp(table, directory.NodeId, "f", Stat("d/f", 1));

        table.Forget(directory.NodeId, 1);
        Assert.Equal("d/f", table.PathOf(file.NodeId));
        table.Forget(file.NodeId, 1);

        Assert.Equal(1, table.Count);
    }

    [Theory]
    [InlineData("\"d41d8cd98f00b204e9800998ecf8427e\"")]
    [InlineData("\"d41d8cd98f00b204e9800998ecf8427e-17\"")]
    [InlineData("\"d41d8cd98f00b204e9800998ecf8427e-017\"")]
    [InlineData("\"D41D8CD98F00B204E9800998ECF8427E\"")]
    [InlineData("12-1700000000")]
    [InlineData("\"\"")]
    [InlineData("\"ÄÖÜ-a token that is so long that it takes many cells of the heap, more than anybody would think of at first, and then some\"")]
    public void ATokenComesBackAsItWas(string token)
    {
        InodeTable table = Open();
        string name = new('n', 255);
        ObjectStat stat = Stat(name, 1) with { Token = new VersionToken(token), ETag = "\"other\"" };

        InodeView view = LookUp(table, InodeTable.Root, name, stat);

        Assert.Equal(stat, Open().StatOf(view.NodeId));
    }

    [Fact]
    public void AFullTableRefusesAndGoesOnWhenSomethingWasForgotten()
    {
        InodeTable table = Open();
        var known = new List<ulong>();

        for (int i = 0; i < InodeRegion.FewestInodes * 2; i++)
        {
            string name = i.ToString(CultureInfo.InvariantCulture);
            if (table.TryLookUp(InodeTable.Root, Encoding.UTF8.GetBytes(name), InodeKind.File, Stat(name, 1), Plain, 1, false, out InodeView view))
            {
                known.Add(view.NodeId);
            }
        }

        Assert.Equal(table.Capacity - 1, known.Count);
        Assert.Equal(table.Capacity, table.Count);
        table.Forget(known[0], 1);
        LookUp(table, InodeTable.Root, "one more", Stat("one more", 1));
    }

    [Fact]
    public void ATableOfAnotherSourceIsRefused()
    {
        Open();

        ForebayException error = Assert.Throws<ForebayException>(() => new InodeTable(_region, Identity + 1, DateTimeOffset.UnixEpoch));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
    }

    [Fact]
    public void AHandleAndItsPositionAreFoundByASuccessor()
    {
        InodeTable table = Open();
        InodeView directory = LookUp(table, InodeTable.Root, "d", null);
        Assert.True(table.TryOpen(directory.NodeId, isDirectory: true, OpenMode.None, unique: 9, out ulong handle, out _));
        table.SetPosition(handle, 5, "first"u8);
        table.SetPosition(handle, 6, "second"u8);

        InodeTable successor = Open();

        Assert.True(successor.TryGetHandle(handle, out HandleView view));
        Assert.Equal(directory.NodeId, view.NodeId);
        Assert.Equal("second", Encoding.UTF8.GetString(successor.PositionOf(handle, out ulong cookie)!));
        Assert.Equal(6UL, cookie);
        Assert.True(successor.TryFindRepeated(9 | (1UL << 63), directory.NodeId, out ulong repeated));
        Assert.Equal(handle, repeated);
        Assert.True(successor.Close(handle, out _, out _));
        Assert.False(successor.TryGetHandle(handle, out _));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    public unsafe void AHandleWhoseCloseWasKilledIsClosedAndItsNumberNotUsedAgain(uint raised)
    {
        InodeTable table = Open();
        InodeView file = LookUp(table, InodeTable.Root, "f", Stat("f", 1));
        Assert.True(table.TryOpen(file.NodeId, false, OpenMode.Cached, 1, out ulong handle, out _));
        var layout = RegionLayout.For(((RegionHeader*)_region.Address)->Inodes);
        HandleSlot* slot = (HandleSlot*)(_region.Address + layout.HandlesAt) + (uint)handle;
        slot->State = 3;
        slot->Generation += raised;

        InodeTable successor = Open();

        Assert.Equal(0, successor.HandleCount);
        Assert.True(successor.TryGet(file.NodeId, out InodeView view));
        Assert.Equal(0, view.Opens);
        Assert.True(successor.TryOpen(file.NodeId, false, OpenMode.Cached, 2, out ulong next, out _));
        Assert.NotEqual(handle, next);
    }

    [Fact]
    public void AllHandlesOfAnInodeShareTheModeOfTheFirst()
    {
        InodeTable table = Open();
        InodeView file = LookUp(table, InodeTable.Root, "f", Stat("f", 1));

        table.TryOpen(file.NodeId, false, OpenMode.Cached, 1, out ulong first, out _);
        table.TryOpen(file.NodeId, false, OpenMode.Passthrough, 2, out ulong second, out InodeView shared);

        Assert.Equal(OpenMode.Cached, shared.OpenMode);
        Assert.False(table.Close(first, out _, out _));
        Assert.True(table.Close(second, out _, out OpenMode mode));
        Assert.Equal(OpenMode.Cached, mode);
        table.TryOpen(file.NodeId, false, OpenMode.Passthrough, 3, out _, out shared);
        Assert.Equal(OpenMode.Passthrough, shared.OpenMode);
    }

    [Fact]
    public void AMillionInodesAreFoundFastAndTakeFewBytes()
    {
        const int Count = 1_000_000;
        using InodeRegion region = InodeRegion.Allocate(Count + 2_000);
        var table = new InodeTable(region, Identity, DateTimeOffset.UnixEpoch);
        ulong[] directories = [.. Enumerable.Range(0, 1_000).Select(i => LookUp(table, InodeTable.Root, $"directory-{i:d4}", null).NodeId)];
        long start = TimeProvider.System.GetTimestamp();
        for (int i = 0; i < Count; i++)
        {
            LookUp(table, directories[i % 1_000], $"image-{i:d7}.jpg", Stat("x", i));
        }

        TimeSpan adding = TimeProvider.System.GetElapsedTime(start);
        start = TimeProvider.System.GetTimestamp();
        var successor = new InodeTable(region, Identity, DateTimeOffset.UnixEpoch);
        TimeSpan opening = TimeProvider.System.GetElapsedTime(start);

        Assert.Equal(Count + 1_001, successor.Count);
        Assert.NotEqual(0UL, successor.Peek(directories[7], Encoding.UTF8.GetBytes("image-0123007.jpg")));
        long bytes = successor.UsedBytes / successor.Count;
        output.WriteLine($"{bytes} B an inode, {adding.TotalMilliseconds * 1_000 / Count:f2} µs to add one, {opening.TotalMilliseconds:f0} ms to take over 1,000,000");
        Assert.InRange(bytes, 128, 170);
    }

    private InodeTable Open() => new(_region, Identity, DateTimeOffset.UnixEpoch);

    internal static InodeView LookUp(InodeTable table, ulong parent, string name, ObjectStat? stat)
    {
        Assert.True(
            table.TryLookUp(parent, Encoding.UTF8.GetBytes(name), stat is null ? InodeKind.Directory : InodeKind.File, stat, Plain, 1, false, out InodeView view),
            $"'{name}' finds no place");
        return view;
    }

    internal static ObjectStat Stat(string key, int version)
    {
        string etag = string.Create(CultureInfo.InvariantCulture, $"\"{version:x32}\"");
        return new ObjectStat(key, 10, new VersionToken(etag), DateTimeOffset.UnixEpoch) { ETag = etag };
    }
}
