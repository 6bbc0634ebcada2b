using System.Text.RegularExpressions;
using Forebay.Admin.Metrics;
using Xunit;

namespace Forebay.Admin.Tests;

public sealed partial class MetricsTests : AdminFixture
{
    [Fact]
    public async Task ScrapingNeedsNoCredentialsHereAndShowsTheNodesFigures()
    {
        using var anonymous = new HttpClient { BaseAddress = Address };

        string text = await anonymous.GetStringAsync("/metrics");

        Assert.Contains("forebay_cache_hit_bytes_total{mount=\"data\"} 75\n", text);
        Assert.Contains("forebay_tier_used_bytes{tier=\"/var/cache\\\\x\",medium=\"SSD\"} 500\n", text);
        Assert.DoesNotContain("forebay_mount_total_bytes", text);
        Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches(Line(), line));
    }

    [Fact]
    public async Task AFaultOfKeptMetadataIsInStatusAndMetrics()
    {
        using var anonymous = new HttpClient { BaseAddress = Address };
        Assert.Contains("forebay_metadata_healthy 1\n", await anonymous.GetStringAsync("/metrics"));

        Node.MetadataFault = "the disk is full";

        Assert.Contains("forebay_metadata_healthy 0\n", await anonymous.GetStringAsync("/metrics"));
        Assert.Equal("the disk is full", (await Client.GetStatusAsync(Soon)).MetadataFault);
    }

    [Fact]
    public void NamesFollowTheConventionAndAreUnique()
    {
        Assert.Equal(MetricCatalog.All.Count, MetricCatalog.All.Select(metric => metric.Name).Distinct().Count());
        Assert.All(MetricCatalog.All, metric =>
        {
            Assert.Matches("^forebay_[a-z0-9_]+$", metric.Name);
            Assert.Equal(metric.Type == MetricType.Counter, metric.Name.EndsWith("_total", StringComparison.Ordinal));
            Assert.EndsWith(".", metric.Help);
        });
    }

    [Fact]
    public void ASampleOutsideTheCatalogueIsABug()
    {
        var sink = new MetricSink();

        Assert.Throws<ArgumentException>(() => sink.Add(new MetricDefinition("forebay_x", MetricType.Gauge, "1", "X.", []), 1));
        Assert.Throws<ArgumentException>(() => sink.Add(MetricCatalog.HitBytes, 1));
        sink.Add(MetricCatalog.S3Requests, 1, "GetObject", "2");
    }

    [Fact]
    public void AHistogramNeedsOneBucketMoreThanBoundsAndAMetricOfItsKind()
    {
        var sink = new MetricSink();
        var histogram = new MetricHistogram([1], [2, 3], Sum: 9);

        Assert.Throws<ArgumentException>(() => sink.Add(MetricCatalog.FuseSeconds, new MetricHistogram([1], [2], Sum: 1), "data", "read"));
        Assert.Throws<ArgumentException>(() => sink.Add(MetricCatalog.FuseRequests, histogram, "data", "read"));
        Assert.Throws<ArgumentException>(() => sink.Add(MetricCatalog.FuseSeconds, 1, "data", "read"));
    }

    [Fact]
    public void EachBucketOfAHistogramHoldsThoseBeforeIt()
    {
        var sink = new MetricSink();
        sink.Add(MetricCatalog.FuseSeconds, new MetricHistogram([0.001, 0.002], [2, 3, 1], Sum: 0.5), "data", "read");

        string text = PrometheusText.Write(sink);

        Assert.EndsWith(
            "# TYPE forebay_fuse_request_seconds histogram\n"
            + "forebay_fuse_request_seconds_bucket{mount=\"data\",operation=\"read\",le=\"0.001\"} 2\n"
            + "forebay_fuse_request_seconds_bucket{mount=\"data\",operation=\"read\",le=\"0.002\"} 5\n"
            + "forebay_fuse_request_seconds_bucket{mount=\"data\",operation=\"read\",le=\"+Inf\"} 6\n"
            + "forebay_fuse_request_seconds_sum{mount=\"data\",operation=\"read\"} 0.5\n"
            + "forebay_fuse_request_seconds_count{mount=\"data\",operation=\"read\"} 6\n",
            text);
        Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches(Line(), line));
    }

    [Fact]
    public void TheDocumentationIsTheCatalogue()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Forebay.slnx")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        string file = Path.Combine(root, "docs", "METRICS.md");
        if (Environment.GetEnvironmentVariable("FOREBAY_UPDATE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, MetricCatalog.ToMarkdown());
        }

        Assert.True(File.ReadAllText(file) == MetricCatalog.ToMarkdown(), "docs/METRICS.md is outdated: run this test with FOREBAY_UPDATE_DOCS=1");
    }

    [GeneratedRegex("^(# (HELP|TYPE) forebay_[a-z0-9_]+ .+|forebay_[a-z0-9_]+(\\{([a-z_]+=\"[^\"]*\",?)+\\})? [0-9.E+-]+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Line();
}
