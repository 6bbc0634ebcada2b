using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>A disk that others use too, and of which the tier leaves a part free.</summary>
public sealed class TierFreeSpaceTests : IDisposable
{
    private const long Disk = 64L << 20;
    private const long MinFree = 16L << 20;
    private const int FilePages = 8;
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();
    private readonly Tier _tier;
    private long _others;
    private long? _told;

    public TierFreeSpaceTests()
    {
        Tier? tier = null;
        var options = new TierOptions
        {
            Directory = _temp["tier"],
            QuotaBytes = Disk,
            PageSizeBytes = PageBytes,
            MinFreeBytes = MinFree,
            FreeBytesOf = _ => _told ?? Disk - Volatile.Read(ref _others) - (tier?.UsedBytes ?? 0),
        };
        tier = _tier = Tier.Open(options, new TierOwners([]), _time);
        Await(() => _tier.IsStartupScanDone, "the start-up scan ends");
    }

    private long Free => Disk - _others - _tier.UsedBytes;

    public void Dispose()
    {
        _tier.Dispose();
        _temp.Dispose();
    }

    [Fact]
    public void TheTierStopsBeforeTheShareOfOthers()
    {
        Look();

        Fill("a", files: 200);

        Assert.InRange(Free, MinFree, MinFree + (8 << 20));
        Assert.Equal("ok", _tier.State);
    }

    [Fact]
    public void WhenOthersTakeTheirShareFilesMakeWayAndComeBackAfterwards()
    {
        Look();
        Fill("a", files: 200);
        long before = _tier.UsedBytes;

        Volatile.Write(ref _others, 32 << 20);
        Look();
        Look();

        Assert.InRange(Free, MinFree, Disk);
        Assert.True(_tier.UsedBytes > 0, "all of it was evicted");
        Fill("b", files: 200);
        Assert.InRange(Free, MinFree, Disk);
        Volatile.Write(ref _others, 0);
        _time.Advance(TimeSpan.FromSeconds(20));
        Look();
        Fill("c", files: 200);
        Assert.InRange(_tier.UsedBytes, before - (8 << 20), Disk - MinFree);
    }

    [Fact]
    public void WithoutRoomForOthersNothingIsStoredAndTheStateSaysSo()
    {
        Look();
        Fill("a", files: 50);
        Volatile.Write(ref _others, Disk);
        Look();
        Look();

        Assert.False(Put(_tier, Version("new", PageBytes), 0));
        Assert.Contains("is free", _tier.State, StringComparison.Ordinal);
        Volatile.Write(ref _others, 0);
        _time.Advance(TimeSpan.FromSeconds(20));
        Look();
        Assert.True(Put(_tier, Version("new", PageBytes), 0));
        Assert.Equal("ok", _tier.State);
    }

    [Fact]
    public void WhatAFileSystemTellsLateIsNotEvictedForTwice()
    {
        Look();
        Fill("a", files: 200);
        Volatile.Write(ref _others, 12 << 20);
        _told = Free;
        long before = _tier.EvictedBytes;
        Look();
        long once = _tier.EvictedBytes;

        Look();
        Look();
        Look();

        Assert.True(once > before, "there was room enough, so nothing was proved");
        Assert.Equal(once, _tier.EvictedBytes);
        _time.Advance(TimeSpan.FromSeconds(10));
        Look();
        Assert.True(_tier.EvictedBytes > once, "what is still missing after ten seconds was taken by others");
    }

    /// <summary>Until all rows are read the tier would take what it uses for nothing, and what is free for all that it may have.</summary>
    [Fact]
    public void BeforeAllRowsAreReadNothingIsStoredOnADiskThatIsTooFullAndNothingIsEvicted()
    {
        const int Rows = 20_000;
        using TempDirectory temp = new();
        Open(temp["tier"]).Dispose();
        TierStartTests.FillIndex(temp["tier/index.db"], Rows);
        bool wasEarly = false;
        for (int start = 0; start < 30 && !wasEarly; start++)
        {
            Tier? tier = null;
            var options = new TierOptions
            {
                Directory = temp["tier"],
                QuotaBytes = 1L << 40,
                PageSizeBytes = PageBytes,
                MinFreeBytes = MinFree,
                FreeBytesOf = _ =>
                {
                    bool isEarly = tier is { Objects: < Rows / 2 };
                    wasEarly |= isEarly;
                    return isEarly ? MinFree - 1 : Disk;
                },
            };
            using (tier = Tier.Open(options, new TierOwners([]), _time))
            {
                tier.MaintainOnce();
                if (!wasEarly)
                {
                    // All was read before the first look at the disk.
                    continue;
                }

                Assert.False(Put(tier, Version("new", PageBytes), 0), "stored on a disk that is too full");
                Assert.Contains("is free", tier.State, StringComparison.Ordinal);
                Await(() => tier.IsStartupScanDone, "the start-up scan ends");
                tier.MaintainOnce();
                Assert.Equal((Rows, 0), (tier.Objects, tier.EvictedBytes));
            }
        }

        Assert.True(wasEarly, "no look at the disk came before the end of a start");
    }

    /// <summary>The next housekeeping, and what it makes necessary.</summary>
    private void Look()
    {
        _time.Advance(TimeSpan.FromSeconds(2));
        _tier.MaintainOnce();
        _tier.MaintainOnce();
    }

    private void Fill(string name, int files)
    {
        for (int file = 0; file < files; file++)
        {
            for (int page = 0; page < FilePages; page++)
            {
                _ = Put(_tier, Version($"{name}{file}", FilePages * PageBytes), page);
            }

            Look();
        }
    }
}
