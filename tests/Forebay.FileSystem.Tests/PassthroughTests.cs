using System.Text;
using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>Cache files that the kernel reads itself.</summary>
public sealed class PassthroughTests
{
    [Fact]
    public async Task FilesThatAreWholeAreHandedToTheKernelWithOneIdForAllOpens()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1, MaxIdleBackings = 1 }, passthrough: true);
        world.Memory.PutPattern("whole", 500_000);
        world.Memory.PutPattern("other", 500_000);
        world.Memory.PutPattern("partly", 500_000);
        await world.LoadAsync("whole", "other");
        ulong whole = world.Kernel.Walk("whole").NodeId;
        ulong other = world.Kernel.Walk("other").NodeId;
        ulong partly = world.Kernel.Walk("partly").NodeId;

        FuseOpenOut first = world.Kernel.Open(whole).Read<FuseOpenOut>();
        FuseOpenOut second = world.Kernel.Open(whole).Read<FuseOpenOut>();
        FuseOpenOut cached = world.Kernel.Open(partly).Read<FuseOpenOut>();

        Assert.True((first.Flags & (uint)FuseOpenFlags.Passthrough) != 0);
        Assert.Equal(first.BackingId, second.BackingId);
        Assert.True((cached.Flags & (uint)FuseOpenFlags.Passthrough) == 0);
        await world.LoadAsync("partly");
        Assert.True((world.Kernel.Open(partly).Read<FuseOpenOut>().Flags & (uint)FuseOpenFlags.Passthrough) == 0, "the mode changed while open");

        world.Restart();
        Assert.Equal(first.BackingId, world.Kernel.Open(whole).Read<FuseOpenOut>().BackingId);
        foreach (HandleView handle in world.FileSystem.Table.Handles().Where(handle => handle.NodeId == whole))
        {
            world.Kernel.Release(whole, handle.Handle);
        }

        Assert.Equal(1, world.FileSystem.GetStatus().Backings);
        ulong of = world.Kernel.Open(other).Read<FuseOpenOut>().Handle;
        world.Kernel.Release(other, of);
        Assert.Equal(1, world.FileSystem.GetStatus().Backings);
        world.Kernel.Forget(other, 1);
        Assert.Equal(0, world.FileSystem.GetStatus().Backings);
        Assert.False(world.FileSystem.Table.TryGet(other, out _));
    }

    [Fact]
    public async Task FilesThatNobodyHasOpenAreGivenBackByBytesAndByTime()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1, MaxIdleBackingBytes = 1_000_000 }, time, passthrough: true);
        string[] names = ["a", "b", "c"];
        foreach (string name in names)
        {
            world.Memory.PutPattern(name, 400_000);
        }

        await world.LoadAsync(names);
        foreach (string name in names)
        {
            ulong node = world.Kernel.Walk(name).NodeId;
            world.Kernel.Release(node, world.Kernel.Open(node).Read<FuseOpenOut>().Handle);
        }

        Assert.Equal(2, world.FileSystem.GetStatus().Backings);
        ulong open = world.Kernel.Walk("c").NodeId;
        Assert.True((world.Kernel.Open(open).Read<FuseOpenOut>().Flags & (uint)FuseOpenFlags.Passthrough) != 0);

        time.Advance(Backings.IdleTime);
        time.Advance(Backings.IdleTime);

        Assert.Equal(1, world.FileSystem.GetStatus().Backings);
        Assert.Single(world.Kernel.OpenBackings);
    }

    [Fact]
    public async Task AKillWhileAFileIsGivenBackLeavesNoDeadId()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1 }, passthrough: true);
        world.Memory.PutPattern("file", 400_000);
        await world.LoadAsync("file");
        ulong node = world.Kernel.Walk("file").NodeId;
        FuseOpenOut first = world.Kernel.Open(node).Read<FuseOpenOut>();
        world.Kernel.Release(node, first.Handle);

        // As Close leaves it when it is killed between its first and its last step.
        world.FileSystem.Table.SetBacking(node, -first.BackingId);
        world.Restart();

        FuseOpenOut second = world.Kernel.Open(node).Read<FuseOpenOut>();
        Assert.True(second.BackingId > 0);
        Assert.Equal([second.BackingId], world.Kernel.OpenBackings.Keys);
    }

    [Fact]
    public async Task WhatAKilledProcessKeptReadyGoesBackOnce()
    {
        var time = new ManualTimeProvider();
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1 }, time, passthrough: true);
        world.Memory.PutPattern("file", 400_000);
        await world.LoadAsync("file");
        ulong node = world.Kernel.Walk("file").NodeId;
        world.Kernel.Release(node, world.Kernel.Open(node).Read<FuseOpenOut>().Handle);

        world.Restart();
        Assert.Single(world.Kernel.OpenBackings);
        time.Advance(Backings.IdleTime);

        Assert.Empty(world.Kernel.OpenBackings);
        Assert.Equal(0, world.FileSystem.GetStatus().Backings);
    }

    [Theory]
    [InlineData(Errno.ENOMEM, true)]
    [InlineData(Errno.ELOOP, true)]
    [InlineData(Errno.EPERM, false)]
    [InlineData(Errno.EOPNOTSUPP, false)]
    public async Task OnlyWhatHoldsForEveryFileEndsPassthrough(int errno, bool goesOn)
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 1 }, passthrough: true);
        world.Memory.PutPattern("file", 400_000);
        world.Memory.PutPattern("other", 400_000);
        await world.LoadAsync("file", "other");
        world.Kernel.BackingErrno = errno;
        Assert.Equal(0, world.Kernel.Open(world.Kernel.Walk("file").NodeId).Read<FuseOpenOut>().BackingId);
        world.Kernel.BackingErrno = 0;

        Assert.Equal(goesOn, world.Kernel.Open(world.Kernel.Walk("other").NodeId).Read<FuseOpenOut>().BackingId > 0);
    }
}
