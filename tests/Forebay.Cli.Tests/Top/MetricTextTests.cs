using Forebay.Admin.Metrics;
using Forebay.Cli.Top;

namespace Forebay.Cli.Tests.Top;

public sealed class MetricTextTests
{
    [Fact]
    public void LinesAreReadWithTheirLabels()
    {
        MetricText metrics = MetricText.Parse("""
            # HELP a A.
            # TYPE a counter
            a 1
            b{mount="x",operation="read"} 2.5
            b{mount="x",operation="open"} 4 1700000000
            c{path="a\\b\"c,d}\n"} +Inf
            """);

        Assert.Equal(1, metrics.Sum("a"));
        Assert.Equal(6.5, metrics.Sum("b"));
        Assert.Equal(2.5, metrics.Sum("b", "operation", "read"));
        Assert.Equal(0, metrics.Sum("b", "operation", "write"));
        MetricLine c = Assert.Single(metrics.Of("c"));
        Assert.Equal(("a\\b\"c,d}\n", double.PositiveInfinity), (c.Labels["path"], c.Value));
        Assert.Equal(0, metrics.Sum("nothing"));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a ")]
    [InlineData("a x")]
    [InlineData("{} 1")]
    [InlineData("a{b=\"c\" 1")]
    [InlineData("a{b=\"c 1")]
    [InlineData("a{b} 1")]
    [InlineData("a{b=\"c\\")]
    public void WhatCannotBeReadIsPassedOver(string line)
    {
        MetricText metrics = MetricText.Parse($"{line}\nb 2");

        Assert.Empty(metrics.Of("a"));
        Assert.Equal(2, metrics.Sum("b"));
    }

    [Fact]
    public void NoPartOfALineMakesTheReaderFail()
    {
        const string Whole = "forebay_fuse_requests_total{mount=\"d\\\"\",operation=\"read\"} 12\n";
        for (int length = 0; length <= Whole.Length; length++)
        {
            _ = MetricText.Parse(Whole[..length]);
        }

        Assert.Equal(12, MetricText.Parse(Whole).Sum(MetricCatalog.FuseRequests.Name));
    }
}
