using Forebay.Core;
using Forebay.Testing;
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
}
