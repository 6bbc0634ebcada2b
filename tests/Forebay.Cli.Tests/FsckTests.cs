using System.Text.Json;
using Forebay.Caching;
using Forebay.Cli.Bench;
using Forebay.Cli.Measuring;

namespace Forebay.Cli.Tests;

public sealed class FsckTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task ACleanDirectoryEndsWithZeroADamagedOneWithOneAForeignOneWithThree()
    {
        string tier = Path.Combine(_directory, "tier");
        Tier.Open(new TierOptions { Directory = tier, QuotaBytes = 64 << 20 }, new TierOwners([]), TimeProvider.System).Dispose();

        Assert.Equal((ExitCode.Success, "clean"), await CheckAsync(tier));

        await File.WriteAllTextAsync(Path.Combine(tier, "index.db"), new string('x', 4096));
        Assert.Equal((ExitCode.Failure, "damaged"), await CheckAsync(tier));
        Assert.Equal((ExitCode.Environment, "notChecked"), await CheckAsync(_directory));
    }

    [Fact]
    public void TheLargestObjectsThatFitTogetherAreMeasured()
    {
        MeasuredObject[] listed = [new("a", 10, 0), new("empty", 0, 0), new("huge", 101, 0), new("b", 60, 0), new("c", 50, 0)];

        Assert.Equal(["b", "a"], BenchRunner.Choose(listed, 75).Select(one => one.Key));
    }

    private static async Task<(int Code, string? State)> CheckAsync(string directory)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int code = await CommandLine.RunAsync(["fsck", directory, "--output", "json"], output, error);
        using JsonDocument json = JsonDocument.Parse(output.ToString());
        return (code, json.RootElement[0].GetProperty("state").GetString());
    }
}
