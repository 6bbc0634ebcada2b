using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>Mode, owner, group and time of directories, as the headers of their markers keep them.</summary>
public sealed class DirectoryMarkerTests
{
    private static readonly FileSystemOptions Always = new() { ObjectAttributes = ObjectAttributes.Always, Uid = 7, Gid = 8, DirectoryMode = 0x1E8, ModeMask = 0x2 };

    [Fact]
    public async Task ALookUpShowsWhatTheMarkerSays()
    {
        await using var world = new FileSystemWorld(Always);
        world.Memory.Put("kept/", "", Headers(("mode", "16895"), ("uid", "1000"), ("gid", "1001"), ("mtime", "1354040105")));
        world.Memory.Put("kept/bare/", "");
        world.Memory.Put("kept/implied/file", "x");

        FuseAttr kept = world.Kernel.Walk("kept").Attr;
        FuseAttr bare = world.Kernel.Walk("kept/bare").Attr;
        FuseAttr implied = world.Kernel.Walk("kept/implied").Attr;

        Assert.Equal((FuseMode.Directory | 0x1FDu, 1000u, 1001u, 1354040105UL), (kept.Mode, kept.Uid, kept.Gid, kept.ModifySeconds)); // 0777 without 002
        Assert.Equal((FuseMode.Directory | 0x1E8u, 7u, 8u), (bare.Mode, bare.Uid, bare.Gid));
        Assert.Equal((ulong)world.Memory.Peek("kept/bare/")!.LastModified.ToUnixTimeSeconds(), bare.ModifySeconds);
        Assert.Equal((FuseMode.Directory | 0x1E8u, 7u, 8u), (implied.Mode, implied.Uid, implied.Gid));
    }

    /// <summary>As s3fs writes them (16877 when it copies, 493 when it makes one), rclone, and people.</summary>
    [Theory]
    [InlineData("16877", 0x1ED)]
    [InlineData("493", 0x1ED)]
    [InlineData("448", 0x1C0)]
    [InlineData("511", 0x1FF)]
    [InlineData("40750", 0x1E8)]
    [InlineData("0700", 0x1C0)]
    [InlineData("755", 0x1ED)]
    [InlineData("1777", 0x3FF)]
    [InlineData("512", 0x14A)]
    public void AModeIsReadAsItsWriterMeantIt(string text, int mode)
    {
        ObjectStat marker = new("kept/", 0, new VersionToken("v"), DateTimeOffset.UnixEpoch) { ETag = "\"e\"", Headers = Headers(("mode", text)) };
        Assert.Equal((uint)mode, ObjectAttributeReader.ReadMarker(marker, ObjectAttributes.Auto).Mode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("888")]
    [InlineData("rwx")]
    public void AModeThatIsNoneSaysNothing(string text)
    {
        ObjectStat marker = new("kept/", 0, new VersionToken("v"), DateTimeOffset.UnixEpoch) { ETag = "\"e\"", Headers = Headers(("mode", text)) };
        Assert.Equal(InodeAttributes.Unknown, ObjectAttributeReader.ReadMarker(marker, ObjectAttributes.Auto).Mode);
    }

    [Theory]
    [InlineData(ObjectAttributes.Auto, 4_096)]
    [InlineData(ObjectAttributes.Always, 4_096)]
    [InlineData(ObjectAttributes.Always, 128 << 10)]
    public async Task AListingShowsWhatTheMarkersSayFromTheFirstOn(ObjectAttributes rule, int size)
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { ObjectAttributes = rule });
        for (int i = 0; i < 300; i++)
        {
            world.Memory.Put($"{i:000}/", "", Headers(("mode", "16832")));
        }

        world.Memory.Put("implied/file", "x");

        List<DirectoryEntry> entries = [.. world.Kernel.List(InodeTable.Root, plus: true, size).Where(entry => entry.Name[0] != '.')];

