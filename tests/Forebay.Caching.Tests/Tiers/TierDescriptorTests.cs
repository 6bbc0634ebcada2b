using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>A process that has no descriptor left, really. Alone: everything else in it would fail too.</summary>
[Collection(nameof(TierDescriptorTests))]
public sealed class TierDescriptorTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void IdleCacheFilesGiveTheirsToThoseThatAreRead()
    {
        using Tier tier = Open(_temp["tier"]);
        for (int i = 0; i < 100; i++)
        {
            PutAll(tier, Version($"idle/{i}", 100));
            Assert.True(Holds(tier, Version($"idle/{i}", 100), 0));
        }

        // What is not in the index yet is not closed.
        tier.FlushIndex();
        using (NoDescriptors.Begin())
        {
            for (int i = 0; i < 20; i++)
            {
                PutAll(tier, Version($"{i}", 100));
                Assert.True(Holds(tier, Version($"{i}", 100), 0));
            }
        }

        Assert.Equal(0, tier.IoErrors);
        Assert.Equal("ok", tier.State);
        Assert.True(Holds(tier, Version("idle/0", 100), 0));
    }
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(TierDescriptorTests), DisableParallelization = true)]
public sealed class TierDescriptorCollection;
