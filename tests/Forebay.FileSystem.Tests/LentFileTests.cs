using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>A mount without a cache, and somebody who lends it whole files.</summary>
public sealed class LentFileTests
{
    [Fact]
    public async Task ALentFileIsReadByTheKernelAndReturnedWhenItIsNotKeptReady()
    {
        using Lender lender = new();
        await using var world = World(lender, passthrough: true, new FileSystemOptions { PassthroughFromBytes = 1, MaxIdleBackings = 0 });
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        ulong a = world.Kernel.Walk("a").NodeId;

        FuseOpenOut first = world.Kernel.Open(a).Read<FuseOpenOut>();
        FuseOpenOut second = world.Kernel.Open(a).Read<FuseOpenOut>();

        Assert.True((first.Flags & (uint)FuseOpenFlags.Passthrough) != 0);
        Assert.Equal((first.Flags, first.BackingId), (second.Flags, second.BackingId));
        Assert.Equal((1, 1), (lender.Asked, lender.Out));
        Assert.Equal(0, world.Memory.BytesRead);
        world.Kernel.Release(a, first.Handle);
        Assert.Equal(1, lender.Out);
        world.Kernel.Release(a, second.Handle);
        Assert.Equal(0, lender.Out);
        Assert.Empty(world.Kernel.OpenBackings);
    }

    [Fact]
    public async Task WithoutTheKernelsHelpALentFileIsReadInPlaceFromItsFirstReadOn()
    {
        using Lender lender = new();
        await using var world = World(lender);
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        ulong a = world.Kernel.Walk("a").NodeId;
        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();
        Assert.Equal(0, lender.Asked);

        world.AssertContent("a", 0, world.Kernel.Read(a, opened.Handle, 0, 131_072).Body);
        world.AssertContent("a", 499_000, world.Kernel.Read(a, opened.Handle, 499_000, 4096).Body);

        Assert.Equal((1, 1), (lender.Asked, lender.Out));
        Assert.Equal(0, world.Memory.BytesRead);
        Assert.Equal(1, world.FileSystem.GetStatus().HotReads);
        world.Kernel.Release(a, opened.Handle);
        await lender.HasAllBackAsync();
    }

    [Fact]
    public async Task WhatIsNotLentIsReadFromTheSource()
    {
        using Lender lender = new();
        await using var world = World(lender, passthrough: true, new FileSystemOptions { PassthroughFromBytes = 1 });
        world.Memory.PutPattern("a", 500_000);
        ulong a = world.Kernel.Walk("a").NodeId;

        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();
        byte[] read = world.Kernel.Read(a, opened.Handle, 100, 100_000).Body;

        Assert.True((opened.Flags & (uint)FuseOpenFlags.Passthrough) == 0);
        Assert.Equal(100_000, read.Length);
        world.AssertContent("a", 100, read);
        Assert.Equal(1, lender.Asked);
        world.Kernel.Release(a, opened.Handle);
    }