        // What one answer holds beyond those that are asked for at a time has its name only: the kernel looks it up.
        Assert.Equal(301, entries.Count);
        List<DirectoryEntry> shown = [.. entries.Where(entry => entry.Plus.NodeId != 0)];
        Assert.InRange(shown.Count, size == 4_096 ? 301 : 128, 301);
        Assert.All(shown, entry => Assert.Equal(FuseMode.Directory | (entry.Name == "implied" ? 0x1E8u : 0x1C0), entry.Plus.Attr.Mode));
        Assert.Equal(FuseMode.Directory | 0x1C0u, world.Kernel.Walk("299").Attr.Mode);
        long asked = world.Memory.Requests;
        world.Kernel.List(InodeTable.Root, plus: true, size);
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Fact]
    public async Task ASourceWithoutAttributesIsAskedForSixteenMarkersOnlyAndForNoneByLookUps()
    {
        await using var world = new FileSystemWorld();
        for (int i = 0; i < 300; i++)
        {
            world.Memory.PutPattern($"{i:000}/file", 10);
        }

        Assert.Equal(302, world.Kernel.List(InodeTable.Root, plus: true).Count);
        Assert.Equal(302, world.Kernel.List(InodeTable.Root, plus: true).Count);
        Assert.Equal(16, world.Memory.StatRequests);

        long asked = world.Memory.StatRequests;
        world.Kernel.Walk("200");
        Assert.Equal(asked, world.Memory.StatRequests);
    }

    [Fact]
    public async Task RefusedMarkersCountAsSamples()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(time: time);
        for (int i = 0; i < 300; i++)
        {
            world.Memory.PutPattern($"{i:000}/file", 10);
        }

        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.AccessDenied));
        for (int i = 0; i < 5; i++)
        {
            world.Kernel.List(InodeTable.Root, plus: true);
            time.Advance(TimeSpan.FromSeconds(61));
        }

        Assert.InRange(world.Plan.Calls(UnderStoreCall.Stat), 1, 16);
    }

    /// <summary>As rclone leaves it: a question for each directory and few seconds would be too much.</summary>
    [Fact]
    public async Task ThatThereIsNoMarkerIsBelievedForAWhileAndUntilARefresh()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        world.Memory.Put("implied/file", "x");
        int asked = 0;
        world.Plan.When(UnderStoreCall.Stat, (key, _) => key == "implied/" && ++asked == 0, Fault.Fail(ErrorKind.AccessDenied));
        for (int i = 0; i < 5; i++)
        {
            Assert.InRange(world.Kernel.Walk("implied").EntryValidSeconds, 6UL, 60UL);
            time.Advance(TimeSpan.FromSeconds(10));
        }

        Assert.Equal(1, asked);
        world.Memory.Put("implied/", "", Headers(("mode", "16832")));
        await world.Mount.RefreshAsync("implied/", CancellationToken.None);
        Assert.Equal(FuseMode.Directory | 0x1C0u, world.Kernel.Walk("implied").Attr.Mode);
    }

    [Fact]
    public async Task InAnOutageAMarkerStandsIn()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        await world.Mount.StatAsync("kept/", null, CancellationToken.None);
        await world.Mount.ListDirectoryAsync("", null, 1_000, null, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(61));
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.Unavailable));
        world.Plan.OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.Unavailable));

        Task<Reply> lookup = world.Kernel.Start(FuseOpcode.Lookup, InodeTable.Root, "kept\0"u8);
        while (!lookup.IsCompleted)
        {
            // The pauses between retries are of this clock.
            time.Advance(TimeSpan.FromMilliseconds(5));
            await Task.Yield();
        }

        Assert.Equal(FuseMode.Directory | 0x1C0u, (await lookup).Read<FuseEntryOut>().Attr.Mode);
    }

    [Fact]
    public async Task IgnoredMarkersAreNotAskedFor()
    {
        await using var world = new FileSystemWorld(new FileSystemOptions { ObjectAttributes = ObjectAttributes.Ignore });
        world.Memory.Put("kept/", "", Headers(("mode", "16895")));

        Assert.Equal(FuseMode.Directory | 0x1E8u, world.Kernel.Walk("kept").Attr.Mode);
        Assert.All(world.Kernel.List(InodeTable.Root, plus: true), entry => Assert.Equal(FuseMode.Directory | 0x1E8u, entry.Plus.Attr.Mode));
        Assert.Equal(0, world.Memory.StatRequests);
    }

    [Fact]
    public async Task AMarkerThatChangesOrGoesIsSeenByTheNextLookUp()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        world.Memory.Put("kept/file", "x");
        FuseEntryOut before = world.Kernel.Walk("kept");

        world.Memory.Put("kept/", "", Headers(("mode", "16877")));
        time.Advance(TimeSpan.FromSeconds(61));
        FuseEntryOut changed = world.Kernel.Walk("kept");
        world.Memory.Delete("kept/");
        time.Advance(TimeSpan.FromSeconds(61));
        FuseEntryOut gone = world.Kernel.Walk("kept");

        Assert.Equal((FuseMode.Directory | 0x1C0u, FuseMode.Directory | 0x1EDu, FuseMode.Directory | 0x1E8u), (before.Attr.Mode, changed.Attr.Mode, gone.Attr.Mode));
        Assert.Equal((before.NodeId, before.NodeId), (changed.NodeId, gone.NodeId));
    }

    /// <summary>Also where the listing that shows the directory is younger.</summary>
    [Fact]
    public async Task AttributesAreBelievedNoLongerThanTheMarker()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        await world.Mount.StatAsync("kept/", null, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(50));

        Assert.InRange(world.Kernel.Walk("kept").AttrValidSeconds, 0UL, 10UL);
        Assert.InRange(world.Kernel.List(InodeTable.Root, plus: true).Single(entry => entry.Name == "kept").Plus.AttrValidSeconds, 0UL, 10UL);
    }

    [Fact]
    public async Task WhereNothingIsKeptALookUpAsksOnceAWhile()
    {
        await using var world = new FileSystemWorld(Always, mount: options => options with { MetadataTtl = TimeSpan.Zero, NegativeTtl = TimeSpan.Zero });
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        int asked = 0;
        world.Plan.When(UnderStoreCall.Stat, (key, _) => key == "kept/" && ++asked == 0, Fault.Fail(ErrorKind.AccessDenied));
        for (int i = 0; i < 5; i++)
        {
            world.Kernel.Walk("kept");
        }

        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task AMarkerThatIsNotToldIsNotWaitedForLong()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        await world.Mount.ListDirectoryAsync("", null, 1_000, null, CancellationToken.None);
        TaskCompletionSource never = new();
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(never.Task));

        Task<Reply> lookup = world.Kernel.Start(FuseOpcode.Lookup, InodeTable.Root, "kept\0"u8);
        await Eventually.TrueAsync("the marker is asked for", () => world.Plan.Calls(UnderStoreCall.Stat) > 0);
        time.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal(FuseMode.Directory | 0x1E8u, (await lookup.WaitAsync(TimeSpan.FromSeconds(30))).Read<FuseEntryOut>().Attr.Mode);
        never.SetResult();
    }

    [Fact]
    public async Task ASuccessorShowsWhatWasShown()
    {
        await using var world = new FileSystemWorld(Always);
        world.Memory.Put("kept/", "", Headers(("mode", "16832")));
        ulong nodeId = world.Kernel.Walk("kept").NodeId;
        world.Restart();

        Assert.Equal(FuseMode.Directory | 0x1C0u, world.Kernel.Ask(FuseOpcode.GetAttr, nodeId, FakeKernel.Bytes(default(FuseGetAttrIn))).Read<FuseAttrOut>().Attr.Mode);
    }

    /// <summary>Also the next ones are spared the question for a while.</summary>
    [Fact]
    public async Task ADirectoryWhoseMarkerIsRefusedIsShownAsTheMountSays()
    {
        ManualTimeProvider time = new();
        await using var world = new FileSystemWorld(Always, time);
        for (int i = 0; i < 40; i++)
        {
            world.Memory.Put($"{i:00}/", "", Headers(("mode", "16832")));
        }

        await world.Mount.ListDirectoryAsync("", null, 1_000, null, CancellationToken.None);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.AccessDenied));
        Assert.Equal(FuseMode.Directory | 0x1E8u, world.Kernel.Walk("00").Attr.Mode);
        Assert.Equal(FuseMode.Directory | 0x1E8u, world.Kernel.Walk("01").Attr.Mode);
        Assert.Equal(1, world.Plan.Calls(UnderStoreCall.Stat));

        world.Plan.Clear();
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(FuseMode.Directory | 0x1C0u, world.Kernel.Walk("00").Attr.Mode);
    }

    private static ObjectHeaders Headers(params (string Name, string Value)[] metadata)
        => new() { UserMetadata = metadata.ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal) };
}
