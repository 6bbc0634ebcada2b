using Xunit;

namespace Forebay.FileSystem.Tests.Reading;

/// <summary>The small files of a directory, where the mount has no cache and whoever lends keeps what is read through it.</summary>
public sealed class PrefetchWithoutCacheTests
{
    [Fact]
    public async Task ThatNothingCanBeStoredIsFoundOutOnceForADirectory()
    {
        const int Files = 50;
        using Lender lender = new();
        await using var world = new FileSystemWorld(quotaBytes: 0, lenders: lender);
        for (int i = 0; i < Files; i++)
        {
            world.Memory.PutPattern($"d/{i:00}", 1000 + i);
        }

        CountingMount mount = new(world.Mount);
        using DirectoryPrefetch prefetch = new(mount, new FileSystemOptions { PrefetchParallelism = 1 }, lender);

        prefetch.OnColdRead(await world.Mount.StatAsync("d/00", null, CancellationToken.None), wasListed: true);

        Assert.True(SpinWait.SpinUntil(() => prefetch.IsIdle, TimeSpan.FromSeconds(30)), "the end was not seen");
        Assert.Equal(Files - 1, prefetch.Files);
        Assert.Equal(1, mount.Stores);
    }
}
