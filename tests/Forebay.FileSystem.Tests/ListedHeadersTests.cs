using Forebay.Core;
using Forebay.Fuse;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>Listings that show what only the headers of files tell.</summary>
public sealed class ListedHeadersTests
{
    [Theory]
    [InlineData(900, 1)]
    [InlineData(1_100, 2)]
    public async Task HeadersThatAreKnownAreLookedUpOnceAheadAndOnceToBeShown(int count, int pages)
    {
        await using var world = new FileSystemWorld(withKernel: false);
        for (int i = 0; i < count; i++)
        {
            world.Memory.Put($"dir/{i:0000}", "x", new ObjectHeaders { UserMetadata = new Dictionary<string, string> { ["mode"] = "33184" } });
        }

        CountingMount mount = new(world.Mount);
        using InodeRegion region = InodeRegion.Allocate(2 * count);
        using MountedFileSystem files = new(mount, new FileSystemOptions(), region, NullLogger.Instance, TimeProvider.System, lenders: null);
        using FakeKernel kernel = new(files, passthrough: false);
        ulong directory = kernel.Walk("dir").NodeId;
        kernel.List(directory, plus: true);
        long asked = world.Memory.Requests;
        int before = mount.Resolves;

        List<DirectoryEntry> again = kernel.List(directory, plus: true);

        Assert.All(again.Where(entry => entry.Name[0] != '.'), entry => Assert.Equal(FuseMode.File | 0x1A0, entry.Plus.Attr.Mode));
        Assert.Equal(asked, world.Memory.Requests);

        // One may be looked up again where a page ends.
        Assert.InRange(mount.Resolves - before, 2 * count, (2 * count) + pages - 1);
    }
}
