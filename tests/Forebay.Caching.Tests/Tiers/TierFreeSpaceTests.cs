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

    public TierFreeSpaceTests()
    {
        Tier? tier = null;
        var options = new TierOptions
        {
            Directory = _temp["tier"],
            QuotaBytes = Disk,
            PageSizeBytes = PageBytes,
            MinFreeBytes = MinFree,
            FreeBytesOf = _ => Disk - Volatile.Read(ref _others) - (tier?.UsedBytes ?? 0),
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
