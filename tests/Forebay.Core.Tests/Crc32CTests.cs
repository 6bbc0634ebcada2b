using Xunit;

namespace Forebay.Core.Tests;

public sealed class Crc32CTests
{
    [Fact]
    public void HasTheCheckValue() => Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));

    /// <summary>RFC 3720, B.4.</summary>
    [Fact]
    public void MatchesTheExamplesOfTheRfc()
    {
        byte[] ascending = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        byte[] ones = new byte[32];
        Array.Fill(ones, (byte)0xFF);

        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
        Assert.Equal(0x62A8AB43u, Crc32C.Compute(ones));
        Assert.Equal(0x46DD794Eu, Crc32C.Compute(ascending));
        Assert.Equal(0u, Crc32C.Compute([]));
    }

    [Fact]
    public void AppendingPiecesEqualsTheWholeAtEverySplit()
    {
        byte[] data = new byte[100];
        new Random(7).NextBytes(data);
        uint whole = Crc32C.Compute(data);

        for (int split = 0; split <= data.Length; split++)
        {
            Assert.Equal(whole, Crc32C.Append(Crc32C.Compute(data.AsSpan(0, split)), data.AsSpan(split)));
        }
    }

    [Fact]
    public void EverySingleFlippedBitIsSeen()
    {
        byte[] data = new byte[67];
        uint whole = Crc32C.Compute(data);

        for (int bit = 0; bit < data.Length * 8; bit++)
        {
            data[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(whole, Crc32C.Compute(data));
            data[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }
}
