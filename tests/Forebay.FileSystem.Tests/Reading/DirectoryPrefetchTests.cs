using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests.Reading;

public sealed class DirectoryPrefetchTests
{
    [Fact]
    public async Task AFileThatIsSlowEndsTheWorkWhenItEndsHoweverManyWereBroughtMeanwhile()
    {
        const int Files = 10_000;
        await using var world = new FileSystemWorld(time: new ManualTimeProvider());
        for (int i = 0; i < Files; i++)
        {
            world.Memory.PutPattern($"d/{i:d5}", 1);
        }

        TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.On(UnderStoreCall.Read, 1, new Fault { Until = slow.Task });
        ObjectStat first = await world.Mount.StatAsync("d/00000", null, CancellationToken.None);
        using var prefetch = new DirectoryPrefetch(world.Mount, new FileSystemOptions(), lenders: null);

        prefetch.OnColdRead(first, wasListed: true);
        await Eventually.TrueAsync("all files but the slow one are there", () => prefetch.Files == Files - 2, TimeSpan.FromSeconds(60));
        Assert.False(prefetch.IsIdle, "ended before its last file");
        slow.SetResult();

        await Eventually.TrueAsync("the end is seen", () => prefetch.IsIdle, TimeSpan.FromSeconds(30));
        Assert.Equal(Files - 1, prefetch.Files);
    }

    [Fact]
    public async Task NoMoreBytesAreBroughtForADirectoryThanMayBe()
    {
        await using var world = new FileSystemWorld(time: new ManualTimeProvider());
        ObjectStat[] stats = await PutAsync(world);
        using var prefetch = new DirectoryPrefetch(world.Mount, new FileSystemOptions { PrefetchDirectoryBytes = 10 }, lenders: null);

        prefetch.OnColdRead(stats[0], wasListed: true);

        await Eventually.TrueAsync("the end is seen", () => prefetch.IsIdle, TimeSpan.FromSeconds(30));
        Assert.Equal(10, prefetch.Files);
    }

    [Fact]
    public async Task ALargeFileThatIsReadBringsNothing()
    {
        await using var world = new FileSystemWorld(time: new ManualTimeProvider());
        ObjectStat[] stats = await PutAsync(world);
        TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Read, new Fault { Until = slow.Task });
        using var prefetch = new DirectoryPrefetch(world.Mount, new FileSystemOptions { PrefetchFileBytes = 1000 }, lenders: null);

        prefetch.OnColdRead(stats[0] with { Length = 1001 }, wasListed: true);
        Assert.True(prefetch.IsIdle);
        prefetch.OnColdRead(stats[0] with { Length = 1000 }, wasListed: true);
        Assert.False(prefetch.IsIdle);

        slow.SetResult();
        await Eventually.TrueAsync("the end is seen", () => prefetch.IsIdle, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task WhatWasThereAlreadyDoesNotCountAsPrefetched()
    {
        await using var world = new FileSystemWorld(time: new ManualTimeProvider());
        ObjectStat[] stats = await PutAsync(world);
        foreach (ObjectStat stat in stats)
        {
            await world.Mount.BringAsync(stat, CancellationToken.None);
        }

        using var prefetch = new DirectoryPrefetch(world.Mount, new FileSystemOptions(), lenders: null);
        prefetch.OnColdRead(stats[0], wasListed: true);
        await Eventually.TrueAsync("the end is seen", () => prefetch.IsIdle, TimeSpan.FromSeconds(30));

        prefetch.OnOpen(stats[7]);

        Assert.Equal((0L, 0L), (prefetch.Files, prefetch.FilesUsed));
    }

    private static async Task<ObjectStat[]> PutAsync(FileSystemWorld world)
    {
        List<ObjectStat> stats = [];
        for (int i = 0; i < 50; i++)
        {
            world.Memory.PutPattern($"d/{i:d5}", 1);
            stats.Add(await world.Mount.StatAsync($"d/{i:d5}", null, CancellationToken.None));
        }

        return [.. stats];
    }
}
