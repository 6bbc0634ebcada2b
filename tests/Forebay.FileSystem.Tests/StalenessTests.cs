using System.Globalization;
using Forebay.Core;
using Forebay.Engine;
using Forebay.FileSystem.Tests.Inodes;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>What the kernel is told to believe, how long, and that it is told when that ends.</summary>
public sealed class StalenessTests
{
    private static readonly FileSystemOptions Plain = new() { ObjectAttributes = ObjectAttributes.Ignore };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task AnEntryThatIsReadLateIsBelievedNoLongerThanItsListing()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(Plain, time);
        PutFiles(world, "d", 300);
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;

        DirectoryEntry[] early = NamesOf(world.Kernel.ReadSome(directory, handle, 0, 4096, plus: true));
        time.Advance(TimeSpan.FromSeconds(45));
        DirectoryEntry[] later = NamesOf(world.Kernel.ReadSome(directory, handle, early[^1].Cookie, 4096, plus: true));
        time.Advance(TimeSpan.FromSeconds(16));
        DirectoryEntry[] late = ReadOn(world, directory, handle, later[^1].Cookie);

        Assert.All(early, entry => Assert.InRange(entry.Plus.EntryValidSeconds, 16UL, 60UL));
        Assert.All(later, entry => Assert.InRange(entry.Plus.EntryValidSeconds, 1UL, 15UL));
        Assert.Equal(300, early.Length + later.Length + late.Length);
        Assert.All(late, entry => Assert.Equal(0UL, entry.Plus.NodeId));
        Assert.Equal((uint)FuseOpenFlags.CacheDirectory, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
    }

    /// <summary>The kernel keeps a listing as a whole: what came last must not make it keep the first page longer.</summary>
    [Fact]
    public async Task APageIsBelievedNoLongerThanTheFirstOne()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(Plain, time);
        PutFiles(world, "d", 3_500);
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;

        DirectoryEntry[] early = NamesOf(world.Kernel.ReadSome(directory, handle, 0, 4096, plus: true));
        time.Advance(TimeSpan.FromSeconds(45));
        DirectoryEntry[] late = ReadOn(world, directory, handle, early[^1].Cookie);

        Assert.Equal(3_500, early.Length + late.Length);
        Assert.All(late, entry => Assert.InRange(entry.Plus.EntryValidSeconds, 1UL, 15UL));
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.Equal((uint)FuseOpenFlags.CacheDirectory, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
    }

    [Fact]
    public async Task AnOldListingDoesNotOutdateANewerVersion()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(Plain, time);
        PutFiles(world, "d", 300);
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;
        DirectoryEntry[] early = NamesOf(world.Kernel.ReadSome(directory, handle, 0, 4096, plus: true));

        time.Advance(TimeSpan.FromSeconds(61));
        world.Memory.PutPattern("d/00299", 77);
        FuseEntryOut fresh = world.Kernel.Walk("d/00299");
        ReadOn(world, directory, handle, early[^1].Cookie);

