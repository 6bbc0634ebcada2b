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
}
