using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierFailureTests : IDisposable
{
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AFullDiskIsReportedServedFromAndRecoveredFrom()
    {
        using SmallDisk disk = new("size=8m");
        if (!disk.IsMounted)
        {
            return;
        }

        using Tier tier = Open(disk.Path, _time);
        int stored = 0;
        while (stored < 512 && Put(tier, Version($"{stored / 8}", 8 * PageBytes), stored % 8))
        {
            stored++;
        }

        Assert.InRange(stored, 40, 128);
        Assert.True(tier.IoErrors > 0);
        Assert.Contains("disk is full", tier.State, StringComparison.Ordinal);
        Assert.Null(tier.FindOrCreate(Version("another", PageBytes)));
        tier.MaintainOnce();
        Assert.True(tier.Objects > 0);

        _time.Advance(TimeSpan.FromSeconds(11));
        PutAll(tier, Version("afterwards", 4 * PageBytes));
        Assert.True(Holds(tier, Version("afterwards", 4 * PageBytes), 3));
        Await(
            () =>
            {
                tier.MaintainOnce();
                _time.Advance(TimeSpan.FromSeconds(11));
                return tier.State == "ok";
            },
            "the tier is well again");
    }

    /// <summary>It says nothing of the disk, and passes as soon as somebody closes a socket.</summary>
    [Fact]
    public void ALackOfDescriptorsIsOverInAMomentAndNoErrorOfTheDisk()
    {
        using Tier tier = Open(_temp["tier"], _time);

        tier.ReportFailure(new TierIOException("open", "a cache file", 24));

        Assert.Null(tier.FindOrCreate(Version("a", PageBytes)));
        Assert.Contains("descriptors", tier.State, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMilliseconds(300));
        PutAll(tier, Version("a", PageBytes));
        Assert.Equal(0, tier.IoErrors);
    }

    [Fact]
    public void ALackOfDescriptorsNeitherShortensNorHidesAFailureOfTheDisk()
    {
        using Tier tier = Open(_temp["tier"], _time);
        tier.ReportFailure(new TierIOException("write", "a cache file", 5));

        tier.ReportFailure(new TierIOException("open", "a cache file", 24));

        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(Put(tier, Version("a", PageBytes), 0), "a failing disk was tried after a quarter of a second");
        Assert.StartsWith("write of a cache file", tier.State, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromSeconds(2));
        PutAll(tier, Version("a", PageBytes));
    }

    [Fact]
    public void AVanishedDirectoryRefusesAfterOneTryAndOpenFilesAreServedOn()
    {
        using Tier tier = Open(_temp["tier"], _time);
        ObjectVersion open = Version("open", PageBytes);
        PutAll(tier, open);
        Directory.Move(_temp["tier/objects"], _temp["gone"]);

        Assert.False(Put(tier, Version("new", PageBytes), 0));

        Assert.Null(tier.FindOrCreate(Version("new", PageBytes)));
        Assert.NotEqual("ok", tier.State);
        Assert.Equal(1, tier.IoErrors);
        Assert.True(Holds(tier, open, 0));
    }

    [Fact]
    public void AFileRemovedWhileItWasUnloadedIsForgotten()
    {
        using Tier tier = Open(_temp["tier"], _time, owners: new TierOwners([], maxOpenFiles: 0));
        ObjectVersion version = Version("a", PageBytes);
        PutAll(tier, version);
        _time.Advance(TimeSpan.FromSeconds(5));
        tier.MaintainOnce();
        CacheFile loaded = tier.Find(version)!;
        File.Delete(DataPath(_temp["tier"], version));

        Assert.Equal(SegmentStatus.Detached, loaded.TryGetSegment(0, 1, out _));

        Assert.Null(tier.Find(version));
        Assert.Equal(0, tier.IoErrors);
        Assert.Equal(0, tier.Objects);
        Assert.Equal(tier.UsedBytes, tier.IndexBytes);
        PutAll(tier, version);
        Assert.True(Holds(tier, version, 0));
    }

    [Fact]
    public void AnObjectTooLargeForTheTierIsNotBegun()
    {
        using Tier tier = Open(_temp["tier"], _time, 16 << 20);

        Assert.Null(tier.FindOrCreate(Version("large", 16 << 20)));
        Assert.Null(tier.FindOrCreate(Version("empty", 0)));
        Assert.Equal(0, tier.Objects);
    }
}
