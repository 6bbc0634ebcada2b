using System.Diagnostics;
using System.Globalization;
using Forebay.Caching.Eviction;
using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>Starts over many rows. FOREBAY_START_ROWS=1000000 prints the figures of docs/BENCHMARKS.md.</summary>
public sealed class TierStartTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void RowsInAnyOrderComeIntoTheQueuesInOrderOfUse()
    {
        int rows = int.Parse(Environment.GetEnvironmentVariable("FOREBAY_START_ROWS") ?? "3000", CultureInfo.InvariantCulture);
        Open(_temp["tier"]).Dispose();
        FillIndex(_temp["tier/index.db"], rows);
        long before = LiveBytes();
        var watch = Stopwatch.StartNew();
        var options = new TierOptions { Directory = _temp["tier"], QuotaBytes = 1L << 40, PageSizeBytes = PageBytes };
        using Tier tier = Tier.Open(options, new TierOwners([new TierOwner(Store, "", null)]), TimeProvider.System);
        double open = watch.Elapsed.TotalMilliseconds;
        _ = tier.Find(Version("never stored", 100));
        double firstMiss = watch.Elapsed.TotalMilliseconds;
        PutAll(tier, Version("stored while rows are read", 100));
        double firstStore = watch.Elapsed.TotalMilliseconds;

        Await(() => tier.IsStartupScanDone, "the start-up scan ends");

        double done = watch.Elapsed.TotalMilliseconds;
        long bytes = LiveBytes() - before;
        Console.WriteLine($"{rows} rows: open {open:0} ms, first miss {firstMiss:0} ms, first page stored {firstStore:0} ms, scan done {done:0} ms, {bytes / rows} bytes a row live, process peak {Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB");
        Assert.Equal(rows + 1, tier.Objects);
        Assert.Equal(rows + 1, AssertInOrder(tier.Policy.Small) + AssertInOrder(tier.Policy.Main));
        Assert.Equal(rows / 4, tier.Policy.Main.Count);
    }

    private static int AssertInOrder(NodeQueue queue)
    {
        int count = 0;
        for (EvictionNode? node = queue.Oldest; node is not null; node = node.Newer)
        {
            count++;
            Assert.True(node.Newer is null || ((TierEntry)node).UsedAtSeconds <= ((TierEntry)node.Newer).UsedAtSeconds, "an older use lies behind a newer one");
        }

        return count;
    }

    /// <summary>Writes rows of whole objects that have no files, 110,592 bytes each.</summary>
    internal static void FillIndex(string path, int rows)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = $"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows - 1})
            INSERT INTO object(id, generation, store, key, token, length, stored, whole, inode, size, modified, changed, boot, used, frequent)
            SELECT randomblob(16), 0, '{Store.Value}', 'datasets/images/train/' || i || '.jpg', '"0123456789abcdef0123456789abcdef"', 110000, 110592, 1, i, 110000,
              1700000000000000000 + i, 1700000000000000000 + i, '0f3c2b1a-0000-4000-8000-000000000000', 1600000000 + abs(random() % 100000000), i % 4 = 0 FROM n;
            INSERT INTO extent(id, extent, present, checksums) SELECT id, 0, x'0300000000000000', x'0011223344556677' FROM object;
            PRAGMA wal_checkpoint(TRUNCATE);
            """;
        command.ExecuteNonQuery();
    }

    private static long LiveBytes() => GC.GetTotalMemory(forceFullCollection: true);
}
