using System.Text;
using Xunit;

namespace Forebay.Core.Tests;

public sealed class KeyOrderTests
{
    private static readonly int[] Interesting = [0, 1, 0x2D, 0x2F, 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF];

    [Fact]
    public void AgreesWithTheBytesOfRandomKeys()
    {
        const int Seed = 20260304;
        Random random = new(Seed);
        for (int i = 0; i < 100_000; i++)
        {
            string x = Key(random), y = Key(random);
            int expected = Math.Sign(Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y)));

            Assert.True(expected == Math.Sign(KeyOrder.Compare(x, y)), $"seed {Seed}, step {i}: '{x}' and '{y}'");
        }
    }

    [Fact]
    public void EveryPairOfBoundaryCodePointsIsOrdered()
    {
        for (int i = 0; i < Interesting.Length; i++)
        {
            for (int j = 0; j < Interesting.Length; j++)
            {
                string x = "p" + char.ConvertFromUtf32(Interesting[i]), y = "p" + char.ConvertFromUtf32(Interesting[j]);
                Assert.Equal(i.CompareTo(j), Math.Sign(KeyOrder.Compare(x, y)));
            }
        }
    }

    [Fact]
    public void NullSortsFirst()
    {
        Assert.Equal(0, KeyOrder.Instance.Compare(null, null));
        Assert.Equal(-1, KeyOrder.Instance.Compare(null, ""));
        Assert.Equal(1, KeyOrder.Instance.Compare("", null));
        Assert.Equal(0, KeyOrder.Instance.Compare("a", "a"));
    }

    /// <summary>Few different characters, so that common prefixes and equal keys occur.</summary>
    private static string Key(Random random)
        => string.Concat(Enumerable.Range(0, random.Next(5)).Select(_ => char.ConvertFromUtf32(Interesting[random.Next(Interesting.Length)])));
}
