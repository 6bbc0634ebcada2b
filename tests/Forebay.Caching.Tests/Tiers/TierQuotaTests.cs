using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.MovingHarness;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>The quota of a mount point holds over all directories of a node.</summary>
public sealed class TierQuotaTests : IDisposable
{
    private const long Quota = 8 * ObjectBytes;
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();
    private readonly List<TierOwner> _owners = [new TierOwner(Store, "a/", Quota), new TierOwner(Store, "b/", null)];

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void TwoDirectoriesHoldOneQuotaAndTakeNothingOfOthers()
    {
        using PageCache cache = OpenTwo(new TierOwners(_owners));
        ObjectVersion[] others = [.. Enumerable.Range(0, 8).Select(i => Version($"b/{i}", ObjectBytes))];
        Assert.All(others, version => PutAll(cache, version));

        for (int i = 0; i < 30; i++)
        {
            PutAll(cache, Version($"a/{i}", ObjectBytes));
            Assert.InRange(cache.BytesOf(0), Math.Min(i + 1, 7) * ObjectBytes, Quota);
            Assert.Equal(cache.BytesOf(0), cache.Tiers.Sum(tier => tier.BytesOf(0)));
        }

        Assert.All(cache.Tiers, tier => Assert.NotEqual(0, tier.BytesOf(0)));
        Assert.Equal(others.Length * ObjectBytes, cache.BytesOf(1));
        Assert.All(others, version => Assert.True(cache.Find(version)!.IsWhole));
        Assert.True(cache.Find(Version("a/29", ObjectBytes))!.IsWhole);
    }

    [Fact]
    public void ManyFillsAtOnceNeverPassTheQuotaByAByte()
    {
        using PageCache cache = OpenTwo(new TierOwners(_owners));
        long highest = 0;
        Parallel.For(0, 4, worker =>
        {
            for (int i = 0; i < 60; i++)
            {
                ObjectVersion version = Version($"a/{worker}/{i}", ((i % 20) + 1) * PageBytes);
                for (int page = 0; page * PageBytes < version.Length; page++)
                {
                    TryPut(cache, version, page);
                    long bytes = cache.BytesOf(0);
                    long seen;
                    while (bytes > (seen = Volatile.Read(ref highest)) && Interlocked.CompareExchange(ref highest, bytes, seen) != seen)
                    {
                    }
                }
            }
        });

        Assert.InRange(highest, Quota / 2, Quota);
        Assert.Equal(cache.BytesOf(0), cache.Tiers.Sum(tier => tier.BytesOf(0)));
        Assert.All(cache.Tiers, tier => Assert.Equal(tier.UsedBytes - tier.IndexBytes, tier.BytesOf(0)));
    }

    [Fact]
    public void AMoveNeedsNoQuotaOfItsOwn()
    {
        const int Objects = 31;
        const long Full = Objects * ObjectBytes;
        TierOwners owners = new([new TierOwner(Store, "", Full)]);
        using MovingHarness harness = new(_temp, owners);
        long highest = 0;
        harness.AfterPiece = _ => highest = Math.Max(highest, harness.Cache.BytesOf(0));
        ObjectVersion[] versions = harness.Overfill(count: Objects);

        harness.MoveAll();

        Assert.True(harness.Fast.DemotedBytes > 0);
        Assert.Equal(Full, highest);
        Assert.Equal(Full, harness.Cache.BytesOf(0));
        Assert.Equal(harness.Fast.DemotedBytes, harness.Slow.BytesOf(0));
        Assert.Equal(Full - harness.Fast.DemotedBytes, harness.Fast.BytesOf(0));
        Assert.All(versions, version => Assert.True(harness.Cache.Find(version)!.IsWhole));

        ObjectVersion next = Version("next", ObjectBytes);
        long slow = harness.Slow.BytesOf(0);
        PutAll(harness.Cache, next);
        Assert.Equal(slow - ObjectBytes, harness.Slow.BytesOf(0));
        Assert.Equal(Full, harness.Cache.BytesOf(0));
    }

    [Fact]
    public void AVictimFreedWhileItIsMovedLeavesNothingCounted()
    {
        TierOwners owners = new([new TierOwner(Store, "", 40 * ObjectBytes)]);
        using MovingHarness harness = new(_temp, owners);
        harness.AfterPiece = piece =>
        {
            if (piece == 3)
            {
                foreach (ObjectVersion version in Enumerable.Range(0, 31).Select(i => Version($"o/{i}", ObjectBytes)))
                {
                    harness.Cache.Drop(version.Id, pinnedToo: false, dryRun: false);
                }
            }
        };
        harness.Overfill();

        harness.MoveAll();

        Assert.Equal(0, harness.Cache.BytesOf(0));
        Assert.Equal(0, harness.Fast.BytesOf(0) + harness.Slow.BytesOf(0));
    }

    [Fact]
    public void ARestartCountsWhatItFindsAndALowerQuotaHoldsSoonAfterIt()
    {
        using (PageCache cache = OpenTwo(new TierOwners(_owners)))
        {
            for (int i = 0; i < 7; i++)
            {
                PutAll(cache, Version($"a/{i}", ObjectBytes));
            }
        }

        using (PageCache again = OpenTwo(new TierOwners(_owners)))
        {
            Assert.Equal(7 * ObjectBytes, again.BytesOf(0));
            PutAll(again, Version("a/7", ObjectBytes));
            PutAll(again, Version("a/8", ObjectBytes));
            Assert.Equal(Quota, again.BytesOf(0));
        }

        _owners[0] = _owners[0] with { QuotaBytes = 3 * ObjectBytes };
        using PageCache lower = OpenTwo(new TierOwners(_owners));
        _time.Advance(TimeSpan.FromSeconds(2));
        foreach (Tier tier in lower.Tiers)
        {
            tier.MaintainOnce();
        }

        Assert.InRange(lower.BytesOf(0), 2 * ObjectBytes, 3 * ObjectBytes);
    }

    [Fact]
    public void AClosedDirectoryCountsNoMore()
    {
        TierOwners owners = new(_owners);
        using Tier first = Open(_temp["one"], _time, owners: owners);
        Tier second = Open(_temp["two"], _time, owners: owners);
        PutAll(first, Version("a/0", ObjectBytes));
        PutAll(second, Version("a/1", ObjectBytes));

        second.Dispose();

        Assert.Equal(ObjectBytes, owners.BytesOf(0));
    }

    private PageCache OpenTwo(TierOwners owners)
    {
        PageCache cache = PageCache.Open([Options(_temp, "one", Medium.Ssd), Options(_temp, "two", Medium.Ssd)], owners, _time);
        Await(() => cache.Tiers.All(tier => tier.IsStartupScanDone), "the start-up scans end");
        return cache;
    }

    private static bool TryPut(PageCache cache, ObjectVersion version, int page)
        => cache.FindOrCreate(version) is { } file && Put(cache.Tiers.Single(tier => tier.Path == file.TierPath), version, page);

    private static void PutAll(PageCache cache, ObjectVersion version)
    {
        for (int page = 0; page < version.Length / PageBytes; page++)
        {
            Assert.True(TryPut(cache, version, page), $"page {page} of {version.Key} was refused");
        }
    }

    private static void PutAll(Tier tier, ObjectVersion version) => TierHarness.PutAll(tier, version);
}
