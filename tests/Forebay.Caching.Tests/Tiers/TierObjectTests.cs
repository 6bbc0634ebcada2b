using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>The number of objects that a tier remembers; random lives are in <see cref="TierObjectModelTests"/>.</summary>
public sealed class TierObjectTests : IDisposable
{
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AnObjectMakesPlaceAndSectionsOfALargeOneDoNot()
    {
        const long Quota = 16 << 20;
        using Tier tier = Open(_temp["tier"], _time, Quota, new TierOwners([], maxObjects: 2));
        ObjectVersion large = Version("large", 3 * Quota);
        for (int page = 0; page < 64; page++)
        {
            Assert.True(Put(tier, large, page));
        }

        long before = tier.PresentBytes(large);
        PutAll(tier, Version("first", PageBytes));
        PutAll(tier, Version("second", PageBytes));

        Assert.Equal(2, tier.Objects);
        Assert.Equal(before, tier.PresentBytes(large));
        Assert.False(Holds(tier, Version("first", PageBytes), 0));
        Assert.True(Holds(tier, Version("second", PageBytes), 0));
    }

    [Fact]
    public void WhenAllMustStayNewObjectsAreServedThrough()
    {
        using Tier tier = Open(_temp["tier"], _time, owners: new TierOwners([], maxObjects: 2));
        tier.SetPin(Store, ["pinned"], pinned: true);
        PutAll(tier, Version("pinned", PageBytes));
        PutAll(tier, Version("held", PageBytes));
        Assert.Equal(SegmentStatus.Hit, tier.Find(Version("held", PageBytes))!.TryGetSegment(0, 1, out FileSegment segment));

        using (segment)
        {
            Assert.Null(tier.FindOrCreate(Version("new", PageBytes)));
            Assert.Equal(2, tier.Objects);
        }

        PutAll(tier, Version("new", PageBytes));
        Assert.True(Holds(tier, Version("pinned", PageBytes), 0));
    }

    [Fact]
    public void AStartWithALowerBoundKeepsWhatWasUsedAgain()
    {
        ObjectVersion[] used = [.. Enumerable.Range(0, 8).Select(i => Version($"used{i}", 1000))];
        using (Tier tier = Open(_temp["tier"], _time))
        {
            for (int i = 0; i < 40; i++)
            {
                PutAll(tier, Version($"once{i}", 1000));
            }

            foreach (ObjectVersion version in used)
            {
                PutAll(tier, version);
                tier.Find(version)!.Touch();
                tier.Find(version)!.Touch();
            }
        }

        using Tier small = Open(_temp["tier"], _time, owners: new TierOwners([], maxObjects: 16));

        Assert.Equal(16, small.Objects);
        Assert.Equal(16, Directory.EnumerateFiles(_temp["tier/objects"], "*", SearchOption.AllDirectories).Count());
        Assert.All(used, version => Assert.True(Holds(small, version, 0)));
    }

    [Fact]
    public void MaintenanceKeepsPlacesFree()
    {
        using Tier tier = Open(_temp["tier"], _time, owners: new TierOwners([], maxObjects: 128));
        for (int i = 0; i < 128; i++)
        {
            PutAll(tier, Version($"{i}", 100));
        }

        tier.MaintainOnce();

        Assert.Equal(124, tier.Objects);
    }

    [Fact]
    public void WhileTheIndexCannotBeWrittenOnlySoManyDeletesWait()
    {
        using Tier tier = Open(_temp["tier"], _time);
        PutAll(tier, Version("kept", 100));
        ObjectVersion[] versions = [.. Enumerable.Range(0, Tier.MostPendingDeletes + 1).Select(i => Version($"{i}", 100))];
        Assert.All(versions, version => PutAll(tier, version));
        tier.FlushIndex();
        Execute("CREATE TRIGGER refuse BEFORE DELETE ON object BEGIN SELECT RAISE(ABORT, 'refused'); END");
        Assert.All(versions, version => tier.Drop(version.Id, pinnedToo: false, dryRun: false));

        tier.FlushIndex();

        Assert.Null(tier.FindOrCreate(Version("new", 100)));
        Assert.True(Holds(tier, Version("kept", 100), 0));
        Execute("DROP TRIGGER refuse");
        tier.FlushIndex();
        _time.Advance(TimeSpan.FromSeconds(11));
        PutAll(tier, Version("new", 100));
    }

    private void Execute(string sql)
    {
        using SqliteConnection connection = new($"Data Source={_temp["tier/index.db"]};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
