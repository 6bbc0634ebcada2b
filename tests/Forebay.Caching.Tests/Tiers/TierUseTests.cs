using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>Hits write nothing while a reader waits, and are known after a restart all the same.</summary>
public sealed class TierUseTests : IDisposable
{
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();
    private Tier? _killed;

    public void Dispose() => _temp.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFileInDailyUseOutlivesItsTtlOverARestart(bool killed)
    {
        TierOwners owners = new([new TierOwner(Store, "", null, TimeSpan.FromDays(2))]);
        ObjectVersion used = Version("used", PageBytes);
        ObjectVersion idle = Version("idle", PageBytes);
        Tier tier = Open(_temp["tier"], _time, owners: owners);
        PutAll(tier, used);
        PutAll(tier, idle);
        tier.FlushIndex();
        for (int hour = 0; hour < 36; hour++)
        {
            _time.Advance(TimeSpan.FromHours(1));
            tier.MaintainOnce();
            tier.Find(used)!.Touch();
        }

        Tier next = Restart(tier, killed, owners);
        _time.Advance(TimeSpan.FromHours(13));
        next.MaintainOnce();

        Assert.True(Holds(next, used, 0), "a file used 13 hours ago was dropped for want of use in 48");
        Assert.Null(next.Find(idle));
        next.Dispose();
        _killed?.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatWasUsedBeforeARestartOutlivesAScanAfterIt(bool killed)
    {
        const long Quota = 32 << 20;
        ObjectVersion[] used = [.. Enumerable.Range(0, 8).Select(i => Version($"used/{i}", 16 * PageBytes))];
        ObjectVersion[] idle = [.. Enumerable.Range(0, 18).Select(i => Version($"idle/{i}", 16 * PageBytes))];
        Tier tier = Open(_temp["tier"], _time, Quota);
        Assert.All(used, version => PutAll(tier, version));
        Assert.All(idle, version => PutAll(tier, version));
        tier.FlushIndex();
        foreach (ObjectVersion version in used.Concat(used))
        {
            tier.Find(version)!.Touch();
        }

        _time.Advance(TimeSpan.FromSeconds(2));
        tier.MaintainOnce();
        Tier next = Restart(tier, killed, quota: Quota);
        foreach (int i in Enumerable.Range(0, 22))
        {
            PutAll(next, Version($"scan/{i}", 16 * PageBytes));
        }

        Assert.True(next.EvictedBytes > 0);
        Assert.All(used, version => Assert.True(Holds(next, version, 0), $"{version.Key} was in use and left before what was not"));
        next.Dispose();
        _killed?.Dispose();
    }

    [Fact]
    public void AUseIsWrittenOnceAMinuteAndNeverMoreThanThatBehind()
    {
        ObjectVersion version = Version("a", PageBytes);
        using Tier tier = Open(_temp["tier"], _time);
        PutAll(tier, version);
        tier.FlushIndex();
        CacheFile file = tier.Find(version)!;
        file.Touch();
        file.Touch();
        HashSet<long> written = [];
        for (int second = 0; second < 300; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            tier.MaintainOnce();
            file.Touch();
            long used = Rows(_temp["tier"]).Single().Used;
            Assert.InRange(_time.GetUtcNow().ToUnixTimeSeconds() - used, 0, Tier.SecondsBetweenSavedUses + 1);
            written.Add(used);
        }

        Assert.InRange(written.Count, 4, 6);
    }

    [Fact]
    public void ARoundWritesABoundedNumberOfUsesAndTheEndAllOfThem()
    {
        const int Objects = Tier.MostUsesPerSecond + 200;
        using (Tier tier = Open(_temp["tier"], _time))
        {
            ObjectVersion[] versions = [.. Enumerable.Range(0, Objects).Select(i => Version($"{i}", 100))];
            foreach (ObjectVersion version in versions)
            {
                PutAll(tier, version);
            }

            tier.FlushIndex();
            _time.Advance(TimeSpan.FromHours(1));
            tier.MaintainOnce();
            foreach (ObjectVersion version in versions.Concat(versions))
            {
                tier.Find(version)!.Touch();
            }

            Assert.All(Rows(_temp["tier"]), row => Assert.False(row.IsFrequent, "a hit wrote while its reader waited"));
            _time.Advance(TimeSpan.FromSeconds(1));
            tier.MaintainOnce();
            Assert.Equal(Tier.MostUsesPerSecond, Rows(_temp["tier"]).Count(row => row.IsFrequent));
            _time.Advance(TimeSpan.FromSeconds(1));
            tier.MaintainOnce();
            Assert.Equal(Objects, Rows(_temp["tier"]).Count(row => row.IsFrequent));
            foreach (ObjectVersion version in versions)
            {
                tier.Find(version)!.Touch();
            }
        }

        long now = _time.GetUtcNow().ToUnixTimeSeconds();
        Assert.All(Rows(_temp["tier"]), row => Assert.Equal(now, row.Used));
    }

    [Fact]
    public void AUseOfWhatWasDroppedMeanwhileMarksNothingElse()
    {
        ObjectVersion version = Version("a", PageBytes);
        using Tier tier = Open(_temp["tier"], _time);
        PutAll(tier, version);
        tier.Find(version)!.Touch();
        tier.Find(version)!.Touch();
        tier.Drop(version.Id, pinnedToo: false, dryRun: false);
        PutAll(tier, version);

        _time.Advance(TimeSpan.FromSeconds(2));
        tier.MaintainOnce();

        Assert.False(Rows(_temp["tier"]).Single().IsFrequent);
    }

    [Fact]
    public void AHitThatIsToBeSavedAllocatesNothing()
    {
        using Tier tier = Open(_temp["tier"], _time);
        CacheFile[] files = [.. Enumerable.Range(0, 50).Select(i =>
        {
            ObjectVersion version = Version($"{i}", 100);
            PutAll(tier, version);
            return tier.Find(version)!;
        })];
        long Touched()
        {
            _time.Advance(TimeSpan.FromMinutes(2));
            tier.MaintainOnce();
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (CacheFile file in files)
            {
                file.Touch();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Touched();
        Assert.Equal(0, Touched());
    }

    private Tier Restart(Tier tier, bool killed, TierOwners? owners = null, long quota = 64 << 20)
    {
        if (killed)
        {
            _killed = tier;
            Seize(_temp["tier"], _temp["next"], sameFiles: false);
            return Open(_temp["next"], _time, quota, owners);
        }

        tier.Dispose();
        return Open(_temp["tier"], _time, quota, owners);
    }

    private static List<(long Used, bool IsFrequent)> Rows(string directory)
    {
        using var connection = new SqliteConnection($"Data Source={directory}/index.db;Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT used, frequent FROM object";
        using SqliteDataReader found = command.ExecuteReader();
        List<(long, bool)> rows = [];
        while (found.Read())
        {
            rows.Add((found.GetInt64(0), found.GetInt64(1) != 0));
        }

        return rows;
    }
}
