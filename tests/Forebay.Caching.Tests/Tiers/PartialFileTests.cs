using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>Objects that do not fit into their tier: kept in part, in sections of 2 MiB that leave by holes.</summary>
public sealed class PartialFileTests : IDisposable
{
    private const long Quota = 64 << 20;
    private const int PagesPerSection = (2 << 20) / PageBytes;
    private static readonly ObjectVersion Large = Version("large", 4 * Quota);
    private static readonly int Pages = (int)(Large.Length / PageBytes);
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AnObjectOfFourTimesTheQuotaIsKeptInPartAndWithinIt()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        for (int page = 0; page < Pages; page++)
        {
            Assert.True(Put(tier, Large, page), $"page {page}: {tier.State}");
            Assert.InRange(tier.UsedBytes, 1, Quota);
            if (page % 64 == 0)
            {
                Assert.InRange(DiskBytes(_temp["tier"]), 0, Quota + (Quota / 100));
            }
        }

        tier.MaintainOnce();
        CacheFile file = tier.Find(Large)!;
        int held = Enumerable.Range(0, Pages).Count(page => Holds(tier, Large, page));

        Assert.Equal((true, false, false), (file.IsPartial, file.IsWhole, file.IsWholeAndVerified));
        Assert.InRange((long)held * PageBytes, (long)(Quota * 0.75), Quota);
        Assert.Equal((long)held * PageBytes, tier.PresentBytes(Large));
        Assert.Equal((long)held * PageBytes, tier.UsedBytes - tier.IndexBytes);
        Assert.InRange(DiskBytes(_temp["tier"]), held * PageBytes, (held * PageBytes) + (Quota / 100));
        Assert.Equal((0, 0), (tier.CorruptPages, tier.IoErrors));
    }

    [Fact]
    public async Task ASectionThatIsBeingPunchedKeepsNobodyWaiting()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        Put(tier, Large, 0);
        CacheFile file = tier.Find(Large)!;
        ByteRange both = new(0, 3 << 20);
        Assert.True(file.TryCloseSection(1));

        Assert.Equal(SegmentStatus.Miss, file.TryGetSegment(PagesPerSection * (long)PageBytes, 1, out _));
        Assert.False(file.TryHold(both, out _));
        Task<bool> held = file.TryHoldAsync(both, CancellationToken.None).AsTask();
        using CancellationTokenSource stop = new();
        Task<bool> givenUp = file.TryHoldAsync(both, stop.Token).AsTask();
        Assert.False(held.IsCompleted || givenUp.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);

        Assert.True(file.Punch(1));
        Assert.True(await held.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(file.TryCloseSection(0) || file.TryCloseSection(1), "a range that is held can be punched");
        file.Release(both);
        Assert.True(file.TryCloseSection(0), "what was not held in the end is held still");
        Assert.True(file.Punch(0));
    }

    [Fact]
    public void PagesOfASectionThatIsBeingPunchedAreNotPresentAndThoseBesideItAre()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        Put(tier, Large, PagesPerSection - 1);
        Put(tier, Large, PagesPerSection);
        CacheFile file = tier.Find(Large)!;
        Assert.True(file.IsPresent(PagesPerSection));
        Assert.True(file.TryCloseSection(1));

        Assert.False(file.TryHold(new ByteRange(2 << 20, 1), out _));

        Assert.Equal((true, false), (file.IsPresent(PagesPerSection - 1), file.IsPresent(PagesPerSection)));
        Assert.True(file.Punch(1));
        Assert.False(file.IsPresent(PagesPerSection));
        Assert.True(Put(tier, Large, PagesPerSection) && file.IsPresent(PagesPerSection), "an opened section takes nothing");
    }

    [Fact]
    public void WhatIsHeldStaysWhileItsNeighboursLeaveAndLeavesAfterwards()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        Put(tier, Large, PagesPerSection - 1);
        Put(tier, Large, PagesPerSection);
        Put(tier, Large, (2 * PagesPerSection) - 1);
        CacheFile file = tier.Find(Large)!;
        Assert.Equal(SegmentStatus.Hit, file.TryGetSegment(PagesPerSection * (long)PageBytes, Quota, out FileSegment held));

        Fill(tier, from: 3 * PagesPerSection);

        AssertExact(Large, held);
        Assert.True(Holds(tier, Large, PagesPerSection) && Holds(tier, Large, (2 * PagesPerSection) - 1), "a page of a section that is held has left");
        Assert.False(Holds(tier, Large, PagesPerSection - 1), "the neighbour never left, so nothing was proved");
        held.Dispose();
        Fill(tier, from: 3 * PagesPerSection);
        Fill(tier, from: 3 * PagesPerSection);
        Assert.False(Holds(tier, Large, PagesPerSection), "a section that nobody holds stays for ever");
    }

    [Fact]
    public void AFillThatWritesKeepsItsSection()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        CacheFile file = tier.FindOrCreate(Large, inPart: true)!;
        var range = new ByteRange(0, PageBytes);
        Assert.True(file.TryHold(range, out _));
        Assert.Equal(ReserveStatus.Reserved, file.Reserve(0));
        byte[] bytes = PageOf(Large, 0);
        Assert.True(file.Write(0, bytes));

        Fill(tier, from: PagesPerSection);
        file.Commit(0, Crc32C.Compute(bytes));
        file.Release(range);

        Assert.True(Holds(tier, Large, 0));
    }

    [Fact]
    public void ReadersFillsAndOtherFilesAtOnceSeeExactBytesWithinTheQuota()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        using CancellationTokenSource done = new();
        long highest = 0;
        Put(tier, Large, 0);
        using SafeFileHandle data = LocalFile.Open(DataPath(_temp["tier"], Large), create: false, writable: false);
        var watch = new Thread(() =>
        {
            // One file, in one moment; a sum over many would count twice what moves from one to another meanwhile.
            while (!done.IsCancellationRequested)
            {
                highest = Math.Max(highest, LocalFile.DiskBytesOf(data));
            }
        });
        watch.Start();
        int[] hits = new int[4];
        Parallel.For(0, 4, worker =>
        {
            var random = new Random(worker);
            for (int i = 0; i < 6000; i++)
            {
                // Half of the reads go to an eighth of the object, so that sections are read while others of theirs leave.
                int page = random.Next(2) == 0 ? random.Next(Pages / 8) : random.Next(Pages);
                if (Holds(tier, Large, page))
                {
                    hits[worker]++;
                }
                else if (i % 16 == 0)
                {
                    PutAll(tier, Version($"{worker}/{i}", 3 * PageBytes));
                }
                else
                {
                    Put(tier, Large, page);
                }
            }
        });
        done.Cancel();
        watch.Join();

        tier.MaintainOnce();
        Assert.InRange(hits.Sum(), 2000, 24_000);
        Assert.InRange(highest, Quota / 4, Quota + (Quota / 100));
        Assert.InRange(tier.UsedBytes, 1, Quota + (Quota / 100));
        Assert.InRange(DiskBytes(_temp["tier"]), 1, tier.UsedBytes);
        Assert.Equal((0, 0), (tier.CorruptPages, tier.IoErrors));
    }

    [Fact]
    public void ARandomReaderHitsTheShareOfTheCache()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        var random = new Random(1);
        int hits = 0;
        const int Reads = 20_000;
        for (int i = 0; i < Reads; i++)
        {
            int page = random.Next(Pages);
            bool hit = IsPresent(tier, page);
            hits += hit && i >= Reads / 2 ? 1 : 0;
            Assert.True(hit || Put(tier, Large, page));
        }

        Assert.InRange(hits / (Reads / 2.0), 0.19, 0.26);
    }

    [Fact]
    public void ScansThatReturnKeepAShareInsteadOfPushingItOut()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        ObjectVersion twice = Version("twice", 2 * Quota);
        int pages = (int)(twice.Length / PageBytes);
        int hits = 0;
        for (int pass = 0; pass < 10; pass++)
        {
            hits = 0;
            for (int page = 0; page < pages; page++)
            {
                bool hit = tier.Find(twice)?.TryGetSegment((long)page * PageBytes, PageBytes, out FileSegment segment) == SegmentStatus.Hit;
                if (hit)
                {
                    hits++;
                    tier.Find(twice)!.Release(new ByteRange((long)page * PageBytes, PageBytes));
                }
                else
                {
                    Assert.True(Put(tier, twice, page));
                }
            }

            _time.Advance(TimeSpan.FromSeconds(5));
            tier.MaintainOnce();
        }

        Assert.InRange(hits / (double)pages, 0.2, 0.5);
    }

    [Fact]
    public void AnObjectThatMightJustFitIsNeverComplete()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        ObjectVersion version = Version("nearly", (long)(Quota * 0.83));
        int pages = (int)((version.Length + PageBytes - 1) / PageBytes);

        int stored = Enumerable.Range(0, pages).Count(page => Put(tier, version, page));

        Assert.Equal(pages - 1, stored);
        Assert.False(tier.Find(version)!.IsWhole);
        Assert.False(Put(tier, version, pages - 1));
    }

    [Fact]
    public void AnObjectThatFitsLeavesAsAWhole()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        ObjectVersion version = Version("fits", tier.MaxObjectBytes);
        Put(tier, version, 0);

        Assert.False(tier.Find(version)!.IsPartial);
        Assert.Null(tier.FindOrCreate(Large));
    }

    [Fact]
    public void TheBytesOfAMountPointWithASmallQuotaAreKeptInPartToo()
    {
        TierOwners owners = new([new TierOwner(Store, "small/", 8 << 20)]);
        using Tier tier = Open(_temp["tier"], _time, Quota, owners);
        ObjectVersion other = Version("other", 4 * PageBytes);
        ObjectVersion version = Version("small/a", 24 << 20);
        PutAll(tier, other);

        for (int page = 0; page < 24 << 4; page++)
        {
            Assert.True(Put(tier, version, page), $"page {page}");
            Assert.InRange(tier.BytesOf(0), 1, 8 << 20);
        }

        Assert.True(Holds(tier, other, 3));
        Assert.True(Holds(tier, version, (24 << 4) - 1));
    }

    [Fact]
    public void ARowIsBelievedOnlyAfterACleanEnd()
    {
        using (Tier tier = Open(_temp["tier"], _time, Quota))
        {
            Fill(tier, from: 0);
            tier.FlushIndex();
            Assert.Equal("", BootOf(_temp["tier"]));
        }

        Assert.NotEqual("", BootOf(_temp["tier"]));
        using Tier again = Open(_temp["tier"], _time, Quota);
        CacheFile file = again.Find(Large)!;
        int[] present = [.. Enumerable.Range(0, Pages).Where(file.IsPresent)];

        Assert.True(file.IsPartial);
        Assert.InRange(present.Length, Pages / 5, Pages / 4);
        Assert.All(present, page => Assert.True(IsPresent(again, page), "what was written by us in this boot is checked again"));
        Await(() => BootOf(_temp["tier"]).Length == 0, "the row is no longer believed, so that holes may follow");
        Fill(again, from: 0);
        Assert.Equal(0, again.CorruptPages);
    }

    [Fact]
    public void NothingIsPunchedWhileTheIndexStillSaysThatItsPagesCanBeBelieved()
    {
        using (Tier tier = Open(_temp["tier"], _time, Quota))
        {
            Fill(tier, from: 0);
        }

        using var other = new SqliteConnection($"Data Source={_temp["tier/index.db"]};Pooling=False");
        other.Open();
        using SqliteTransaction nobodyElseWrites = other.BeginTransaction(deferred: false);
        using Tier again = Open(_temp["tier"], _time, Quota);
        long before = again.PresentBytes(Large);

        bool refused = Enumerable.Range(0, Pages).Any(page => !Put(again, Large, page));

        Assert.True(refused, "there was room enough, so nothing was proved");
        Assert.Equal(0, again.EvictedBytes);
        Assert.InRange(again.PresentBytes(Large), before, Quota);
        nobodyElseWrites.Rollback();
        Await(() => BootOf(_temp["tier"]).Length == 0, "the row is written");
        Await(() => Put(again, Large, 0) && Put(again, Large, Pages / 2), "room is made");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AKillBeforeTheIndexKnowsOfHolesServesNoZeros(bool refills)
    {
        using (Tier tier = Open(_temp["tier"], _time, Quota))
        {
            Fill(tier, from: 0);
            tier.MaintainOnce();
            tier.FlushIndex();
            CopyIndex(_temp["tier"], _temp["killed"]);

            // Whatever happens from here is unknown to that index.
            Fill(tier, from: 0);
            if (refills)
            {
                Fill(tier, from: 0);
            }

            Directory.Move(_temp["tier/objects"], _temp["killed/objects"]);
            Directory.CreateDirectory(_temp["tier/objects"]);
        }

        TierCheckReport report = TierCheck.Run(_temp["killed"], quick: false, progress: null, CancellationToken.None);
        using Tier again = Open(_temp["killed"], _time, Quota);
        int believed = Enumerable.Range(0, Pages).Count(again.Find(Large)!.IsPresent);
        int held = Enumerable.Range(0, Pages).Count(page => Holds(again, Large, page));

        Assert.InRange(believed, Pages / 5, Pages / 4);
        Assert.True(held < believed, "no page of the row was punched, so nothing was proved");
        Assert.Equal((0, true), (again.CorruptPages, report.IsClean));
        Await(() => Enumerable.Range(0, Pages).All(page => Put(again, Large, page)), "holes may be punched, once a commit has said that no page is believed");
        Fill(again, from: 0);
        again.MaintainOnce();
        Assert.InRange(DiskBytes(_temp["killed"]), 0, Quota + (Quota / 100));
        Assert.InRange(DiskBytes(_temp["killed"]), 0, again.UsedBytes + (Quota / 100));
    }

    [Fact]
    public void AfterARestartALargePartialFileStillLeavesInParts()
    {
        using (Tier tier = Open(_temp["tier"], _time, Quota))
        {
            Fill(tier, from: 0);
        }

        using Tier again = Open(_temp["tier"], _time, Quota);
        Await(() => BootOf(_temp["tier"]).Length == 0, "holes may be punched");
        for (int i = 0; i < 8; i++)
        {
            PutAll(again, Version($"{i}", 1 << 20));
        }

        Assert.InRange(again.PresentBytes(Large), Quota / 2, Quota);
        Assert.InRange(again.UsedBytes, 1, Quota);
    }

    [Fact]
    public void SmallPartsOfManyObjectsAreUnloadedAndComeBack()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota, new TierOwners([], maxOpenFiles: 4));
        ObjectVersion[] versions = [.. Enumerable.Range(0, 20).Select(i => Version($"{i}", 2 * Quota))];
        foreach (ObjectVersion version in versions)
        {
            Put(tier, version, 7);
        }

        PutRun(tier, Large, 0, 64);
        _time.Advance(TimeSpan.FromSeconds(5));
        tier.MaintainOnce();
        _time.Advance(TimeSpan.FromSeconds(5));
        tier.MaintainOnce();

        Assert.InRange(Directory.GetFiles("/proc/self/fd").Count(path => new FileInfo(path).LinkTarget?.StartsWith(_temp["tier/objects"], StringComparison.Ordinal) ?? false), 1, 5);
        Assert.All(versions, version => Assert.True(Holds(tier, version, 7)));
        Assert.All(Enumerable.Range(0, 64), page => Assert.True(Holds(tier, Large, page)));
    }

    [Fact]
    public void WhereHolesCannotBePunchedLargeObjectsAreNotStored()
    {
        using SmallDisk disk = new("mode=700", "ramfs");
        if (!disk.IsMounted)
        {
            return;
        }

        using Tier tier = Open(Path.Combine(disk.Path, "tier"), _time, Quota);

        Assert.False(tier.CanPunch);
        Assert.Equal("ok", tier.State);
        Assert.Null(tier.FindOrCreate(Large, inPart: true));
        PutAll(tier, Version("a", 4 * PageBytes));
        Assert.Contains("cannot punch holes", tier.State, StringComparison.Ordinal);
    }

    [Fact]
    public void AHitAllocatesNothing()
    {
        using Tier tier = Open(_temp["tier"], _time, Quota);
        PutRun(tier, Large, 0, 64);
        CacheFile file = tier.Find(Large)!;

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                file.TryGetSegment(PageBytes + 1, 3 * PageBytes, out FileSegment segment);
                segment.Dispose();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Allocated();
        Assert.Equal(0, Allocated());
    }

    /// <summary>One pass from a page to the end of <see cref="Large"/>.</summary>
    private static void Fill(Tier tier, int from) => PutRun(tier, Large, from, Pages);

    private static void PutRun(Tier tier, ObjectVersion version, int from, int end)
    {
        for (int page = from; page < end; page++)
        {
            Assert.True(Put(tier, version, page), $"page {page} was refused: {tier.State}");
        }
    }

    private static bool IsPresent(Tier tier, int page)
    {
        if (tier.Find(Large)?.TryGetSegment((long)page * PageBytes, PageBytes, out FileSegment segment) != SegmentStatus.Hit)
        {
            return false;
        }

        tier.Find(Large)!.Release(new ByteRange((long)page * PageBytes, PageBytes));
        return true;
    }

    private static string BootOf(string directory)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "index.db")};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT boot FROM object WHERE key = 'large'";
        return (string)command.ExecuteScalar()!;
    }

    private static void CopyIndex(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string path in Directory.EnumerateFiles(from))
        {
            if (Path.GetFileName(path) != "lock")
            {
                File.Copy(path, Path.Combine(to, Path.GetFileName(path)));
            }
        }
    }
}
