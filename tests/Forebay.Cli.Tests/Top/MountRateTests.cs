using Forebay.Cli.Top;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Top;

public sealed class MountRateTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void RatesAreWhatWasCountedBetweenTwoReadings()
    {
        MountReading first = Read(started: 100, reads: 10, fast: 10, passthroughOpens: 5, workerOpens: 5, hit: 1_000, missed: 400, fetched: 2_000, prefetched: 1_200);
        _time.Advance(TimeSpan.FromSeconds(2));
        MountReading second = Read(started: 100, reads: 110, fast: 108, passthroughOpens: 11, workerOpens: 7, hit: 5_000, missed: 600, fetched: 2_200, prefetched: 1_200);

        MountRates rates = MountRates.Between(first, second, _time);

        Assert.Equal((2, 50, 0.5), (rates.Seconds, rates.OperationsPerSecond, rates.FailuresPerSecond));
        OperationRates read = Assert.Single(rates.Operations);
        Assert.Equal(("read", 50, 1), (read.Operation, read.PerSecond, read.ErrorsPerSecond));

        // 98 of the 100 new reads took up to 1 ms, the other two up to 2 ms.
        Assert.Equal(0.001 * 50 / 98, read.P50Seconds!.Value, 9);
        Assert.Equal(0.0015, read.P99Seconds!.Value, 9);
        Assert.Equal((3, 1, 0.75), (rates.PassthroughOpensPerSecond, rates.WorkerOpensPerSecond, rates.PassthroughShare));
        Assert.Equal((2_000, 100), (rates.CacheBytesPerSecond, rates.UnderStoreBytesPerSecond));
        Assert.Equal((0.6, 0.25), (rates.ReadAheadEfficiency, rates.PrefetchEfficiency));
        Assert.Equal(42, rates.Inodes);
    }

    [Fact]
    public void AWorkerThatTookOverCountsAnew()
    {
        MountReading first = Read(started: 100, reads: 1_000_000, fast: 1_000_000, hit: 1L << 40);
        _time.Advance(TimeSpan.FromSeconds(1));
        MountReading second = Read(started: 130, reads: 20, fast: 20, hit: 300);

        MountRates rates = MountRates.Between(first, second, _time);

        Assert.Equal((20 + 7, 300), (rates.OperationsPerSecond, rates.CacheBytesPerSecond));
    }

    [Fact]
    public void WhereNothingHappenedNothingIsShared()
    {
        MountReading first = MountReading.Of(MetricText.Parse(""), _time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(1));

        MountRates rates = MountRates.Between(first, MountReading.Of(MetricText.Parse(""), _time.GetTimestamp()), _time);

        Assert.Equal((null, null, null, null), (rates.P50Seconds, rates.PassthroughShare, rates.ReadAheadEfficiency, rates.PrefetchEfficiency));
        Assert.Equal(0, rates.OperationsPerSecond);
        Assert.Empty(rates.Operations);
    }

    [Fact]
    public void TheLastBucketHasNoEnd()
        => Assert.Equal(2.0, MountRates.Quantile([(1, 10), (2, 20), (double.PositiveInfinity, 100)], 0.99));

    private MountReading Read(
        double started, int reads, int fast, int passthroughOpens = 0, int workerOpens = 0, long hit = 0, long missed = 0, long fetched = 0, long prefetched = 0)
        => MountReading.Of(
            MetricText.Parse($$"""
                forebay_start_time_seconds {{started}}
                forebay_fuse_requests_total{mount="m",operation="read"} {{reads}}
                forebay_fuse_requests_total{mount="m",operation="lookup"} 7
                forebay_fuse_errors_total{mount="m",operation="read"} {{reads - fast}}
                forebay_fuse_request_seconds_bucket{mount="m",operation="read",le="0.001"} {{fast}}
                forebay_fuse_request_seconds_bucket{mount="m",operation="read",le="0.002"} {{reads}}
                forebay_fuse_request_seconds_bucket{mount="m",operation="read",le="+Inf"} {{reads}}
                forebay_fuse_opens_total{mount="m",mode="passthrough"} {{passthroughOpens}}
                forebay_fuse_opens_total{mount="m",mode="worker"} {{workerOpens}}
                forebay_cache_hit_bytes_total{mount="m"} {{hit}}
                forebay_cache_miss_bytes_total{mount="m"} {{missed}}
                forebay_understore_read_bytes_total{mount="m"} {{fetched}}
                forebay_fuse_prefetched_bytes_total{mount="m"} {{prefetched}}
                forebay_fuse_prefetched_files_total{mount="m"} 8
                forebay_fuse_prefetched_files_used_total{mount="m"} 2
                forebay_fuse_failures_total{mount="m"} {{(reads - fast) / 2}}
                forebay_fuse_inodes{mount="m"} 42
                """),
            _time.GetTimestamp());
}