        Assert.Equal(77UL, fresh.Attr.Size);
        Assert.True(world.FileSystem.Table.TryGet(fresh.NodeId, out InodeView view) && !view.IsOutdated, "the newer version is taken for the old one");
    }

    [Theory]
    [InlineData("d/")]
    [InlineData("d/00007")]
    [InlineData("")]
    public async Task AListingThatWasBegunBeforeARefreshIsNotBelievedAfterIt(string refreshed)
    {
        await using var world = new FileSystemWorld(Plain);
        PutFiles(world, "d", 300);
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong handle = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;
        DirectoryEntry[] before = NamesOf(world.Kernel.ReadSome(directory, handle, 0, 4096, plus: true));

        await world.Mount.RefreshAsync(refreshed, CancellationToken.None);
        DirectoryEntry[] after = ReadOn(world, directory, handle, before[^1].Cookie);

        Assert.All(before, entry => Assert.NotEqual(0UL, entry.Plus.NodeId));
        Assert.All(after, entry => Assert.Equal(0UL, entry.Plus.NodeId));
        Assert.Equal((uint)FuseOpenFlags.CacheDirectory, world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Flags);
    }

    [Theory]
    [InlineData("a//b")]
    [InlineData("/x")]
    [InlineData("a/./b")]
    public async Task ARefreshOfAKeyThatIsNoPathIsNoFault(string key)
    {
        await using var world = new FileSystemWorld(Plain);
        world.Memory.PutPattern("a/b", 1);
        world.Kernel.Walk("a/b");

        await world.Mount.RefreshAsync(key, CancellationToken.None);

        Assert.Empty(world.Kernel.DroppedNames);
    }

    [Theory]
    [InlineData("")]
    [InlineData("d/")]
    [InlineData("d/00003")]
    public async Task WhatTheKernelCouldNotBeToldIsToldWhenItsQueueIsEmpty(string refreshed)
    {
        await using var world = new FileSystemWorld(Plain);
        PutFiles(world, "d", 50);
        PutFiles(world, "e", 5);
        string[] names = [.. Enumerable.Range(0, 50).Select(i => $"{i:d5}")];
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong other = world.Kernel.Walk("e").NodeId;
        world.Kernel.List(directory, plus: true);
        world.Kernel.List(other, plus: true);
        var drained = new TaskCompletionSource<bool>();
        world.Kernel.KnowsEpochs = false;
        world.Kernel.Drain = drained.Task;
        world.Kernel.Queue = refreshed.EndsWith('3') ? 1 : 10;

        await world.Mount.RefreshAsync(refreshed, CancellationToken.None);
        Assert.InRange(world.Kernel.DroppedNames.Count, 0, 10);
        world.Kernel.Queue = 10;
        drained.SetResult(true);

        Assert.True(
            SpinWait.SpinUntil(() => !names.Except(world.Kernel.DroppedNames.Where(name => name.Parent == directory).Select(name => name.Name)).Any(), Patience),
            $"only {world.Kernel.DroppedNames.Count} names were dropped");
        Assert.Equal(refreshed.Length == 0, SpinWait.SpinUntil(() => world.Kernel.DroppedNames.Any(name => name.Parent == other), refreshed.Length == 0 ? Patience : TimeSpan.Zero));
    }

    [Fact]
    public async Task AFullQueueIsNoReasonToForgetThatAllNamesExpire()
    {
        await using var world = new FileSystemWorld(Plain);
        PutFiles(world, "d", 5);
        world.Kernel.List(world.Kernel.Walk("d").NodeId, plus: true);
        var drained = new TaskCompletionSource<bool>();
        world.Kernel.Drain = drained.Task;
        world.Kernel.Queue = 0;

        await world.Mount.RefreshAsync("", CancellationToken.None);
        Assert.Equal(0, world.Kernel.Epochs);
        world.Kernel.Queue = 10;
        drained.SetResult(true);

        Assert.True(SpinWait.SpinUntil(() => world.Kernel.Epochs == 1, Patience), "names are believed on");
    }

    [Fact]
    public async Task ARefreshOfEverythingTakesNoMemoryForFiles()
    {
        await using var world = new FileSystemWorld(Plain);
        for (int i = 0; i < 15_000; i++)
        {
            string name = i.ToString(CultureInfo.InvariantCulture);
            InodeTableTests.LookUp(world.FileSystem.Table, InodeTable.Root, name, InodeTableTests.Stat(name, 1));
        }

        InodeTableTests.LookUp(world.FileSystem.Table, InodeTable.Root, "d", null);
        long before = GC.GetAllocatedBytesForCurrentThread();
        // What the kernel is told, it is told before this returns; what is awaited is the engine's.
        ValueTask refresh = world.Mount.RefreshAsync("", CancellationToken.None);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        await refresh;
        Assert.Equal(2, world.Kernel.DroppedInodes.Count);
        Assert.InRange(allocated, 0, 256 << 10);
    }

    [Fact]
    public async Task OpenDirectoriesHoldABoundedPartOfTheirListings()
    {
        const int Readers = 20;
        const int Files = 3_000;
        await using var world = new FileSystemWorld(Plain with { MaxDirectoryBytes = 1 << 20 });
        PutFiles(world, "d", Files);
        ulong directory = world.Kernel.Walk("d").NodeId;
        ulong[] handles = [.. Enumerable.Range(0, Readers).Select(_ => world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle)];
        ulong[] cookies = new ulong[Readers];
        List<string>[] seen = [.. handles.Select(_ => new List<string>())];
        long most = 0;
        for (bool isMore = true; isMore;)
        {
            isMore = false;
            for (int i = 0; i < Readers; i++)
            {
                List<DirectoryEntry> some = world.Kernel.ReadSome(directory, handles[i], cookies[i], 4096, plus: false);
                seen[i].AddRange(NamesOf(some).Select(entry => entry.Name));
                cookies[i] = some.Count > 0 ? some[^1].Cookie : cookies[i];
                isMore |= some.Count > 0;
                most = Math.Max(most, world.FileSystem.HeldDirectoryBytes);
            }
        }

        Assert.All(seen, names => Assert.Equal(Enumerable.Range(0, Files).Select(i => $"{i:d5}"), names));
        Assert.InRange(most, 256 << 10, 1 << 20);
        foreach (ulong handle in handles)
        {
            world.Kernel.Release(directory, handle, directory: true);
        }

        Assert.Equal(0L, world.FileSystem.HeldDirectoryBytes);
        ulong last = world.Kernel.Open(directory, directory: true).Read<FuseOpenOut>().Handle;
        world.Kernel.OnAnswer = () => world.Kernel.Release(directory, last, directory: true);
        world.Kernel.ReadSome(directory, last, 0, 4096, plus: false);
        Assert.Equal(0L, world.FileSystem.HeldDirectoryBytes);
    }

    [Fact]
    public async Task ListingsThatAreOverMakeRoomForNewOnes()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(Plain, time);
        world.Memory.PutPattern("file", 1);
        var streams = new DirectoryStreams(world.Mount, world.FileSystem.Table, 1 << 20, time);
        for (ulong nodeId = 1; nodeId <= DirectoryStreams.MostKeptListings; nodeId++)
        {
            await ReadWholeAsync(nodeId);
        }

        await ReadWholeAsync(ulong.MaxValue);

        Assert.True(streams.IsListed(ulong.MaxValue), "no listing is kept any more");
        Assert.False(streams.IsListed(1), "more than the bound are kept");
        for (ulong nodeId = 1; nodeId <= DirectoryStreams.MostKeptListings; nodeId++)
        {
            if (nodeId == 6 * DirectoryStreams.MostKeptListings / 10)
            {
                time.Advance(TimeSpan.FromSeconds(61));
            }

            await ReadWholeAsync(nodeId);
        }

        Assert.Equal((false, true), (streams.IsListed(1), streams.IsListed(DirectoryStreams.MostKeptListings)));
        Assert.True(streams.IsListed(DirectoryStreams.MostKeptListings * 7 / 10), "one that is not over was taken away");

        async Task ReadWholeAsync(ulong nodeId)
        {
            var stream = new DirectoryStream(world.Mount, nodeId, "", time);
            await stream.FillAsync(CancellationToken.None);
            streams.OnReadWhole(stream);
        }
    }

    private static void PutFiles(FileSystemWorld world, string directory, int count)
    {
        for (int i = 0; i < count; i++)
        {
            world.Memory.PutPattern($"{directory}/{i:d5}", 1);
        }
    }

    private static DirectoryEntry[] NamesOf(IEnumerable<DirectoryEntry> entries) => [.. entries.Where(entry => entry.Name[0] != '.')];

    private static DirectoryEntry[] ReadOn(FileSystemWorld world, ulong directory, ulong handle, ulong cookie)
    {
        var all = new List<DirectoryEntry>();
        while (world.Kernel.ReadSome(directory, handle, cookie, 4096, plus: true) is { Count: > 0 } some)
        {
            all.AddRange(some);
            cookie = some[^1].Cookie;
        }

        return NamesOf(all);
    }
}
