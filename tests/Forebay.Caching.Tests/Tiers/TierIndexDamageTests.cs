using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>Indexes that are really damaged, where SQLite notices it late: in the middle of a scan, at a look-up, at a commit.</summary>
public sealed class TierIndexDamageTests : IDisposable
{
    private const int Objects = 1500;
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void DamageFoundByTheStartUpScanIsReportedServedThroughAndGoneAfterTheNextStart()
    {
        Fill();
        Damage();
        using (Tier tier = Open(_temp["tier"]))
        {
            AssertDamageIsKnown(tier);
            Assert.InRange(tier.Objects, 0, Objects - 1);
            AssertStoresAndServes(tier, "new");
        }

        AssertBegunAnewByTheNextStart();
    }

    [Fact]
    public void DamageFoundByALookUpIsReportedServedThroughAndGoneAfterTheNextStart()
    {
        Fill();

        // What cannot be written is known only while its file stays loaded.
        using (Tier tier = Open(_temp["tier"], owners: new TierOwners([], maxOpenFiles: 10 * Objects)))
        {
            Assert.Equal("ok", tier.State);
            Damage();
            int lost = Enumerable.Range(0, Objects).Count(i => tier.Find(ObjectOf(i)) is null);
            Assert.InRange(lost, 1, Objects);
            AssertDamageIsKnown(tier);
            foreach (int i in Enumerable.Range(0, 200))
            {
                PutAll(tier, ObjectOf(i));
            }

            Assert.All(Enumerable.Range(0, 200), i => Assert.True(Holds(tier, ObjectOf(i), 0)));
            AssertStoresAndServes(tier, "new");
        }

        AssertBegunAnewByTheNextStart();
    }

    [Fact]
    public void DamageFoundByACommitHoldsNothingUp()
    {
        Fill();
        using (Tier tier = Open(_temp["tier"]))
        {
            Damage();
            ObjectVersion[] more = [.. Enumerable.Range(0, 300).Select(i => Version($"more/{i}", 100))];
            Assert.All(more, version => PutAll(tier, version));
            tier.FlushIndex();

            AssertDamageIsKnown(tier);
            Assert.All(more, version => Assert.False(tier.Find(version)!.IsDirty, "a change that can never be written waits for ever"));
            Assert.All(more, version => Assert.True(Holds(tier, version, 0)));
        }

        AssertBegunAnewByTheNextStart();
    }

    [Fact]
    public void AStartKilledWhileItSetTheIndexAsideIsFinishedByTheNext()
    {
        using (Tier tier = Open(_temp["tier"]))
        {
            PutAll(tier, Version("a", 100));
            tier.FlushIndex();
            Directory.CreateDirectory(_temp["log"]);
            File.Copy(_temp["tier/index.db-wal"], _temp["log/index.db-wal"]);
        }

        File.Move(_temp["tier/index.db"], _temp["tier/index.db.damaged-20260101000000"]);
        File.Copy(_temp["log/index.db-wal"], _temp["tier/index.db-wal"]);
        File.WriteAllText(_temp["tier/index-damaged"], "");

        using Tier next = Open(_temp["tier"]);

        Assert.Null(next.Find(Version("a", 100)));
        Assert.False(File.Exists(_temp["tier/index-damaged"]));
        Assert.Single(Directory.GetFiles(_temp["tier"], "index.db.damaged-*"));
        AssertStoresAndServes(next, "a");
        Assert.Equal("ok", next.State);
    }

    [Theory]
    [InlineData("UPDATE object SET stored = -5 WHERE key = '3'")]
    [InlineData("UPDATE object SET generation = -1 WHERE key = '3'")]
    [InlineData("UPDATE object SET generation = 5000000000 WHERE key = '3'")]
    [InlineData("UPDATE object SET used = 5000000000 WHERE key = '3'")]
    [InlineData("UPDATE extent SET extent = 5000000000 WHERE id = (SELECT id FROM object WHERE key = '3')")]
    [InlineData("UPDATE object SET length = -1 WHERE key = '3'")]
    [InlineData("UPDATE object SET id = x'00' WHERE key = '3'")]
    [InlineData("UPDATE object SET key = 'other' WHERE key = '3'")]
    [InlineData("UPDATE extent SET present = x'01', checksums = x'' WHERE id = (SELECT id FROM object WHERE key = '3')")]
    public void ARowThatIsNoneCostsThatObjectOnly(string sql)
    {
        Fill(objects: 6);
        using (var connection = new SqliteConnection($"Data Source={_temp["tier/index.db"]};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = sql;
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        using (Tier tier = Open(_temp["tier"]))
        {
            Assert.All([0, 1, 2, 4, 5], i => Assert.True(Holds(tier, ObjectOf(i), 0)));
            Assert.False(Holds(tier, ObjectOf(3), 0));
            PutAll(tier, ObjectOf(3));
            Assert.True(Holds(tier, ObjectOf(3), 0));
            Assert.Equal("ok", tier.State);
        }

        using Tier again = Open(_temp["tier"]);
        Assert.All(Enumerable.Range(0, 6), i => Assert.True(Holds(again, ObjectOf(i), 0), $"object {i} was lost by the second start"));
    }

    private static ObjectVersion ObjectOf(int i) => Version($"{i}", 100);

    private void Fill(int objects = Objects)
    {
        using Tier tier = Open(_temp["tier"]);
        for (int i = 0; i < objects; i++)
        {
            PutAll(tier, ObjectOf(i));
        }
    }

    /// <summary>Noise over a third of the index, behind its first pages: it opens, and breaks later.</summary>
    private void Damage()
    {
        using SafeFileHandle file = File.OpenHandle(_temp["tier/index.db"], FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        long length = RandomAccess.GetLength(file);
        Assert.True(length > 40 * 4096, $"the index has {length} bytes, too few to be damaged in its middle");
        byte[] noise = new byte[4096];
        var random = new Random(7);
        for (long offset = length / 3 / 4096 * 4096; offset < length * 2 / 3; offset += noise.Length)
        {
            random.NextBytes(noise);
            RandomAccess.Write(file, noise, offset);
        }
    }

    private void AssertDamageIsKnown(Tier tier)
    {
        Assert.Contains("index is damaged", tier.State, StringComparison.Ordinal);
        Assert.True(tier.IoErrors > 0);
        Assert.True(File.Exists(_temp["tier/index-damaged"]));
    }

    private static void AssertStoresAndServes(Tier tier, string key)
    {
        PutAll(tier, Version(key, 100));
        Assert.True(Holds(tier, Version(key, 100), 0));
    }

    private void AssertBegunAnewByTheNextStart()
    {
        TierCheckReport report = TierCheck.Run(_temp["tier"], quick: false, progress: null, CancellationToken.None);
        Assert.Contains(report.Findings, finding => finding.Kind == TierFindingKind.IndexDamaged && finding.Recovery.Contains("begun anew", StringComparison.Ordinal));
        using (Tier next = Open(_temp["tier"]))
        {
            Assert.Equal(("ok", 0L), (next.State, next.Objects));
            Assert.Single(Directory.GetFiles(_temp["tier"], "index.db.damaged-*"));
            Assert.Empty(Directory.GetFiles(_temp["tier/objects"], "*", SearchOption.AllDirectories));
            AssertStoresAndServes(next, "kept");
        }

        using Tier third = Open(_temp["tier"]);
        Assert.True(Holds(third, Version("kept", 100), 0));
        Assert.Equal("ok", third.State);
    }
}
