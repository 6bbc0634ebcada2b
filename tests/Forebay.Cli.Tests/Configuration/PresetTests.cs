using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;

namespace Forebay.Cli.Tests.Configuration;

public sealed class PresetTests : IDisposable
{
    private readonly Loading _loading = new();

    public static TheoryData<string> Names => [.. Preset.All.Select(preset => preset.Name)];

    public void Dispose() => _loading.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void APresetGivesItsValuesAndNothingElse(string name)
    {
        MountConfiguration plain = Assert.Single(_loading.Flags(mounts: ["data=s3://b"]).Good().Mounts);
        _loading.Input = _loading.Input with { PresetFlag = name };
        MountConfiguration preset = Assert.Single(_loading.Good().Mounts);

        foreach (KnownOption<MountConfiguration> row in KnownOptions.Mount.Rows)
        {
            string? wanted = row.Key is "preset" ? name : Preset.Find(name)!.Values.Where(pair => pair.Key == row.Key).Select(pair => pair.Value).FirstOrDefault(row.Show(plain)!);
            Assert.Equal((row.Key, wanted), (row.Key, row.Show(preset)));
        }
    }

    [Fact]
    public void WhatIsGivenAnywhereOverridesThePreset()
    {
        ForebayConfiguration configuration = _loading
            .Yaml("""
                version: 1
                preset: training
                mounts:
                  data: { source: "s3://b", metadata-ttl: 7s }
                  files: { source: "s3://c", preset: archive }
                  plain: s3://d
                """)
            .Variable("FOREBAY_MOUNT_FILES_CACHE_TTL", "1h")
            .Good();

        Assert.Equal(["training", "archive", "training"], configuration.Mounts.Select(mount => mount.Preset));
        Assert.Equal((TimeSpan.FromSeconds(7), TimeSpan.FromMinutes(1)), (configuration.Mounts[0].Engine.MetadataTtl, configuration.Mounts[0].Engine.NegativeTtl));
        Assert.Equal((true, TimeSpan.FromHours(1)), (configuration.Mounts[1].Engine.Immutable, configuration.Mounts[1].Engine.CacheTtl));
        Assert.Equal(TimeSpan.FromMinutes(30), configuration.Mounts[2].Engine.MetadataTtl);
    }

    [Fact]
    public void FlagsAndVariablesNameAPresetToo()
    {
        _loading.Yaml("version: 1\npreset: training\nmounts: { data: s3://b }\n").Variable("FOREBAY_PRESET", "archive");
        Assert.Equal("archive", _loading.Good().Mounts[0].Preset);

        _loading.Input = _loading.Input with { PresetFlag = "inference" };
        Assert.Equal("inference", _loading.Good().Mounts[0].Preset);
    }

    [Fact]
    public void AnUnknownPresetIsAFaultThatNamesTheKnownOnes()
    {
        string faults = _loading.Yaml("version: 1\npreset: fast\nmounts:\n  data: { source: \"s3://b\", preset: faster }\n").Bad();

        Assert.Equal(
            "forebay.yaml:2: preset must be one of training, inference, archive, not \"fast\".\n"
            + "forebay.yaml:4: mounts.data.preset must be one of training, inference, archive, not \"faster\".",
            faults);
    }

    [Fact]
    public void ConfigShowsWhatTheOptionsComeTo()
    {
        _loading.Yaml("""
            version: 1
            mounts:
              data: { source: "s3://b", preset: archive, metadata-ttl: 90s, access-key-id: AKIA, secret-access-key: hush-hush }
            keys: [ { access-key-id: reader, secret-access-key: hush-too } ]
            """);

        (int code, string table, string error) = Show(OutputFormat.Table);
        (_, string text, _) = Show(OutputFormat.Json);

        Assert.Equal((0, ""), (code, error));
        string[] lines = [.. table.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        Assert.Contains("mounts.data.immutable true", lines);
        Assert.Contains("mounts.data.metadata-ttl 90s", lines.Select(line => line.Replace("1m30s", "90s", StringComparison.Ordinal)));
        Assert.Contains("mounts.data.secret-access-key (set)", lines);
        Assert.Contains("mounts.data.quota no bound", lines);
        Assert.Contains("memory-limit 1Gi", lines);
        Assert.DoesNotContain("hush", table + text, StringComparison.Ordinal);
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(text);
        Assert.Equal("archive", json.RootElement.GetProperty("mounts.data.preset").GetString());
        Assert.Null(json.RootElement.GetProperty("mounts.data.quota").GetString());
        Assert.Equal("256Ki", json.RootElement.GetProperty("cache[0].page-size").GetString());
    }

    [Fact]
    public void WhatConfigShowsCanBeWrittenBack()
    {
        ForebayConfiguration configuration = _loading.Flags(mounts: ["data=s3://b?region=eu-west-1"], caches: ["/tmp/x:1Gi:HDD"]).Good();
        Faults faults = new();

        Check(KnownOptions.Mount, configuration.Mounts[0]);
        Check(KnownOptions.Tier, configuration.Engine.Tiers[0]);
        Check(KnownOptions.Fill, configuration.Engine.Fill);
        Check(KnownOptions.Limits, configuration.Engine.Limits);
        Check(KnownOptions.S3, configuration.S3);
        Check(KnownOptions.Log, configuration.Log);

        void Check<T>(OptionTable<T> table, T record)
        {
            foreach (KnownOption<T> row in table.Rows)
            {
                if (row.Show(record) is { } value)
                {
                    T again = row.Apply(record, new Setting(Place.Outside("test"), row.Key, new YamlScalar(value, 0), "/"), faults);
                    Assert.Equal((row.Key, value, 0), (row.Key, row.Show(again), faults.All.Count));
                }
            }
        }
    }

    private (int Code, string Output, string Error) Show(OutputFormat format)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int code = ConfigCommand.Run(_loading.Input with { WorkingDirectory = _loading.Directory }, format, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
