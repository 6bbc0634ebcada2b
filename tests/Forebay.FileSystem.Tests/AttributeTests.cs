using System.Text;
using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>Mode, owner, group, time and links as headers of objects keep them, and extended attributes.</summary>
public sealed class AttributeTests
{
    [Fact]
    public async Task AttributesOfS3fsAndRcloneAreShown()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { Uid = 7, Gid = 8, ModeMask = 0x12 });
        world.Memory.Put("s3fs", "x", Headers(("mode", "33206"), ("uid", "1000"), ("gid", "1001"), ("mtime", "1354040105.5")));
        world.Memory.Put("rclone", "x", Headers(("mode", "100600"), ("mtime", "2020-01-02T03:04:05Z")));
        world.Memory.Put("link", "target/of/it", Headers(("mode", "41471")));

        FuseAttr s3fs = world.Kernel.Walk("s3fs").Attr;
        FuseAttr rclone = world.Kernel.Walk("rclone").Attr;
        FuseEntryOut link = world.Kernel.Walk("link");

        Assert.Equal(FuseMode.File | 0x1A4, s3fs.Mode); // 0666 without the mask 022
        Assert.Equal((1000u, 1001u), (s3fs.Uid, s3fs.Gid));
        Assert.Equal((1354040105UL, 500_000_000u), (s3fs.ModifySeconds, s3fs.ModifyNanoseconds));
        Assert.Equal(FuseMode.File | 0x180, rclone.Mode);
        Assert.Equal((7u, 8u), (rclone.Uid, rclone.Gid));
        Assert.Equal(1577934245UL, rclone.ModifySeconds);
        Assert.Equal(FuseMode.SymbolicLink | 0x1FF, link.Attr.Mode);
        Assert.Equal("target/of/it", Encoding.UTF8.GetString(world.Kernel.Ask(FuseOpcode.ReadLink, link.NodeId, default).Body));
    }

    [Fact]
    public async Task AListingShowsTheAttributesOfHeadersFromTheFirstOn()
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 300; i++)
        {
            world.Memory.Put($"dir/{i:000}", "x", Headers(("mode", "33188")));
        }

        world.Memory.Put("dir/link", "target", Headers(("mode", "41471")));
        FuseEntryOut directory = world.Kernel.Walk("dir");

        List<DirectoryEntry> entries = [.. world.Kernel.List(directory.NodeId, plus: true).Where(entry => entry.Name[0] != '.')];

        Assert.Equal(301, entries.Count);
        Assert.All(entries.Where(entry => entry.Name != "link"), entry => Assert.Equal(FuseMode.File | 0x1A4, entry.Plus.Attr.Mode));
        Assert.Equal(FuseMode.SymbolicLink | 0x1FF, entries.Single(entry => entry.Name == "link").Plus.Attr.Mode);
    }

    [Fact]
    public async Task ASourceWithoutAttributesIsAskedForSixteenFilesOnly()
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 300; i++)
        {
            world.Memory.PutPattern($"dir/{i:000}", 10);
        }

        FuseEntryOut directory = world.Kernel.Walk("dir");
        long asked = world.Memory.Requests;

        Assert.Equal(302, world.Kernel.List(directory.NodeId, plus: true).Count);
        Assert.Equal(302, world.Kernel.List(directory.NodeId, plus: true).Count);

        Assert.InRange(world.Memory.Requests - asked, 16, 18);
    }

    [Fact]
    public async Task ALinkStaysALinkForASuccessorThatSawOnlyItsListing()
    {
        await using var world = new FileSystemWorld();
        world.Memory.Put("dir/link", "target", Headers(("mode", "41471")));
        ulong before = world.Kernel.Walk("dir/link").NodeId;

        // What a listing without headers says of the same version.
        Assert.True(world.FileSystem.Table.TryLookUp(world.Kernel.Walk("dir").NodeId, "link"u8, InodeKind.File, world.Memory.Peek("dir/link")! with { Headers = null }, default, unique: 0, isRepeated: false, out InodeView view));

        Assert.Equal((before, InodeKind.SymbolicLink), (view.NodeId, view.Kind));
    }

    [Fact]
    public async Task ExtendedAttributesTellTheVersionAndWhatIsCached()
    {
        await using var world = new FileSystemWorld();
        ObjectStat stat = world.Memory.PutPattern("file", 100_000);
        FuseEntryOut entry = world.Kernel.Walk("file");
        await world.LoadAsync("file");

        Assert.Equal(stat.ETag, Xattr(world, entry.NodeId, "user.forebay.etag"));
        Assert.Equal("100000", Xattr(world, entry.NodeId, "user.forebay.cached"));
        Assert.Equal(Errno.ENODATA, world.Kernel.Ask(FuseOpcode.GetXattr, entry.NodeId, [.. BitConverter.GetBytes(64L), .. "security.capability\0"u8]).Errno);
    }

    private static ObjectHeaders Headers(params (string Name, string Value)[] metadata)
        => new() { UserMetadata = metadata.ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal) };

    private static string Xattr(FileSystemWorld world, ulong nodeId, string name)
        => Encoding.UTF8.GetString(world.Kernel.Ask(FuseOpcode.GetXattr, nodeId, [.. BitConverter.GetBytes(1024L), .. Encoding.UTF8.GetBytes(name + "\0")]).Body);
}
