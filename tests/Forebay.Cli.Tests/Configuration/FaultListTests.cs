using Forebay.Cli.Configuration;

namespace Forebay.Cli.Tests.Configuration;

public sealed class FaultListTests : IDisposable
{
    private readonly Loading _loading = new();

    public void Dispose() => _loading.Dispose();

    [Fact]
    public void EveryFaultOfAFileIsListedAtOnceWithItsLineAndRemedy()
    {
        string faults = _loading.Yaml("""
            version: 1
            mounts:
              models:
                source: s3://bucket/models
                qouta: 10Gi
                metadata-ttl: 5 minutes
              Data:
                source: file:///data
              logs:
                source: hdfs://name/logs
              empty:
                region: eu-west-1
              half:
                source: s3://other
                access-key-id: AKID
            cache:
              - directory: /mnt/nvme
                quota: 10GB
                high-watermark: 0.5
                low-watermark: 90%
              - directory: /mnt/nvme/below
                quota: 1Mi
                page-size: 300Ki
            s3:
              address: example.net:9000
              anonymous: maybe
              tls-certificate: cert.pem
            fill:
              max-attempts: 11
              retry-base-delay: 10s
            limits: 5
            colour: red
            """).Bad();

        Assert.Equal(
            $"""
            forebay.yaml:5: mounts.models.qouta is not an option; did you mean "quota"?
            forebay.yaml:6: mounts.models.metadata-ttl must be a duration such as 50ms, 30s, 5m, 2h or 7d, not "5 minutes".
            forebay.yaml:7: "Data" cannot name a mount point; a name has 3 to 63 characters of a-z 0-9 . - and begins and ends with a letter or digit.
            forebay.yaml:10: mounts.logs.source: sources of this scheme are not known; known are s3, oss, cos, obs, minio, file.
            forebay.yaml:11: mounts.empty has no source; give it "source: s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=true or file:///DIRECTORY".
            forebay.yaml:13: mounts.half has one half of a key pair; give access-key-id and secret-access-key (or -file) together.
            forebay.yaml:17: cache[0].low-watermark must lie below its high-watermark; usual are 0.90 and 0.95.
            forebay.yaml:18: cache[0].quota must be a size such as 512Mi, 10Gi or 1.5Ti (or plain bytes), not "10GB".
            forebay.yaml:21: cache[1].page-size must be a power of two, such as 256Ki.
            forebay.yaml:21: cache[1].directory is, holds or lies in the directory of cache[0]; give every tier a directory of its own.
            forebay.yaml:22: cache[1].quota must be at least 16Mi, not 1Mi.
            forebay.yaml:24: s3.tls-certificate and s3.tls-key belong together; one of them is missing.
            forebay.yaml:24: {_loading.Directory}/cert.pem does not exist; s3.tls-certificate and s3.tls-key name PEM files.
            forebay.yaml:25: s3.address must be an address such as 127.0.0.1:9000, [::1]:9000, localhost:9000 or :9000 (all interfaces), not "example.net:9000".
            forebay.yaml:26: s3.anonymous must be true or false.
            forebay.yaml:28: fill.retry-base-delay must not be longer than fill.retry-max-delay.
            forebay.yaml:28: fill.max-range-bytes (8Mi) must be a multiple of cache[1].page-size (300Ki).
            forebay.yaml:29: fill.max-attempts must be at most 10, not 11.
            forebay.yaml:31: limits must be a group of options (NAME: VALUE), not a single value.
            forebay.yaml:32: colour is not an option; see docs/CONFIGURATION.md for what there is.
            """,
            faults);
    }

    [Fact]
    public void AMountPointWhoseNameCannotBeOneIsLookedAtForTheRest()
    {
        string faults = _loading.Yaml("version: 1\nmounts:\n  ok:\n    source: s3://b?secret=1\n    quota: 1K\n").Flags(mounts: ["X=nothing"]).Bad();

        Assert.Equal(
            """
            forebay.yaml:3: "ok" cannot name a mount point; a name has 3 to 63 characters of a-z 0-9 . - and begins and ends with a letter or digit.
            forebay.yaml:4: mounts.ok.source: "secret" cannot stand in a URL; known are endpoint, region, path-style, anonymous, profile.
            forebay.yaml:5: mounts.ok.quota must be a size such as 512Mi, 10Gi or 1.5Ti (or plain bytes), not "1K".
            --mount: "X" cannot name a mount point; a name has 3 to 63 characters of a-z 0-9 . - and begins and ends with a letter or digit.
            --mount: X: the source is not a URL; write s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=true or file:///DIRECTORY.
            """,
            faults);
    }

    [Fact]
    public void AVariableThatWasMeantToBeAnOptionIsTold()
    {
        ConfigurationResult result = _loading
            .Flags(mounts: ["data=file:///x"])
            .Variable("FOREBAY_FILL_MAX_ATEMPTS", "3").Variable("FOREBAY_MOUNT_DATA_QOUTA", "1Gi").Variable("FOREBAY_MOUNT_DATA_QUOTA", "1Gi")
            .Variable("FOREBAY_CONFIG", "").Variable("FOREBAY_ADMIN", "").Variable("FOREBAY_RUNTIME_DIR", "/run/x").Variable("FOREBAY_ENTIRELY_ELSEWHERE", "1")
            .Variable("FOREBAY_MOUNT_TRAIN_SECRET_ACCESS_KEY", "x").Variable("FOREBAY_RIGHT", "read")
            .Variable("FOREBAY_S3_SERVICE_HOST", "10.0.0.1").Variable("FOREBAY_S3_SERVICE_PORT_HTTP", "80").Variable("FOREBAY_S3_PORT", "tcp://10.0.0.1:80")
            .Variable("FOREBAY_S3_PORT_80_TCP_ADDR", "10.0.0.1")
            .Load();

        Assert.Empty(result.Faults);
        Assert.Equal(
            """
            FOREBAY_FILL_MAX_ATEMPTS: this variable is not an option and changes nothing; did you mean FOREBAY_FILL_MAX_ATTEMPTS?
            FOREBAY_MOUNT_DATA_QOUTA: this variable is not an option and changes nothing; did you mean FOREBAY_MOUNT_DATA_QUOTA?
            """,
            string.Join('\n', result.Warnings));
    }

