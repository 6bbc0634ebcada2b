using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.MovingHarness;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierMovingTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void DirectoriesOfOneMediumShareVersionsByQuota()
    {
        TierOptions[] options = [Options(_temp, "a", Medium.Ssd, 32 << 20), Options(_temp, "b", Medium.Ssd, 96 << 20)];
        foreach ((TierOptions tier, string uuid) in options.Zip(["6f1f8b0e-7d1c-4a55-9c3e-2b1d4f7a9e01", "c2a9e3d4-15b7-4e86-8f20-7d9b3c5a1e42"]))
        {
            // Placement follows from the directory's uuid: fixed, so that the shares are the same in every run.
            Tier.Open(tier, new TierOwners([]), TimeProvider.System).Dispose();
            string marker = Path.Combine(tier.Directory, "forebay-tier");
            File.WriteAllLines(marker, File.ReadAllLines(marker).Select(line => line.StartsWith("uuid: ", StringComparison.Ordinal) ? "uuid: " + uuid : line));
        }

        using MovingHarness harness = new(_temp, options);
        ObjectVersion[] versions = [.. Enumerable.Range(0, 2000).Select(i => Version($"{i}", PageBytes))];
        int[] shares = [versions.Count(version => harness.Cache.FindOrCreate(version)!.TierPath == _temp["a"]), 0];
        shares[1] = versions.Length - shares[0];

        Assert.InRange(shares[0], 450, 550);
        Assert.InRange(shares[1], 1350, 1650);
        Assert.All(versions, version => Assert.Single(harness.Cache.Tiers, tier => tier.Find(version) is not null));
        Assert.Null(harness.Mover);
    }

    [Fact]
    public void WhatMaintenanceEvictsGoesToTheSlowerMediumAndNothingIsLost()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion[] versions = harness.Overfill();
        Assert.All(versions, version => Assert.True(HoldsAll(harness.Fast, version), "a victim is served until it has moved"));

        harness.MoveAll();

        Assert.InRange(harness.Slow.Objects, 1, 5);
        Assert.All(versions, version => Assert.True(HoldsAll(harness.Fast, version) ^ HoldsAll(harness.Slow, version), "one tier holds it, and one only"));
        Assert.Equal(harness.Slow.Objects * ObjectBytes, harness.Fast.DemotedBytes);
        Assert.Equal(versions.Length * ObjectBytes, harness.Cache.BytesOf(0));
        Assert.Equal(0, harness.Fast.EvictedBytes);
        Assert.InRange(harness.Fast.UsedBytes, 1, (long)(FastQuota * 0.951));
    }

    [Fact]
    public void FillsDropWhatMustGoAndWaitForNoMove()
    {
        using MovingHarness harness = new(_temp);
        for (int i = 0; i < 100; i++)
        {
            PutAll(harness.Fast, Version($"{i}", ObjectBytes));
            Assert.InRange(harness.Fast.UsedBytes, 1, FastQuota);
        }

        Assert.True(harness.Fast.EvictedBytes >= 60 * ObjectBytes);
        Assert.Equal(0, harness.Slow.Objects);
        harness.MoveAll();
        Assert.Equal(harness.Slow.BytesOf(0), harness.Fast.DemotedBytes);
    }

    [Fact]
    public void AVictimThatNobodyUsedTakesFreeRoomOnlyAndAUsedOneMakesRoom()
    {
        using MovingHarness harness = new(_temp, Options(_temp, "ssd", Medium.Ssd), Options(_temp, "hdd", Medium.Hdd, 16 << 20));
        for (int i = 0; i < 14; i++)
        {
            PutAll(harness.Slow, Version($"slow/{i}", ObjectBytes));
        }

        long slowBytes = harness.Slow.BytesOf(0);
        harness.Overfill();
        harness.MoveAll();
        Assert.Equal(0, harness.Fast.DemotedBytes);
        Assert.True(harness.Fast.EvictedBytes > 0);
        Assert.Equal(slowBytes, harness.Slow.BytesOf(0));

        foreach (ObjectVersion version in Enumerable.Range(0, 31).Select(i => Version($"o/{i}", ObjectBytes)))
        {
            harness.Fast.Find(version)?.Touch();
            harness.Fast.Find(version)?.Touch();
        }

        for (int round = 0; round < 4; round++)
        {
            harness.Overfill($"more{round}", 10);
            harness.MoveAll();
        }

        Assert.True(harness.Fast.DemotedBytes > 0);
        Assert.True(harness.Slow.EvictedBytes > 0);
        Assert.InRange(harness.Slow.UsedBytes, 1, 16 << 20);
    }

    [Fact]
    public void WhatIsUsedAgainOnASpinningDiskGoesUpAndOpenReadersKeepTheirFile()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes + 100);
        PutAll(harness.Slow, version);
        harness.Use(version, 1);
        CacheFile slow = harness.Cache.Find(version)!;
        Assert.Equal(SegmentStatus.Hit, slow.TryGetSegment(0, 10 * PageBytes, out FileSegment segment));

        harness.Use(version, Tier.UsesToPromote - 1);
        Assert.Equal(0, harness.Mover!.Queued);
        harness.Use(version, 1);
        harness.MoveAll();

        Assert.Equal(harness.Fast.Path, harness.Cache.Find(version)!.TierPath);
        Assert.True(HoldsAll(harness.Fast, version));
        Assert.Null(harness.Slow.Find(version));
        Assert.False(slow.IsUsable);
        AssertExact(version, segment);
        Assert.Equal(harness.Fast.BytesOf(0), harness.Fast.PromotedBytes);
        Assert.Equal(harness.Fast.PromotedBytes, harness.Cache.BytesOf(0));
        segment.Dispose();
        harness.Slow.MaintainOnce();
        Assert.Equal(harness.Slow.IndexBytes, harness.Slow.UsedBytes);
        Assert.False(File.Exists(DataPath(_temp["hdd"], version)));
    }

    [Fact]
    public void ManyOpensOfOneReaderAreOneUse()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);

        harness.Use(version, 2);
        harness.Use(version, 50, secondsApart: 0);
        Assert.Equal(0, harness.Mover!.Queued);

        harness.Use(version, 1);
        Assert.Equal(1, harness.Mover.Queued);
    }

    [Theory]
    [InlineData(Medium.Mem, Medium.Ssd, false)]
    [InlineData(Medium.Mem, Medium.Hdd, true)]
    public void MemoryIsPromotedToAboveSpinningDisksOnly(Medium fast, Medium slow, bool expected)
    {
        using MovingHarness harness = new(_temp, Media(_temp, fast, slow));
        ObjectVersion version = Version("a", ObjectBytes);
        PutAll(harness.Slow, version);

        harness.Use(version, 20);
        harness.MoveAll();

        Assert.Equal(expected, HoldsAll(harness.Fast, version));
        Assert.Equal(!expected, HoldsAll(harness.Slow, version));
    }

    [Fact]
    public void EachMediumHandsDownToTheNext()
    {
        using MovingHarness harness = new(_temp, Media(_temp, Medium.Hdd, Medium.Mem, Medium.Ssd));
        for (int round = 0; round < 40; round++)
        {
            foreach (ObjectVersion version in harness.Overfill($"{round}", 2))
            {
                harness.Fast.Find(version)?.Touch();
                harness.Fast.Find(version)?.Touch();
            }

            harness.Cache.Tiers[1].MaintainOnce();
            harness.MoveAll();
        }

        Assert.Equal([Medium.Mem, Medium.Ssd, Medium.Hdd], harness.Cache.Tiers.Select(tier => tier.Options.Medium));
        Assert.All(harness.Cache.Tiers, tier => Assert.InRange(tier.Objects, 5, 31));
        Assert.True(harness.Fast.DemotedBytes > harness.Cache.Tiers[1].DemotedBytes && harness.Cache.Tiers[1].DemotedBytes > 0);
    }

    [Fact]
    public void APromotionIntoAFullTierSendsItsVictimsDown()
    {
        using MovingHarness harness = new(_temp);
        ObjectVersion version = Version("hot", 2 * ObjectBytes);
        PutAll(harness.Slow, version);
        ObjectVersion[] others = harness.Overfill(count: 29);
        Assert.Equal(0, harness.Mover!.Queued);

        harness.Use(version, 3);
        harness.MoveAll();

        Assert.True(HoldsAll(harness.Fast, version));
        Assert.True(harness.Fast.DemotedBytes > 0);
        Assert.Equal(0, harness.Fast.EvictedBytes);
        Assert.All(others, other => Assert.True(HoldsAll(harness.Fast, other) ^ HoldsAll(harness.Slow, other)));
    }

    [Fact]
    public void TiersOfDifferentPageSizesExchangeFiles()
    {
        using MovingHarness harness = new(_temp, Options(_temp, "ssd", Medium.Ssd, pageBytes: 4 * PageBytes), Options(_temp, "hdd", Medium.Hdd));
        ObjectVersion version = Version("a", (9 * PageBytes) + 77);
        PutAll(harness.Slow, version);

        harness.Use(version, 3);
        harness.MoveAll();

        Assert.True(HoldsAll(harness.Fast, version));
        Assert.Equal(4 * PageBytes, harness.Fast.Find(version)!.PageSizeBytes);
    }

    [Fact]
    public void ReadersThatMeetMovesAllTheTimeSeeExactBytes()
    {
        TierOptions[] options = [Options(_temp, "ssd", Medium.Ssd, 16 << 20), Options(_temp, "hdd", Medium.Hdd, 64 << 20)];
        var time = new ManualTimeProvider();
        long moved;
        using (PageCache cache = PageCache.Open(options, new TierOwners([]), time, placement => new TierMover(placement, pace: _ => { })))
        {
            Await(() => cache.Tiers.All(tier => tier.IsStartupScanDone), "the start-up scans end");
            for (int round = 0; round < 20 && BothWays(cache) == 0; round++)
            {
                Parallel.For(0, 3, worker =>
                {
                    var random = new Random((3 * round) + worker);
                    for (int i = 0; i < 400; i++)
                    {
                        ObjectVersion version = Version($"{worker}/{random.Next(10)}", ObjectBytes);
                        CacheFile file = cache.FindOrCreate(version)!;
                        Tier tier = file.TierPath == cache.Tiers[0].Path ? cache.Tiers[0] : cache.Tiers[1];
                        for (int page = 0; page < ObjectPages && !file.IsWhole && file.IsUsable; page++)
                        {
                            Put(tier, version, page);
                        }

                        if (file.TryGetSegment(random.Next(ObjectPages) * PageBytes, PageBytes, out FileSegment segment) == SegmentStatus.Hit)
                        {
                            file.Touch();
                            AssertExact(version, segment);
                            segment.Dispose();
                        }

                        time.Advance(TimeSpan.FromSeconds(5));
                        Assert.All(cache.Tiers, each => Assert.InRange(each.UsedBytes, 1, (long)(each.Options.QuotaBytes * 1.01)));
                        cache.Tiers[0].MaintainOnce();
                        cache.Tiers[1].MaintainOnce();
                        if (i % 50 == 49)
                        {
                            cache.Drop(version.Id, pinnedToo: false, dryRun: false);
                        }
                    }
                });
            }

            moved = BothWays(cache);
        }

        // The mover has a thread of its own, which a busy machine may leave out of a whole round.
        Assert.True(moved > 0, "nothing was moved both ways: the test proves nothing");
        static long BothWays(PageCache cache) => Math.Min(cache.Tiers[0].PromotedBytes, cache.Tiers[0].DemotedBytes);
        using MovingHarness again = new(_temp, options);
        again.MoveAll();
        foreach (Tier tier in again.Cache.Tiers)
        {
            tier.MaintainOnce();
            long onDisk = Directory.EnumerateFiles(Path.Combine(tier.Path, "objects"), "*", SearchOption.AllDirectories).Count() * ObjectBytes;
            Assert.InRange(tier.BytesOf(0), 0, onDisk);
            Assert.Equal(0, tier.IoErrors);
            Assert.Equal(0, tier.CorruptPages);
        }
    }

    [Fact]
    public void BothTiersStayWithinTheirQuotasWhileFilesMove()
    {
        using MovingHarness harness = new(_temp, Options(_temp, "ssd", Medium.Ssd, 16 << 20), Options(_temp, "hdd", Medium.Hdd, 24 << 20));
        var random = new Random(7);
        harness.AfterPiece = _ =>
        {
            // The index is measured once a second: a hundredth more is allowed.
            Assert.InRange(harness.Fast.UsedBytes, 1, (long)((16 << 20) * 1.01));
            Assert.InRange(harness.Slow.UsedBytes, 1, (long)((24 << 20) * 1.01));
        };
        for (int i = 0; i < 300; i++)
        {
            ObjectVersion version = Version($"{random.Next(60)}", ObjectBytes);
            CacheFile? file = harness.Cache.FindOrCreate(version);
            if (file is { IsWhole: false })
            {
                PutAll(file.TierPath == harness.Fast.Path ? harness.Fast : harness.Slow, version);
            }

            harness.Use(version, 1);
            harness.Fast.MaintainOnce();
            harness.Slow.MaintainOnce();
            for (int steps = random.Next(4); steps > 0; steps--)
            {
                harness.Mover!.RunOnce();
            }
        }

        harness.MoveAll();
        Assert.True(harness.Fast.PromotedBytes > 0 && harness.Fast.DemotedBytes > 0);
        foreach (Tier tier in harness.Cache.Tiers)
        {
            // Stored bytes are those of the files, and files those of the entries: nothing is counted that is not there.
            tier.FlushIndex();
            tier.MaintainOnce();
            long onDisk = Directory.EnumerateFiles(Path.Combine(tier.Path, "objects"), "*", SearchOption.AllDirectories).Count() * ObjectBytes;
            Assert.Equal(onDisk, tier.BytesOf(0));
            Assert.Equal(onDisk, tier.UsedBytes - tier.IndexBytes);
            Assert.Equal(0, tier.IoErrors);
        }
    }
}
