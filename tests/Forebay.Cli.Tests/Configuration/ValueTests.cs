using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Tests.Configuration;

public sealed class ValueTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("64Ki", 65_536)]
    [InlineData("64KiB", 65_536)]
    [InlineData("1.5Gi", 1_610_612_736)]
    [InlineData("10 Mi", 10_485_760)]
    [InlineData("2ti", 2_199_023_255_552)]
    public void ASizeIsRead(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out long value));
        Assert.Equal(bytes, value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Gi")]
    [InlineData("-1Gi")]
    [InlineData("1.5")]
    [InlineData("10G")]
    [InlineData("10GB")]
    [InlineData("1e3")]
    [InlineData("8388608Ti")]
    [InlineData("99999999999999999999999999999999")]
    public void ABadSizeIsRefused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("50ms", 50)]
    [InlineData("1.5s", 1500)]
    [InlineData("2m", 120_000)]
    [InlineData("3h", 10_800_000)]
    [InlineData("7d", 604_800_000)]
    public void ADurationIsRead(string text, long milliseconds)
    {
        Assert.True(Duration.TryParse(text, out TimeSpan value));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("5 minutes")]
    [InlineData("999999999d")]
    public void ABadDurationIsRefused(string text) => Assert.False(Duration.TryParse(text, out _));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1023)]
    [InlineData(65_536)]
    [InlineData(3L << 40)]
    [InlineData(long.MaxValue)]
    public void AFormattedSizeReadsBack(long bytes)
    {
        Assert.True(ByteSize.TryParse(ByteSize.Format(bytes), out long again));
        Assert.Equal(bytes, again);
    }

    [Theory]
    [InlineData("qouta", "quota")]
    [InlineData("metadata_ttl", "metadata-ttl")]
    [InlineData("regoin", "region")]
    [InlineData("zzzzzz", null)]
    public void TheNearestNameIsFound(string typed, string? meant)
        => Assert.Equal(meant, NearestName.Find(typed, KnownOptions.Mount.Rows.Select(row => row.Key)));

    [Theory]
    [InlineData("s3://AKID:topsecret@bucket/x")]
    [InlineData("s3://AKID:topsecret@")]
    [InlineData("s3://bucket/x?secret-access-key=topsecret")]
    [InlineData("topsecret")]
    [InlineData("topsecret://bucket")]
    public void ASecretInAUrlIsRefusedAndNotRepeated(string url)
    {
        using Loading loading = new();

        string fault = loading.Flags(mounts: [$"data={url}"]).Bad();

        Assert.DoesNotContain("topsecret", fault, StringComparison.Ordinal);
    }
}
