using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierRoomTests : IDisposable
{
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => _temp.Dispose();

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "ab", false)]
    [InlineData("a", "a/b", false)]
    [InlineData("a/", "a/b", true)]
    [InlineData("a/", "a/b/c", true)]
    [InlineData("a/b/", "a/b/c", true)]
    [InlineData("a/", "a/", true)]
    [InlineData("a/", "a", false)]
    [InlineData("/", "/a", true)]
    [InlineData("a//", "a//b", true)]
    [InlineData("", "a/b", true)]
    public void APinCoversItsKeyOrAllBelowIt(string pinned, string key, bool isCovered)
    {
        var pins = new PinSet();
        pins.Add("store", "zzz");
        pins.Add("other", "");
        pins.Add("store", pinned);

        Assert.Equal(isCovered, pins.Covers("store", key));

        pins.Remove("store", pinned);
        Assert.False(pins.Covers("store", key));
    }

    [Fact]
    public void ManyFillsAtOnceNeverGoOverTheQuota()
    {
        const long Quota = 24 << 20;
        using Tier tier = Open(_temp["tier"], _time, Quota);
        long highest = 0;
        Parallel.For(0, 4, worker =>
        {
            var random = new Random(worker);
            for (int i = 0; i < 60; i++)
            {
                ObjectVersion version = Version($"{worker}/{i}", random.Next(1, 40 * PageBytes));
                for (int page = 0; (long)page * PageBytes < version.Length; page++)
                {
                    Put(tier, version, page);
                    long used = tier.UsedBytes;
                    long seen;
                    while (used > (seen = Volatile.Read(ref highest)) && Interlocked.CompareExchange(ref highest, used, seen) != seen)
                    {
                    }
                }
            }
        });

        tier.MaintainOnce();
        (_, string blocks) = Run("find", _temp["tier/objects"], "-type", "f", "-printf", "%b\n");
        long onDisk = blocks.Split('\n', StringSplitOptions.RemoveEmptyEntries).Sum(long.Parse) * 512;

        Assert.InRange(highest, Quota / 2, Quota + (Quota / 100));
        Assert.InRange(tier.UsedBytes, 1, (long)(Quota * 0.951));
        Assert.InRange(onDisk, 1, tier.UsedBytes);
        Assert.True(tier.EvictedBytes > 0);
        Assert.Equal(0, tier.IoErrors);
        Assert.Equal("ok", tier.State);
    }

    [Fact]
    public void PinnedAndReferencedFilesAreNotEvicted()
    {
        using Tier tier = Open(_temp["tier"], _time, 16 << 20);
        ObjectVersion pinned = Version("models/a", 10 * PageBytes);
        ObjectVersion held = Version("held", 10 * PageBytes);
        tier.SetPin(Store, ["models/"], pinned: true);
        PutAll(tier, pinned);
        PutAll(tier, held);
        Assert.Equal(SegmentStatus.Hit, tier.Find(held)!.TryGetSegment(0, PageBytes, out FileSegment segment));

        for (int i = 0; i < 60; i++)
        {
            PutAll(tier, Version($"scan/{i}", 10 * PageBytes));
        }

        segment.Dispose();
        Assert.True(tier.EvictedBytes > 0);
        Assert.All(Enumerable.Range(0, 10), page => Assert.True(Holds(tier, pinned, page) && Holds(tier, held, page)));
    }

    [Fact]
    public void ATierFullOfPinnedObjectsRefusesAndServesOn()
    {
        using Tier tier = Open(_temp["tier"], _time, 16 << 20);
        tier.SetPin(Store, [""], pinned: true);
        int stored = 0;
        while (Put(tier, Version($"{stored / 16}", 16 * PageBytes), stored % 16))
        {
            stored++;
        }

        Assert.InRange(tier.UsedBytes, 1, 16 << 20);
        Assert.Equal(0, tier.EvictedBytes);
        Assert.True(Holds(tier, Version("0", 16 * PageBytes), 3));
        tier.SetPin(Store, [""], pinned: false);
        PutAll(tier, Version("next", 4 * PageBytes));
    }

    [Fact]
    public void APinReachesWhatIsBeingFilledAndStaysOverARestart()
    {
        ObjectVersion version = Version("models/a", 4 * PageBytes);
        using (Tier tier = Open(_temp["tier"], _time))
        {
            Assert.NotNull(tier.FindOrCreate(version));
            tier.SetPin(Store, ["models/"], pinned: true);
            PutAll(tier, version);
            Assert.Equal(0, tier.Drop(version.Id, pinnedToo: false, dryRun: false));
        }

        using Tier again = Open(_temp["tier"], _time);
        Assert.True(again.IsPinned(version));
        Assert.Equal(0, again.Drop(version.Id, pinnedToo: false, dryRun: false));
        again.SetPin(Store, ["models/"], pinned: false);
        Assert.Equal(4 * PageBytes, again.Drop(version.Id, pinnedToo: false, dryRun: false));
    }

    [Fact]
    public void ADirectoryThatIsNewHoldsWhatIsPinnedInTheOthers()
    {
        ObjectVersion version = Version("models/a", 4 * PageBytes);
        using (Tier first = Open(_temp["ssd"], _time))
        {
            first.SetPin(Store, ["models/", "one"], pinned: true);
        }

        using (MovingHarness harness = new(_temp))
        {
            Assert.All(harness.Cache.Tiers, tier => Assert.True(tier.IsPinned(version)));
            Assert.Equal(["models/", "one"], harness.Slow.PinsOf(Store));
        }

        using Tier alone = Open(_temp["hdd"], _time);
        Assert.True(alone.IsPinned(version));
    }

    /// <summary>What it holds may have been unpinned while it was away.</summary>
    [Fact]
    public void ADirectoryThatIsNotNewKeepsItsOwnPins()
    {
        ObjectVersion version = Version("models/a", 4 * PageBytes);
        using (Tier pinned = Open(_temp["ssd"], _time))
        using (Tier unpinned = Open(_temp["hdd"], _time))
        {
            pinned.SetPin(Store, ["models/"], pinned: true);
            PutAll(unpinned, version);
        }

        using MovingHarness harness = new(_temp);
        Assert.True(harness.Fast.IsPinned(version));
        Assert.False(harness.Slow.IsPinned(version));
    }

    [Fact]
    public void BytesThatAreHeldStayExactAndCountedAfterTheirFileWasDropped()
    {
        using Tier tier = Open(_temp["tier"], _time);
        ObjectVersion version = Version("a", 4 * PageBytes);
        PutAll(tier, version);
        long used = tier.UsedBytes;
        Assert.Equal(SegmentStatus.Hit, tier.Find(version)!.TryGetSegment(PageBytes, 2 * PageBytes, out FileSegment segment));

        Assert.Equal(4 * PageBytes, tier.Drop(version.Id, pinnedToo: false, dryRun: true));
        Assert.Equal(4 * PageBytes, tier.Drop(version.Id, pinnedToo: false, dryRun: false));

        Assert.Null(tier.Find(version));
        Assert.False(File.Exists(DataPath(_temp["tier"], version)));
        AssertExact(version, segment);
        Assert.Equal(used, tier.UsedBytes);
        PutAll(tier, version);
        AssertExact(version, segment);
        segment.Dispose();
        Assert.Equal(used, tier.UsedBytes);
    }

    [Fact]
    public void DroppingWhileOthersLetGoNeverLosesCount()
    {
        using Tier tier = Open(_temp["tier"], _time);
        long empty = tier.UsedBytes;
        for (int round = 0; round < 400; round++)
        {
            ObjectVersion version = Version($"{round}", PageBytes);
            PutAll(tier, version);
            Assert.Equal(SegmentStatus.Hit, tier.Find(version)!.TryGetSegment(0, 1, out FileSegment segment));
            Parallel.Invoke(() => segment.Dispose(), () => tier.Drop(version.Id, false, false));
        }

        tier.MaintainOnce();
        Assert.InRange(tier.UsedBytes, empty, empty + (4 << 20));
        Assert.Equal(0, (tier.UsedBytes - tier.IndexBytes) / PageBytes);
        Assert.Equal(tier.UsedBytes, tier.IndexBytes);
    }

    [Fact]
    public void AnOwnerPushesOutItsOwnBytesOnly()
    {
        TierOwners owners = new([new TierOwner(Store, "a/", 8 * PageBytes), new TierOwner(Store, "b/", null)]);
        using Tier tier = Open(_temp["tier"], _time, owners: owners);
        ObjectVersion other = Version("b/0", 4 * PageBytes);
        PutAll(tier, other);

        for (int i = 0; i < 10; i++)
        {
            PutAll(tier, Version($"a/{i}", 4 * PageBytes));
            Assert.InRange(tier.BytesOf(0), 1, 8 * PageBytes);
        }

        Assert.Equal(4 * PageBytes, tier.BytesOf(1));
        Assert.True(Holds(tier, other, 0));
        Assert.True(Holds(tier, Version("a/9", 4 * PageBytes), 3));
    }

    [Fact]
    public void BytesThatNobodyUsesForTheTtlGo()
    {
        TierOwners owners = new([new TierOwner(Store, "", null, TimeSpan.FromMinutes(10))]);
        using Tier tier = Open(_temp["tier"], _time, owners: owners);
        ObjectVersion used = Version("used", PageBytes);
        ObjectVersion idle = Version("idle", PageBytes);
        PutAll(tier, used);
        PutAll(tier, idle);

        _time.Advance(TimeSpan.FromMinutes(9));
        tier.MaintainOnce();
        tier.Find(used)!.Touch();
        Assert.True(Holds(tier, idle, 0));
        _time.Advance(TimeSpan.FromMinutes(2));
        tier.MaintainOnce();

        Assert.Null(tier.Find(idle));
        Assert.True(Holds(tier, used, 0));
    }

    [Fact]
    public void FilesBeyondTheOpenBoundAreUnloadedAndComeBack()
    {
        using Tier tier = Open(_temp["tier"], _time, owners: new TierOwners([], maxOpenFiles: 4));
        ObjectVersion[] versions = [.. Enumerable.Range(0, 20).Select(i => Version($"{i}", 2 * PageBytes))];
        foreach (ObjectVersion version in versions)
        {
            PutAll(tier, version);
        }

        for (int i = 0; i < 100; i++)
        {
            Assert.NotNull(tier.FindOrCreate(Version($"opened, never filled {i}", PageBytes)));
        }

        _time.Advance(TimeSpan.FromSeconds(5));
        tier.MaintainOnce();
        tier.MaintainOnce();

        Assert.InRange(Directory.GetFiles("/proc/self/fd").Count(IsOurs), 0, 4);
        Assert.InRange(tier.Objects, 20, 24);
        Assert.All(versions, version => Assert.True(Holds(tier, version, 1)));
        Assert.All(versions, version => Assert.Equal(version.Length, tier.PresentBytes(version)));
        Assert.Equal(0, tier.CorruptPages);
        bool IsOurs(string path) => new FileInfo(path).LinkTarget?.StartsWith(_temp["tier/objects"], StringComparison.Ordinal) ?? false;
    }

    [Fact]
    public void AHitAllocatesNothing()
    {
        using Tier tier = Open(_temp["tier"], _time);
        ObjectVersion version = Version("a", 4 * PageBytes);
        PutAll(tier, version);
        CacheFile file = tier.Find(version)!;

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                file.TryGetSegment(PageBytes + 1, 3 * PageBytes, out FileSegment segment);
                segment.Dispose();
                file.Touch();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated();
        Assert.Equal(0, Allocated());
    }
}
