using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierRecoveryTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void WhatWasStoredIsThereAndVerifiedAfterARestart()
    {
        ObjectVersion whole = Version("whole", (3 * PageBytes) + 17);
        ObjectVersion part = Version("part", 5 * PageBytes);
        using (Tier tier = Open(_temp["tier"]))
        {
            PutAll(tier, whole);
            Put(tier, part, 3);
        }

        using Tier again = Open(_temp["tier"]);

        Assert.True(again.Find(whole)!.IsWholeAndVerified);
        Assert.Equal(SegmentStatus.Miss, again.Find(part)!.TryGetSegment(0, 1, out _));
        Assert.Equal(SegmentStatus.Hit, again.Find(part)!.TryGetSegment((3 * PageBytes) + 5, 1, out FileSegment segment));
        segment.Dispose();
        Assert.True(Holds(again, part, 3));
        Assert.Equal(0, again.CorruptPages);
        Assert.Null(again.Find(Version("whole", whole.Length, "\"v2\"")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AfterAKillCommittedPagesAreFoundAgainAndTrustedOnlyInTheSameFiles(bool sameFiles)
    {
        ObjectVersion version = Version("a", 4 * PageBytes);
        using Tier killed = Open(_temp["killed"]);
        PutAll(killed, version);
        killed.FlushIndex();
        Seize(_temp["killed"], _temp["next"], sameFiles);

        using Tier next = Open(_temp["next"]);

        CacheFile file = next.Find(version)!;
        Assert.True(file.IsWhole);
        Assert.Equal(sameFiles, file.IsWholeAndVerified);
        Assert.All([0, 1, 2, 3], page => Assert.True(Holds(next, version, page)));
        Assert.True(next.Find(version)!.IsWholeAndVerified);
    }

    [Fact]
    public void APageWrittenBehindTheIndexIsNotBelieved()
    {
        ObjectVersion version = Version("a", 4 * PageBytes);
        using Tier killed = Open(_temp["killed"]);
        Put(killed, version, 0);
        killed.FlushIndex();
        Assert.True(Put(killed, version, 1));
        CacheFile file = killed.Find(version)!;
        Assert.True(file.TryAcquire(out _));
        Assert.Equal(ReserveStatus.Reserved, file.Reserve(2));
        Assert.True(file.Write(2 * PageBytes, PageOf(version, 2).AsSpan(0, 100)));
        file.Release();
        Seize(_temp["killed"], _temp["next"], sameFiles: false);

        using Tier next = Open(_temp["next"]);

        Assert.True(Holds(next, version, 0));
        Assert.False(Holds(next, version, 2));
        Assert.False(Holds(next, version, 3));
    }

    [Fact]
    public void AFlippedBitInAPartFileCostsThatPageOnly()
    {
        ObjectVersion version = Version("a", 4 * PageBytes);
        using (Tier tier = Open(_temp["tier"]))
        {
            Put(tier, version, 0);
            Put(tier, version, 2);
        }

        FlipByte(DataPath(_temp["tier"], version), (2 * PageBytes) + 1000);
        using Tier again = Open(_temp["tier"]);

        Assert.False(Holds(again, version, 2));
        Assert.True(Holds(again, version, 0));
        Assert.Equal(1, again.CorruptPages);
        long used = again.UsedBytes;
        Assert.True(Put(again, version, 2));
        Assert.True(Holds(again, version, 2));
        Assert.Equal(used, again.UsedBytes);
    }

    [Fact]
    public void AFlippedBitInAWholeFileMovesItsGoodPagesToANewOne()
    {
        ObjectVersion version = Version("a", (3 * PageBytes) + 10);
        using (Tier tier = Open(_temp["tier"]))
        {
            PutAll(tier, version);
        }

        FlipByte(DataPath(_temp["tier"], version), PageBytes + 1);
        using (Tier again = Open(_temp["tier"]))
        {
            CacheFile damaged = again.Find(version)!;
            Assert.False(Holds(again, version, 1));
            Assert.NotSame(damaged, again.Find(version));
            Assert.False(damaged.IsUsable);
            Assert.All([0, 2, 3], page => Assert.True(Holds(again, version, page), $"page {page} was lost"));
            Assert.Equal(1, again.CorruptPages);
            Assert.False(File.Exists(DataPath(_temp["tier"], version)));
            Assert.True(Put(again, version, 1));
            Assert.True(again.Find(version)!.IsWholeAndVerified);
        }

        using Tier third = Open(_temp["tier"]);
        Assert.True(third.Find(version)!.IsWholeAndVerified);
        Assert.All([0, 1, 2, 3], page => Assert.True(Holds(third, version, page)));
    }

    [Fact]
    public void TruncatedAndMissingFilesAreFetchedAgainAndNothingElseIsLost()
    {
        ObjectVersion truncated = Version("truncated", 2 * PageBytes);
        ObjectVersion missing = Version("missing", 2 * PageBytes);
        ObjectVersion good = Version("good", 2 * PageBytes);
        using (Tier tier = Open(_temp["tier"]))
        {
            PutAll(tier, truncated);
            PutAll(tier, missing);
            PutAll(tier, good);
        }

        using (FileStream file = File.OpenWrite(DataPath(_temp["tier"], truncated)))
        {
            file.SetLength(PageBytes);
        }

        File.Delete(DataPath(_temp["tier"], missing));
        using (Tier again = Open(_temp["tier"]))
        {
            Assert.False(Holds(again, truncated, 0));
            Assert.False(Holds(again, missing, 0));
            Assert.True(Holds(again, good, 1));
            PutAll(again, truncated);
            PutAll(again, missing);
            Assert.True(Holds(again, truncated, 1));
            Assert.Equal(6 * PageBytes, again.UsedBytes - again.IndexBytes);
        }

        using Tier third = Open(_temp["tier"]);
        Assert.True(third.Find(truncated)!.IsWholeAndVerified);
        Assert.True(third.Find(missing)!.IsWholeAndVerified);
    }

    [Fact]
    public void AFileWithoutARowIsRemovedAndAForeignOneIsNot()
    {
        Open(_temp["tier"]).Dispose();
        ObjectVersion orphan = Version("orphan", 100);
        File.WriteAllText(DataPath(_temp["tier"], orphan), "left by a death between two commits");
        File.WriteAllText(DataPath(_temp["tier"], orphan, ".3"), "and its next generation");
        string foreign = _temp["tier/objects/00/README"];
        File.WriteAllText(foreign, "not ours");

        using Tier tier = Open(_temp["tier"]);

        Await(() => !File.Exists(DataPath(_temp["tier"], orphan)) && !File.Exists(DataPath(_temp["tier"], orphan, ".3")), "orphans are removed");
        Assert.True(File.Exists(foreign));
        Assert.Null(tier.Find(orphan));
    }

    [Fact]
    public void ADamagedIndexIsMovedAsideAndTheTierStartsEmpty()
    {
        ObjectVersion version = Version("a", 2 * PageBytes);
        using (Tier tier = Open(_temp["tier"]))
        {
            PutAll(tier, version);
        }

        byte[] noise = new byte[64 << 10];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(_temp["tier/index.db"], noise);
        using Tier again = Open(_temp["tier"]);

        Assert.Null(again.Find(version));
        Assert.Single(Directory.GetFiles(_temp["tier"], "index.db.damaged-*"));
        Await(() => !File.Exists(DataPath(_temp["tier"], version)), "files without rows are removed");
        PutAll(again, version);
        Assert.True(Holds(again, version, 1));
        Assert.Equal("ok", again.State);
    }

    [Fact]
    public void AnInterruptedPageIsNotCountedAsCachedAfterARestart()
    {
        ObjectVersion version = Version("a", 2 * PageBytes);
        using (Tier tier = Open(_temp["tier"]))
        {
            Put(tier, version, 0);
            CacheFile file = tier.Find(version)!;
            Assert.True(file.TryAcquire(out _));
            Assert.Equal(ReserveStatus.Reserved, file.Reserve(1));
            file.Write(PageBytes, new byte[10]);
            file.MarkDirty();
            file.Release();
        }

        using Tier again = Open(_temp["tier"]);

        Assert.True(again.PresentBytes(version) < version.Length, "a page that never came in counts as cached");
        long used = again.UsedBytes;
        Assert.True(Put(again, version, 1));
        Assert.Equal(used, again.UsedBytes);
        Assert.Equal(version.Length, again.PresentBytes(version));
    }
}
