using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.MovingHarness;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierMovingFailureTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AFailingTargetCostsTheVictimsAndNothingElse()
    {
        using MovingHarness harness = new(_temp);
        Directory.Delete(_temp["hdd/objects"], recursive: true);
        ObjectVersion[] versions = harness.Overfill();

        harness.MoveAll();
        harness.Fast.MaintainOnce();

        Assert.True(harness.Slow.IoErrors > 0);
        Assert.Equal(0, harness.Slow.Objects);
        Assert.Equal(0, harness.Slow.BytesOf(0));
        Assert.Equal(0, harness.Fast.DemotedBytes);
        Assert.True(harness.Fast.EvictedBytes > 0);
        Assert.InRange(harness.Fast.UsedBytes, 1, (long)(FastQuota * 0.951));
        Assert.Equal(versions.Count(version => HoldsAll(harness.Fast, version)) * ObjectBytes, harness.Cache.BytesOf(0));
        Assert.Equal("ok", harness.Fast.State);
    }

    [Fact]
    public void ATargetDiskThatFillsUpLeavesThePromotedFileWhereItWas()
    {
        using SmallDisk disk = new("size=4m");
        if (!disk.IsMounted)
        {
            return;
        }

        using MovingHarness harness = new(
            _temp,
            new TierOptions { Directory = Path.Combine(disk.Path, "mem"), Medium = Medium.Mem, QuotaBytes = FastQuota, PageSizeBytes = PageBytes },
            Options(_temp, "hdd", Medium.Hdd));
        ObjectVersion version = Version("a", 6 * ObjectBytes);
        PutAll(harness.Slow, version);

        harness.Use(version, 3);
        harness.MoveAll();

        Assert.True(HoldsAll(harness.Slow, version));
        Assert.Null(harness.Fast.Find(version));
        Assert.Equal(0, harness.Fast.BytesOf(0));
        Assert.True(harness.Fast.IoErrors > 0);
    }

    [Fact]
    public void ShutdownInMidCopyLeavesTheSourceAndNothingOfTheCopy()
    {
        ObjectVersion[] versions;
        using (MovingHarness harness = new(_temp))
        {
            versions = harness.Overfill();
            harness.AfterPiece = piece =>
            {
                if (piece == 5)
                {
                    harness.Mover!.Dispose();
                }
            };
            harness.MoveAll();

            Assert.True(harness.Mover!.Queued > 0, "what waited waits on");
            Assert.Equal(0, harness.Slow.Objects);
            Assert.Equal(0, harness.Fast.EvictedBytes);
        }

        using MovingHarness again = new(_temp);
        Assert.All(versions, version => Assert.True(HoldsAll(again.Fast, version)));
        Assert.Equal(versions.Length * ObjectBytes, again.Cache.BytesOf(0));
        Assert.Empty(Directory.GetFiles(_temp["hdd/objects"], "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void DisposingStopsACopyThatRunsByItself()
    {
        using ManualResetEventSlim copying = new();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        TierMover? mover = null;
        PageCache cache = PageCache.Open(
            [Options(_temp, "ssd", Medium.Ssd), Options(_temp, "hdd", Medium.Hdd)],
            new TierOwners([]),
            new ManualTimeProvider(),
            placement => mover = new TierMover(placement, pace: _ =>
            {
                copying.Set();
                SpinWait.SpinUntil(() => mover!.IsStopping || deadline.IsCancellationRequested);
            }));
        Await(() => cache.Tiers.All(tier => tier.IsStartupScanDone), "the start-up scans end");
        ObjectVersion version = Version("a", 4 * PageBytes);
        PutAll(cache.Tiers[1], version);
        mover!.Promote(cache.Tiers[1], cache.Tiers[1].Find(version)!.Entry);
        copying.Wait(deadline.Token);

        cache.Dispose();

        using Tier slow = Open(_temp["hdd"]);
        using Tier fast = Open(_temp["ssd"]);
        Assert.True(HoldsAll(slow, version));
        Assert.Null(fast.Find(version));
    }

    [Fact]
    public void AKilledCopyIsAnOrphanAndNothingCountsTwice()
    {
        ObjectVersion version = Version("a", ObjectBytes);
        using (MovingHarness harness = new(_temp))
        {
            PutAll(harness.Slow, version);
            harness.Use(version, 3);
            harness.AfterPiece = piece =>
            {
                if (piece == 5)
                {
                    Assert.Equal(ObjectBytes, harness.Cache.BytesOf(0));
                    Assert.Null(harness.Fast.Find(version));
                    harness.Fast.FlushIndex();
                    Seize(_temp["ssd"], _temp["next/ssd"], sameFiles: false);
                    harness.Slow.FlushIndex();
                    Seize(_temp["hdd"], _temp["next/hdd"], sameFiles: false);
                }
            };
            harness.MoveAll();
        }

        Assert.True(File.Exists(DataPath(_temp["next/ssd"], version)));
        using MovingHarness next = new(_temp, Options(_temp, "next/ssd", Medium.Ssd), Options(_temp, "next/hdd", Medium.Hdd));

        Await(() => !File.Exists(DataPath(_temp["next/ssd"], version)), "the copy is removed as an orphan");
        Assert.True(HoldsAll(next.Slow, version));
        Assert.Equal(ObjectBytes, next.Cache.BytesOf(0));
    }

    [Fact]
    public void AVersionThatADeathLeftInTwoTiersStaysInTheFasterOne()
    {
        ObjectVersion twice = Version("twice", ObjectBytes);
        ObjectVersion once = Version("once", ObjectBytes);
        using (Tier fast = Tier.Open(Options(_temp, "ssd", Medium.Ssd), new TierOwners([]), new ManualTimeProvider()))
        using (Tier slow = Tier.Open(Options(_temp, "hdd", Medium.Hdd), new TierOwners([]), new ManualTimeProvider()))
        {
            PutAll(fast, twice);
            PutAll(slow, twice);
            PutAll(slow, once);
        }

        using MovingHarness harness = new(_temp);
        harness.MoveAll();

        Assert.True(HoldsAll(harness.Fast, twice));
        Assert.Null(harness.Slow.Find(twice));
        Assert.True(HoldsAll(harness.Slow, once));
        Assert.Equal(2 * ObjectBytes, harness.Cache.BytesOf(0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsFreedWhileItMovesDoesNotComeBack(bool afterwards)
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);
        harness.Use(version, 3);
        harness.AfterPiece = piece =>
        {
            if (piece == (afterwards ? ObjectPages : 5))
            {
                Assert.Equal(ObjectBytes, harness.Cache.Drop(version.Id, pinnedToo: false, dryRun: false));
            }
        };

        harness.MoveAll();

        Assert.Null(harness.Cache.Find(version));
        Assert.Equal(0, harness.Cache.BytesOf(0));
        Assert.All(harness.Cache.Tiers, tier => Assert.Equal(0, tier.UsedBytes - tier.IndexBytes));
    }

    [Fact]
    public void ADropThatPassedTheTargetBeforeTheCopyBeganCountsToo()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);
        harness.Use(version, 3);
        harness.AfterPiece = piece =>
        {
            if (piece == ObjectPages)
            {
                Assert.Equal(ObjectBytes, harness.Slow.Drop(version.Id, pinnedToo: false, dryRun: false));
            }
        };

        harness.MoveAll();

        Assert.Null(harness.Cache.Find(version));
        Assert.Equal(0, harness.Cache.BytesOf(0));
        Assert.Equal(0, harness.Fast.PromotedBytes);
    }

    [Fact]
    public void AFillThatBeginsInTheTargetGetsAFileOfItsOwn()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);
        harness.Use(version, 3);
        CacheFile? filled = null;
        harness.AfterPiece = piece =>
        {
            if (piece == 5)
            {
                filled = harness.Fast.FindOrCreate(version);
                Assert.True(Put(harness.Fast, version, 9));
            }
        };

        harness.MoveAll();

        Assert.Same(filled, harness.Fast.Find(version));
        Assert.False(Holds(harness.Fast, version, 0));
        Assert.True(Holds(harness.Fast, version, 9));
        Assert.True(HoldsAll(harness.Slow, version));
        Assert.Equal(PageBytes, harness.Fast.BytesOf(0));
        Assert.Equal(0, harness.Fast.PromotedBytes);
    }

    [Fact]
    public void ACorruptPageIsNotCarriedOver()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);
        harness.Use(version, 3);
        FlipByte(DataPath(_temp["hdd"], version), (7 * PageBytes) + 5);

        harness.MoveAll();

        Assert.Null(harness.Fast.Find(version));
        Assert.Equal(0, harness.Fast.BytesOf(0));
        Assert.Equal(1, harness.Slow.CorruptPages);
        Assert.False(Holds(harness.Slow, version, 7));
        Assert.True(Holds(harness.Slow, version, 6));
    }

    [Fact]
    public void AVictimThatIsPinnedWhileItWaitsStays()
    {
        using MovingHarness harness = new(_temp);
        Directory.Delete(_temp["hdd/objects"], recursive: true);
        ObjectVersion[] versions = harness.Overfill();
        Assert.True(harness.Mover!.Queued > 0);

        harness.Cache.SetPin(Store, [""], pinned: true);
        harness.MoveAll();

        Assert.All(versions, version => Assert.True(HoldsAll(harness.Fast, version)));
        Assert.Equal(0, harness.Fast.EvictedBytes);
    }

    [Fact]
    public void ARestartFindsBothTiersAndRefetchesNothing()
    {
        ObjectVersion[] versions;
        using (MovingHarness harness = new(_temp))
        {
            versions = harness.Overfill();
            harness.MoveAll();
            Assert.True(harness.Slow.Objects > 0);
        }

        using MovingHarness again = new(_temp);
        Assert.All(versions, version => Assert.True(HoldsAll(again.Fast, version) ^ HoldsAll(again.Slow, version)));
        Assert.All(versions, version => Assert.True(again.Cache.Find(version)!.IsWholeAndVerified));
        Assert.Equal(versions.Length * ObjectBytes, again.Cache.BytesOf(0));
    }
}
