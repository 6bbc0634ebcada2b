using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>A page cache of several tiers whose mover does one job when the test says so.</summary>
internal sealed class MovingHarness : IDisposable
{
    internal const long FastQuota = 32 << 20;
    internal const int ObjectPages = 16;
    internal const long ObjectBytes = ObjectPages * PageBytes;
    private readonly ManualTimeProvider _time = new();

    internal MovingHarness(TempDirectory temp, params TierOptions[] tiers)
        : this(temp, new TierOwners([new TierOwner(Store, "", null)]), tiers)
    {
    }

    internal MovingHarness(TempDirectory temp, TierOwners owners, params TierOptions[] tiers)
    {
        TierOptions[] options = tiers.Length > 0 ? tiers : [Options(temp, "ssd", Medium.Ssd), Options(temp, "hdd", Medium.Hdd, 64 << 20)];
        Cache = PageCache.Open(options, owners, _time, MakeMover);
        Await(() => Cache.Tiers.All(tier => tier.IsStartupScanDone), "the start-up scans end");
    }

    internal PageCache Cache { get; }

    internal TierMover? Mover { get; private set; }

    internal Tier Fast => Cache.Tiers[0];

    internal Tier Slow => Cache.Tiers[^1];

    /// <summary>Called with the number of the piece, after it was copied.</summary>
    internal Action<int> AfterPiece { get; set; } = _ => { };

    internal static TierOptions Options(TempDirectory temp, string name, Medium medium, long quotaBytes = FastQuota, int pageBytes = PageBytes)
        => new() { Directory = temp[name], Medium = medium, QuotaBytes = quotaBytes, PageSizeBytes = pageBytes };

    /// <summary>Does everything that waits; bounded, so that two tiers that push a file to and fro fail the test.</summary>
    internal void MoveAll()
    {
        int most = 10_000;
        while (Mover!.RunOnce())
        {
            Assert.True(--most > 0, "the mover never comes to an end");
        }
    }

    /// <summary>Stores so many objects of 1 MiB in the fastest tier, over its high watermark, and lets its maintenance choose victims.</summary>
    internal ObjectVersion[] Overfill(string prefix = "o", int count = 31)
    {
        ObjectVersion[] versions = [.. Enumerable.Range(0, count).Select(i => Version($"{prefix}/{i}", ObjectBytes))];
        foreach (ObjectVersion version in versions)
        {
            PutAll(Fast, version);
        }

        Fast.MaintainOnce();
        return versions;
    }

    /// <summary>Opens a version so many times, far enough apart to count.</summary>
    internal void Use(ObjectVersion version, int times, int secondsApart = Tier.SecondsBetweenUses)
    {
        for (int i = 0; i < times; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(secondsApart));
            foreach (Tier tier in Cache.Tiers)
            {
                tier.MaintainOnce();
            }

            Cache.Find(version)!.Touch();
        }
    }

    /// <summary>True when the tier holds every page, exact.</summary>
    internal static bool HoldsAll(Tier tier, ObjectVersion version)
        => tier.Find(version) is { } file && Enumerable.Range(0, file.PageCount).All(page => HoldsExact(file, version, page));

    internal static TierOptions[] Media(TempDirectory temp, params Medium[] media)
        => [.. media.Select(medium => Options(temp, medium.ToString(), medium))];

    public void Dispose() => Cache.Dispose();

    private static bool HoldsExact(CacheFile file, ObjectVersion version, int page)
    {
        if (!file.Verify(page) || file.TryGetSegment((long)page * file.PageSizeBytes, file.PageSizeBytes, out FileSegment segment) != SegmentStatus.Hit)
        {
            return false;
        }

        using (segment)
        {
            AssertExact(version, segment);
        }

        return true;
    }

    private TierMover MakeMover(Placement placement)
    {
        int pieces = 0;
        Mover = new TierMover(placement, runsByItself: false, _ => AfterPiece(++pieces));
        return Mover;
    }
}
