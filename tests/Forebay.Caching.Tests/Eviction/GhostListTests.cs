using FsCheck;
using FsCheck.Fluent;
using Forebay.Caching.Eviction;
using Forebay.Testing;
using Xunit;

namespace Forebay.Caching.Tests.Eviction;

public sealed class GhostListTests
{
    [Fact]
    public void ItKnowsWhatASimpleListOfTheNewestEvictionsKnows()
    {
        const int Limit = 8;
        Prop.ForAll(Gen.ListOf(Gen.Choose(1, 20)).ToArbitrary(), keys =>
        {
            GhostList ghosts = new(maxEntries: Limit);
            List<int> model = [];
            foreach (int key in keys)
            {
                // Odd keys are evicted, even ones are asked for their odd neighbour; a forgotten one keeps its place in the order.
                if (key % 2 == 1)
                {
                    int known = model.IndexOf(key);
                    if (known >= 0)
                    {
                        model[known] = 0;
                    }

                    while (model.Count >= Limit)
                    {
                        model.RemoveAt(0);
                    }

                    model.Add(key);
                    ghosts.Add((ulong)key, Limit);
                    continue;
                }

                int at = model.IndexOf(key - 1);
                if (ghosts.TryRemove((ulong)key - 1) != at >= 0)
                {
                    return false;
                }

                if (at >= 0)
                {
                    model[at] = 0;
                }
            }

            return ghosts.Count == model.Count(key => key != 0);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(500)).WithEndSize(200));
    }

    [Fact]
    public void GrowingKeepsTheNewestEntriesAndForgetsTheOldestAtTheBound()
    {
        const int Bound = 5_000;
        GhostList ghosts = new(Bound);
        for (ulong key = 1; key <= 20_000; key++)
        {
            ghosts.Add(Hash(key), int.MaxValue);
        }

        Assert.Equal(Bound, ghosts.Count);
        Assert.False(ghosts.TryRemove(Hash(15_000)));
        for (ulong key = 15_001; key <= 20_000; key++)
        {
            Assert.True(ghosts.TryRemove(Hash(key)), $"Entry {key} is among the newest {Bound} and was forgotten.");
        }

        Assert.Equal(0, ghosts.Count);
    }

    private static ulong Hash(ulong key) => unchecked(key * 0x9E3779B97F4A7C15UL);
}
