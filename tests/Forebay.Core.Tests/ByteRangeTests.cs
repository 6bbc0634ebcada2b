using Xunit;

namespace Forebay.Core.Tests;

public sealed class ByteRangeTests
{
    [Theory]
    [InlineData(0, 10, 100, 0, 10)]
    [InlineData(90, 20, 100, 90, 10)]
    [InlineData(100, 1, 100, 100, 0)]
    [InlineData(200, 5, 100, 100, 0)]
    [InlineData(0, 5, 0, 0, 0)]
    public void ClampingKeepsWhatLiesBelowTheLength(long offset, long length, long limit, long expectedOffset, long expectedLength)
        => Assert.Equal(new ByteRange(expectedOffset, expectedLength), new ByteRange(offset, length).ClampTo(limit));

    [Fact]
    public void BoundsAreHalfOpen()
    {
        ByteRange range = ByteRange.FromBounds(3, 8);

        Assert.Equal(new ByteRange(3, 5), range);
        Assert.Equal(8, range.End);
        Assert.False(range.IsEmpty);
        Assert.True(ByteRange.FromBounds(3, 3).IsEmpty);
        Assert.Equal("[3, 8)", range.ToString());
    }
}