    [Theory]
    [InlineData("mounts: {}\n", "forebay.yaml:1: the format's version is missing; begin the file with \"version: 1\".")]
    [InlineData("version: 2\n", "forebay.yaml:1: this forebay reads version 1 of the format; write \"version: 1\" or take a newer forebay.")]
    [InlineData("version: 1\nversion: 1\nmounts: {abc: file:///x}\n", "forebay.yaml:2: \"version\" is given twice in this group; remove one of them.")]
    [InlineData("version: 1\nmounts:\n  abc: file:///x\n  abc: file:///y\n", "forebay.yaml:4: \"abc\" is given twice in this group; remove one of them.")]
    [InlineData("- a\n- b\n", "forebay.yaml:1: the file must hold options; begin it with \"version: 1\".")]
    [InlineData("", "forebay.yaml:1: the file must hold options; begin it with \"version: 1\".")]
    [InlineData("version: 1\nmounts:\n  abc: file:///x\ncache: []\n---\nversion: 1\n", "forebay.yaml:5: only one YAML document is read; remove this second one.")]
    [InlineData("version: 1\nmounts: {abc: file:///x}\ncache:\n  directory: /x\n", "forebay.yaml:3: cache must be a list (lines that begin with \"- \"), not a group of options.")]
    [InlineData("version: 1\nmounts: {abc: file:///x}\nmemory-limit:\n", "forebay.yaml:3: memory-limit is empty; give it a value or remove it.")]
    [InlineData("version: 1\n", "forebay.yaml: there is no mount point; give --mount NAME=URL or a group \"mounts:\" (URL: s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=true or file:///DIRECTORY).")]
    [InlineData("version: 1\nmounts: {abc: file:///x}\nkeys:\n  - access-key-id: A\n    secret-access-key: B\n    prefixes: [/acb/]\n", "forebay.yaml:4: keys[0].prefixes names the mount point \"acb\", which does not exist; did you mean \"abc\"?")]
    public void OneFaultIsNamedAtItsLine(string yaml, string fault) => Assert.Equal(fault, _loading.Yaml(yaml).Bad());

    [Fact]
    public void BrokenYamlIsReportedAtItsLineWithoutQuotingTheFile()
    {
        string fault = _loading.Yaml("version: 1\nkeys:\n  - secret-access-key: \"topsecret\n").Bad();

        Assert.Matches(@"^forebay\.yaml:\d+: this is not valid YAML here", fault);
        Assert.DoesNotContain("topsecret", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void AnchorsAreRefusedSoThatASmallFileCannotBecomeALargeOne()
    {
        string fault = _loading.Yaml("version: 1\nmounts:\n  abc: &a {source: file:///x}\n  abd: *a\n").Bad();

        Assert.Equal("forebay.yaml:4: this is not valid YAML here (anchors and aliases are not supported).", fault);
    }

    [Fact]
    public void DeeplyNestedYamlIsRefused()
    {
        string fault = _loading.Yaml("version: 1\nmounts: " + new string('[', 5000)).Bad();

        Assert.Contains("nested too deeply", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        _loading.Input = _loading.Input with { File = "other.yaml" };

        Assert.StartsWith("other.yaml: the configuration file cannot be read;", _loading.Bad(), StringComparison.Ordinal);
    }

    [Fact]
    public void FaultsOfFlagsAndEnvironmentNameTheirOrigin()
    {
        string faults = _loading
            .Variable("FOREBAY_LIMITS_MAX_CONNECTIONS", "many")
            .Variable("FOREBAY_ACCESS_KEY_ID", "AKID")
            .Flags(mounts: ["data", "abc=s3://b?regoin=x", "abc=file:///y"], caches: ["/only-a-directory"], s3: "9000")
            .Bad();

        Assert.Equal(
            """
            FOREBAY_LIMITS_MAX_CONNECTIONS: the value must be a whole number, not "many".
            --mount: a mount point is given as NAME=URL, for instance data=s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=true or file:///DIRECTORY.
            --mount: abc: "regoin" cannot stand in a URL; did you mean "region"?
            --mount: the name "abc" is given twice; every mount point needs its own.
            --cache: a cache directory is given as DIR:QUOTA or DIR:QUOTA:MEM|SSD|HDD, for instance /mnt/nvme/forebay:500Gi; "none" serves without a cache.
            --s3: the address must be an address such as 127.0.0.1:9000, [::1]:9000, localhost:9000 or :9000 (all interfaces), not "9000".
            FOREBAY_ACCESS_KEY_ID: FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY (or FOREBAY_SECRET_ACCESS_KEY_FILE) belong together; one of them is missing.
            """,
            faults);
    }

    [Theory]
    [InlineData("/x:10QB", "--cache: quota of /x must be a size such as 512Mi, 10Gi or 1.5Ti (or plain bytes), not \"10QB\".")]
    [InlineData("/x:10Gi:NVME", "--cache: medium of /x must be one of MEM, SSD, HDD, not \"NVME\".")]
    public void AFaultyCacheFlagIsReportedOnce(string flag, string fault)
        => Assert.Equal(fault, _loading.Flags(mounts: ["abc=file:///x"], caches: [flag]).Bad());
}