    [Fact]
    public async Task ALentFileThatTheKernelDoesNotTakeIsReadInPlaceAndNotAskedForAgain()
    {
        using Lender lender = new();
        await using var world = World(lender, passthrough: true, new FileSystemOptions { PassthroughFromBytes = 1 });
        world.Kernel.BackingErrno = Errno.EPERM;
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        ulong a = world.Kernel.Walk("a").NodeId;

        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();
        byte[] read = world.Kernel.Read(a, opened.Handle, 100, 100_000).Body;

        Assert.True((opened.Flags & (uint)FuseOpenFlags.Passthrough) == 0);
        world.AssertContent("a", 100, read);
        Assert.Equal((1, 1), (lender.Asked, lender.Out));
        Assert.Equal(0, world.Memory.BytesRead);
        world.Kernel.Release(a, opened.Handle);
        await lender.HasAllBackAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnOpenThatFailsUnexpectedlyIsAnsweredAndKeepsNothingThatWasLent(bool lenderFails)
    {
        using Lender lender = new();
        await using var world = World(lender, passthrough: true, new FileSystemOptions { PassthroughFromBytes = 1 });
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        ulong a = world.Kernel.Walk("a").NodeId;
        lender.Failure = lenderFails ? new InvalidOperationException("broken") : null;
        world.Kernel.BackingFailure = lenderFails ? null : new InvalidOperationException("broken");

        Reply refused = world.Kernel.Open(a);

        Assert.Equal(Errno.EIO, refused.Errno);
        Assert.Equal(0, lender.Out);
        (lender.Failure, world.Kernel.BackingFailure) = (null, null);
        Assert.Equal(0, world.Kernel.Open(a).Errno);
    }

    [Fact]
    public async Task ALentFileThatCannotBeReadAnyMoreIsReadFromTheSource()
    {
        using Lender lender = new();
        await using var world = World(lender);
        ObjectStat stat = world.Memory.PutPattern("a", 500_000);
        lender.Lend(stat);
        ulong a = world.Kernel.Walk("a").NodeId;
        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();
        world.AssertContent("a", 0, world.Kernel.Read(a, opened.Handle, 0, 4096).Body);

        lender.Truncate("a");

        byte[] read = world.Kernel.Read(a, opened.Handle, 200_000, 100_000).Body;
        Assert.Equal(100_000, read.Length);
        world.AssertContent("a", 200_000, read);
        world.Kernel.Release(a, opened.Handle);
        await lender.HasAllBackAsync();
    }

    [Fact]
    public async Task ALentFileThatEndsEarlyIsReadFromTheSourceFromItsFirstReadOn()
    {
        using Lender lender = new();
        await using var world = World(lender);
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        lender.Truncate("a");
        ulong a = world.Kernel.Walk("a").NodeId;
        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();

        byte[] read = world.Kernel.Read(a, opened.Handle, 0, 100_000).Body;

        Assert.Equal((1, 100_000), (lender.Asked, read.Length));
        world.AssertContent("a", 0, read);
        world.Kernel.Release(a, opened.Handle);
        await lender.HasAllBackAsync();
    }

    [Fact]
    public async Task WhatTheMountHasItselfIsNotBorrowed()
    {
        using Lender lender = new();
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1 }, passthrough: true, lenders: lender);
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        await world.LoadAsync("a");
        ulong a = world.Kernel.Walk("a").NodeId;

        FuseOpenOut opened = world.Kernel.Open(a).Read<FuseOpenOut>();

        Assert.True((opened.Flags & (uint)FuseOpenFlags.Passthrough) != 0);
        Assert.Equal(0, lender.Asked);
    }

    [Fact]
    public async Task ASuccessorKeepsWhatIsOpenAndBorrowsAnewWhatIsOpenedAgain()
    {
        using Lender lender = new();
        await using var world = World(lender, passthrough: true, new FileSystemOptions { PassthroughFromBytes = 1 });
        lender.Lend(world.Memory.PutPattern("a", 500_000));
        lender.Lend(world.Memory.PutPattern("b", 500_000));
        ulong a = world.Kernel.Walk("a").NodeId;
        ulong b = world.Kernel.Walk("b").NodeId;
        FuseOpenOut before = world.Kernel.Open(a).Read<FuseOpenOut>();
        world.Kernel.Release(b, world.Kernel.Open(b).Read<FuseOpenOut>().Handle);

        world.Restart();

        FuseOpenOut after = world.Kernel.Open(a).Read<FuseOpenOut>();
        Assert.Equal(before.BackingId, after.BackingId);
        Assert.True(world.Kernel.OpenBackings.ContainsKey(before.BackingId));
        Assert.True((world.Kernel.Open(b).Read<FuseOpenOut>().Flags & (uint)FuseOpenFlags.Passthrough) != 0);
        Assert.Equal(3, lender.Asked);
    }

    [Fact]
    public async Task SmallFilesThatAreNotLentAreBroughtToWhoLends()
    {
        using Lender lender = new();
        await using var world = World(lender);
        for (int i = 0; i < 20; i++)
        {
            world.Memory.PutPattern($"d/{i:00}", 1000 + i);
        }

        ulong directory = world.Kernel.Walk("d").NodeId;
        world.Kernel.List(directory);
        ulong first = world.Kernel.Lookup(directory, "00").Read<FuseEntryOut>().NodeId;
        FuseOpenOut opened = world.Kernel.Open(first).Read<FuseOpenOut>();

        world.AssertContent("d/00", 0, world.Kernel.Read(first, opened.Handle, 0, 4096).Body);

        Assert.True(SpinWait.SpinUntil(() => world.FileSystem.GetStatus().PrefetchedFiles >= 19, TimeSpan.FromSeconds(30)), $"only {world.FileSystem.GetStatus().PrefetchedFiles} files were read through");
    }

    private static FileSystemWorld World(Lender lender, bool passthrough = false, FileSystemOptions? options = null)
        => new(options, passthrough: passthrough, quotaBytes: 0, lenders: lender);
}
