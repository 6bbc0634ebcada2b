using Forebay.Cli.Mounting;
using Forebay.Mounting.Options;

namespace Forebay.Cli.Tests.Mounting;

public sealed class MountSourceTests
{
    [Theory]
    [InlineData("s3://bucket/prefix", "", "s3://bucket/prefix")]
    [InlineData("s3://bucket?region=eu-west-1", "url=http://h:1", "s3://bucket?region=eu-west-1&endpoint=http%3A%2F%2Fh%3A1")]
    [InlineData("bucket", "", "s3://bucket/")]
    [InlineData("bucket:/path/to", "url=https://oss-cn-hangzhou.aliyuncs.com", "s3://bucket/path/to?endpoint=https%3A%2F%2Foss-cn-hangzhou.aliyuncs.com")]
    [InlineData("bucket:/", "endpoint=us-west-2,use_path_request_style,public_bucket=1", "s3://bucket/?region=us-west-2&path-style=true&anonymous=true")]
    [InlineData("/data/a b", "", "file:///data/a%20b")]
    public void EveryFormBecomesOneUrl(string source, string options, string url)
    {
        Assert.Equal(url, MountSource.ToUrl(source, MountOptionParser.Parse([options]).Options, out string fault));
        Assert.Equal("", fault);
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("")]
    public void WhatIsNoSourceIsRefusedWithTheRemedy(string source)
    {
        Assert.Null(MountSource.ToUrl(source, new MountOptions(), out string fault));
        Assert.NotEqual("", fault);
    }

    [Theory]
    [InlineData("s3://My_Bucket/x/y?a=b", "my-bucket")]
    [InlineData("file:///data/Models", "models")]
    [InlineData("file:///", "mount")]
    [InlineData("s3://ab", "mount")]
    public void TheNameIsThatOfTheBucketOrDirectory(string url, string name) => Assert.Equal(name, MountSource.NameOf(url));

    [Fact]
    public void OptionsReachTheEngine()
    {
        MountPlan plan = Plan("parallel_count=8,max_multireq=30,stat_cache_expire=5,multipart_size=3,page_size=1Mi,cache_size=100Mi,use_cache=/tmp/c,immutable,memory_limit=256Mi");

        Assert.Equal((8, 30), (plan.Engine.Fill.MaxRangesPerReader, plan.Engine.Fill.MaxConcurrentRanges));
        Assert.Equal((TimeSpan.FromSeconds(5), true), (plan.Mount.Engine.MetadataTtl, plan.Mount.Engine.Immutable));
        Assert.Equal((3 << 20, 256L << 20), (plan.Engine.Fill.MaxRangeBytes, plan.Engine.MemoryLimitBytes));
        Assert.Equal((100L << 20, 1 << 20), (plan.Engine.Tiers[0].QuotaBytes, plan.Engine.Tiers[0].PageSizeBytes));
        Assert.StartsWith("/tmp/c/prefix-", plan.Engine.Tiers[0].Directory, StringComparison.Ordinal);
    }

    [Fact]
    public void ANodeThatKeepsNoStatsAsksEveryTime()
    {
        MountPlan plan = Plan("max_stat_cache_size=0,immutable");

        Assert.Equal((TimeSpan.Zero, TimeSpan.Zero, false), (plan.Mount.Engine.MetadataTtl, plan.Mount.Engine.NegativeTtl, plan.Mount.Engine.Immutable));
        Assert.Equal(TimeSpan.Zero, MountFileSystemOptions.Of(plan.Options, 0).EntryTimeout);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(5000)]
    public void AsManyStatsAreKeptAsWereAskedFor(int stats) => Assert.Equal(stats, Plan($"max_stat_cache_size={stats}").Mount.Engine.MaxCachedStats);

    [Fact]
    public void EveryCacheDirectoryLeavesTheSpaceThatOthersAreToHave()
        => Assert.All(Plan("ensure_diskfree=100").Engine.Tiers, tier => Assert.Equal(100L << 20, tier.MinFreeBytes));

    [Fact]
    public void AWorkerUnderstandsWhatItsLauncherFound()
    {
        MountPlan launchers = Plan("use_cache=/tmp/c,cache_size=64Mi,url=http://h:1");

        MountPlan workers = MountPlan.Make("bucket:/prefix", launchers.Options, launchers.Caches, static _ => null, out _)!;

        Assert.Equal(launchers.Engine.Tiers[0], workers.Engine.Tiers[0]);
        Assert.Equal((launchers.Name, launchers.Source), (workers.Name, workers.Source));
    }

    [Fact]
    public void MountsOfDifferentSourcesHaveDifferentCacheDirectories()
        => Assert.NotEqual(Plan("use_cache=/c,url=http://h:1").Engine.Tiers[0].Directory, Plan("use_cache=/c,url=http://h:2").Engine.Tiers[0].Directory);

    private static MountPlan Plan(string options)
    {
        MountPlan? plan = MountPlan.Make("bucket:/prefix", MountOptionParser.Parse([options]).Options, [], static _ => null, out IReadOnlyList<string> faults);
        Assert.Empty(faults);
        return plan!;
    }
}
