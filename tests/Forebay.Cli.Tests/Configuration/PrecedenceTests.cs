using System.Net;
using Forebay.Caching;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Tests.Configuration;

public sealed class PrecedenceTests : IDisposable
{
    private const string File = """
        version: 1
        memory-limit: 2Gi
        mounts:
          data:
            source: s3://bucket/prefix?region=eu-west-1
            metadata-ttl: 5m
        cache:
          - {directory: tier, quota: 1Gi}
        s3: {address: "127.0.0.1:7000"}
        keys:
          - {access-key-id: FILE, secret-access-key: from-the-file}
        """;

    private readonly Loading _loading = new();

    public void Dispose() => _loading.Dispose();

    [Fact]
    public void TheFileAloneIsBoundWithPathsRelativeToIt()
    {
        ForebayConfiguration configuration = _loading.Yaml(File).Good();

        Assert.Equal(2L << 30, configuration.Engine.MemoryLimitBytes);
        Assert.Equal(Path.Combine(_loading.Directory, "tier"), Assert.Single(configuration.Engine.Tiers).Directory);
        MountConfiguration mount = Assert.Single(configuration.Mounts);
        Assert.Equal(new SourceUrl("s3", "bucket", "prefix/"), mount.Source);
        Assert.Equal("eu-west-1", mount.Access.Region);
        Assert.Equal(TimeSpan.FromMinutes(5), mount.Engine.MetadataTtl);
        Assert.Equal("prefix/", configuration.Engine.MountPoints[0].Prefix);
        Assert.Equal(7000, configuration.S3.Address.Port);
        Assert.False(configuration.DefaultCache);
    }

    [Fact]
    public void TheEnvironmentOverridesTheFile()
    {
        ForebayConfiguration configuration = _loading.Yaml(File)
            .Variable("FOREBAY_MEMORY_LIMIT", "3Gi")
            .Variable("FOREBAY_S3_ADDRESS", ":7001")
            .Variable("FOREBAY_MOUNT_DATA_REGION", "us-west-2")
            .Variable("FOREBAY_MOUNT_DATA_METADATA_TTL", "0")
            .Variable("FOREBAY_MOUNTS", "more=file:///srv/more")
            .Variable("FOREBAY_CACHE", "/a:1Gi:MEM /b:2Gi:HDD")
            .Good();

        Assert.Equal(3L << 30, configuration.Engine.MemoryLimitBytes);
        Assert.Equal(new ListenAddress(IPAddress.Any, 7001), configuration.S3.Address);
        Assert.Equal("us-west-2", configuration.Mounts[0].Access.Region);
        Assert.Equal(TimeSpan.Zero, configuration.Mounts[0].Engine.MetadataTtl);
        Assert.Equal("more", configuration.Mounts[1].Engine.Name);
        Assert.Equal([("/a", Medium.Mem), ("/b", Medium.Hdd)], configuration.Engine.Tiers.Select(tier => (tier.Directory, tier.Medium)));
    }

    [Fact]
    public void FlagsOverrideTheEnvironmentAndTheFile()
    {
        ForebayConfiguration configuration = _loading.Yaml(File)
            .Variable("FOREBAY_S3_ADDRESS", ":7001")
            .Variable("FOREBAY_MOUNT_DATA_SOURCE", "s3://environment")
            .Variable("FOREBAY_CACHE", "/a:1Gi")
            .Flags(mounts: ["data=s3://flag/x"], caches: ["/dir:with:colons:64Mi"], s3: "localhost:7002", admin: "[::1]:0")
            .Good();

        Assert.Equal("127.0.0.1:7002", configuration.S3.Address.ToString());
        Assert.Equal("[::1]:0", configuration.Admin.Address.ToString());
        Assert.Equal("s3://flag/x/", configuration.Mounts[0].Source.ToString());
        Assert.Equal(TimeSpan.FromMinutes(5), configuration.Mounts[0].Engine.MetadataTtl);
        TierOptions tier = Assert.Single(configuration.Engine.Tiers);
        Assert.Equal(("/dir:with:colons", 64L << 20), (tier.Directory, tier.QuotaBytes));
    }

    [Fact]
    public void TheKeyPairOfTheEnvironmentIsAddedAndReplacesOneOfTheSameId()
    {
        Assert.Equal(["FILE", "ENV"], Keys("ENV").Select(key => key.AccessKeyId));
        Assert.Equal("from-the-environment", Assert.Single(Keys("FILE")).SecretAccessKey!.Reveal());

        IReadOnlyList<KeyConfiguration> Keys(string id) => _loading.Yaml(File)
            .Variable("FOREBAY_ACCESS_KEY_ID", id).Variable("FOREBAY_SECRET_ACCESS_KEY", "from-the-environment").Good().Keys;
    }

    [Fact]
    public void ASecretOfTheEnvironmentOverridesTheFileWithoutAFault()
    {
        ForebayConfiguration configuration = _loading
            .Yaml("version: 1\nmounts:\n  data: {source: s3://b, access-key-id: A, secret-access-key: old}\n")
            .Variable("FOREBAY_MOUNT_DATA_SECRET_ACCESS_KEY", "new")
            .Good();

        Assert.Equal("new", configuration.Mounts[0].Access.SecretAccessKey!.Reveal());
    }

    [Fact]
    public void TheMountFlagAloneIsEnough()
    {
        ForebayConfiguration configuration = _loading.Flags(mounts: ["data=minio://bucket/a%20b?endpoint=http://127.0.0.1:9100&path-style=true"]).Good();

        MountConfiguration mount = configuration.Mounts[0];
        Assert.Equal("a b/", mount.Source.Prefix);
        Assert.Equal("http://127.0.0.1:9100", mount.Access.Endpoint);
        Assert.Equal("minio://bucket/a%20b/?endpoint=http%3A%2F%2F127.0.0.1%3A9100&path-style=true", mount.ToUrl());
        Assert.True(configuration.DefaultCache);
        Assert.Equal("/home/somebody/.cache/forebay", configuration.Engine.Tiers[0].Directory);
        Assert.Empty(configuration.Keys);
    }

    [Theory]
    [InlineData(1L << 40, 1L << 39, 10L << 30)]
    [InlineData(50L << 30, 40L << 30, 5L << 30)]
    [InlineData(50L << 30, 2L << 30, 1L << 30)]
    [InlineData(0, 0, 64L << 20)]
    public void TheDefaultQuotaLeavesTheDiskUsable(long size, long free, long quota)
    {
        _loading.Input = _loading.Input with { DiskSpace = _ => (size, free) };

        Assert.Equal(quota, _loading.Flags(mounts: ["data=file:///x"]).Good().Engine.Tiers[0].QuotaBytes);
    }

    [Fact]
    public void NoCacheIsChosenByNoneAndByAnEmptyList()
    {
        Assert.Empty(_loading.Flags(mounts: ["data=file:///x"], caches: ["none"]).Good().Engine.Tiers);
        Assert.Empty(_loading.Flags().Yaml("version: 1\nmounts: {data: file:///x}\ncache: []\n").Good().Engine.Tiers);
    }

    [Fact]
    public void AnAmbiguousMountVariableIsRefused()
    {
        string fault = _loading.Flags(mounts: ["a-b=file:///x", "a.b=file:///y"]).Variable("FOREBAY_MOUNT_A_B_QUOTA", "1Gi").Bad();

        Assert.Equal("FOREBAY_MOUNT_A_B_…: this stands for several mount points (a-b, a.b); put these options into the file.", fault);
    }
}
