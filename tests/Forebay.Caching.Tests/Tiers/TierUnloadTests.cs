using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed class TierUnloadTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AnOpenerUnloadsNoFileWhoseRowIsJustBeingWritten()
    {
        using Tier tier = Open(_temp["tier"], owners: new TierOwners([], maxOpenFiles: 0));
        ObjectVersion version = Version("a", PageBytes);
        PutAll(tier, version);
        tier.FlushIndex();
        CacheFile file = tier.Find(version)!;
        Assert.True(Holds(tier, version, 0));
        file = tier.Find(version)!;
        Assert.NotNull(file.TakeIndexChange("boot"));

        PutAll(tier, Version("b", PageBytes));
        PutAll(tier, Version("c", PageBytes));

        Assert.True(file.IsDirty);
        Assert.True(file.IsUsable, "it was unloaded, and the index does not know it yet");
        file.OnCommitted();
        Assert.False(file.IsDirty);
        PutAll(tier, Version("d", PageBytes));
        PutAll(tier, Version("e", PageBytes));
        Await(() => !file.IsUsable, "it is unloaded");
        Assert.True(Holds(tier, version, 0));
    }

    [Fact]
    public void AFileOfWhichNothingWasStoredIsNotTakenForAFormerOneWhoseRowIsStillThere()
    {
        using Tier tier = Open(_temp["tier"], owners: new TierOwners([], maxOpenFiles: 1));
        ObjectVersion version = Version("a", 2 * PageBytes);
        PutAll(tier, version);
        tier.FlushIndex();
        using var other = new SqliteConnection($"Data Source={_temp["tier/index.db"]};Pooling=False");
        other.Open();
        using SqliteTransaction nobodyElseWrites = other.BeginTransaction(deferred: false);
        Assert.True(tier.Drop(version.Id, pinnedToo: false, dryRun: false) > 0);

        // A fill that is interrupted within its first page.
        CacheFile file = tier.FindOrCreate(version)!;
        Assert.True(file.TryAcquire(out _));
        Assert.Equal(ReserveStatus.Reserved, file.Reserve(0));
        Assert.True(file.Write(0, PageOf(version, 0).AsSpan(0, 777)));
        file.Release();
        for (int i = 0; i < 4 && file.IsUsable; i++)
        {
            CacheFile another = tier.FindOrCreate(Version($"b{i}", PageBytes))!;
            Assert.True(another.TryAcquire(out _));
            another.Release();
        }

        Assert.False(file.IsUsable, "it was not unloaded, so nothing was proved");
        Assert.Null(tier.Find(version));
        Assert.Equal(0, tier.PresentBytes(version));
        PutAll(tier, version);
        nobodyElseWrites.Rollback();
        tier.FlushIndex();
        Assert.True(Holds(tier, version, 0) && Holds(tier, version, 1));
        Assert.Equal(0, tier.CorruptPages);
    }
}
