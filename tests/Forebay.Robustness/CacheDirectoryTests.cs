using System.Diagnostics;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>Damage to the cache directory, and disks that refuse: bytes stay right, and what can be told is told.</summary>
public sealed class CacheDirectoryTests
{
    private static readonly string[] Keys = ["a", "b", "c", "d"];

    [Fact]
    public async Task FlippedBitsAreDetectedAndRefetched()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = await WarmAsync(source, directory);
        foreach (string file in CacheDirectory.DataFiles(directory["cache"]))
        {
            CacheDirectory.FlipBits(file);
        }

        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await AssertAllRightAsync(node, source);
        long read = (await node.FiguresAsync())["understore_read_bytes_total"];
        Assert.True((await node.FiguresAsync())["tier_corrupt_pages_total"] >= Keys.Length, "corrupt pages are not counted");
        Assert.True(read > 0, "nothing was fetched again");

        // Healed: the second time nothing is fetched.
        await AssertAllRightAsync(node, source);
        Assert.Equal(read, (await node.FiguresAsync())["understore_read_bytes_total"]);
    }

    [Fact]
    public async Task OneFlippedBitCostsOnePage()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = await WarmAsync(source, directory);
        string file = CacheDirectory.DataFiles(directory["cache"])[0];
        using (FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite))
        {
            stream.Position = 700_000;
            int value = stream.ReadByte();
            stream.Position = 700_000;
            stream.WriteByte((byte)(value ^ 1));
        }

        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await AssertAllRightAsync(node, source);
        Figures figures = await node.FiguresAsync();
        Assert.Equal(1, figures["tier_corrupt_pages_total"]);
        Assert.Equal(256 << 10, figures["understore_read_bytes_total"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(500_000)]
    public async Task TruncatedFilesAreFetchedAgain(long length)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = await WarmAsync(source, directory);
        foreach (string file in CacheDirectory.DataFiles(directory["cache"]))
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Write);
            stream.SetLength(Math.Min(length, stream.Length / 2));
        }

        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await AssertAllRightAsync(node, source);
        await AssertAllRightAsync(node, source);
    }

    [Fact]
    public async Task ADamagedIndexIsSetAside()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = await WarmAsync(source, directory);
        await File.WriteAllBytesAsync(directory["cache/index.db"], new PatternContent("damage", 1).Bytes(0, 50_000));
        File.Delete(directory["cache/index.db-wal"]);

        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await AssertAllRightAsync(node, source);
        await Eventually.TrueAsync(
            "data files that nobody knows any more are removed",
            async () => CacheDirectory.BytesOnDisk(directory["cache"]) < (await node.FiguresAsync())["tier_used_bytes"] + (1 << 20));
    }

    [Fact]
    public async Task ASecondNodeOnTheSameDirectoryIsRefused()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = SettingsOf(source, directory);
        await using NodeProcess first = await NodeProcess.StartAsync(settings);

        await using NodeProcess second = await NodeProcess.RunToEndAsync(settings);

        Assert.Equal(3, second.ExitCode);
        Assert.Contains("is in use by another Forebay process", second.Error, StringComparison.Ordinal);
        Assert.Contains(directory["cache"], second.Error, StringComparison.Ordinal);
        await AssertAllRightAsync(first, source);
    }

    [Fact]
    public async Task ADirectoryThatHoldsSomethingElseIsRefusedAndLeftAlone()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = SettingsOf(source, directory);
        Directory.CreateDirectory(directory["cache"]);
        await File.WriteAllTextAsync(directory["cache/thesis.txt"], "mine");

        await using NodeProcess node = await NodeProcess.RunToEndAsync(settings);

        Assert.Equal(3, node.ExitCode);
        Assert.Contains("not a Forebay cache directory", node.Error, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], Directory.EnumerateFileSystemEntries(directory["cache"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task ADirectoryRemovedUnderARunningNodeIsServedPast()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address);
        AssertRight(await client.GetAsync("data", "a"), source.Object("a"));

        Directory.Delete(directory["cache"], recursive: true);

        for (int round = 0; round < 3; round++)
        {
            foreach (string key in Keys)
            {
                AssertRight(await client.GetAsync("data", key), source.Object(key));
            }
        }

        Figures figures = await node.FiguresAsync();
        Assert.True(figures["tier_io_errors_total"] > 0, "the loss is not counted");
    }

    [RootFact]
    public async Task AFullDiskIsServedPast()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        Directory.CreateDirectory(directory["cache"]);
        Run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", directory["cache"]);
        try
        {
            // The quota is larger than the disk.
            await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));

            for (int round = 0; round < 3; round++)
            {
                await AssertAllRightAsync(node, source);
            }

            Figures figures = await node.FiguresAsync();
            Assert.True(figures["tier_io_errors_total"] > 0, "the full disk is not counted");
            Assert.True(figures["tier_bypassed_bytes_total"] > 0, "bytes that could not be stored are not counted");
            Assert.Equal(0, figures["tier_healthy"]);
            Assert.Contains("full", await node.RunVerbAsync("status"), StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            Run("umount", "-l", directory["cache"]);
        }
    }

    [RootFact]
    public async Task AReadOnlyDiskIsRefusedAtTheStart()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        Directory.CreateDirectory(directory["cache"]);
        Run("mount", "-t", "tmpfs", "-o", "ro,size=6m", "tmpfs", directory["cache"]);
        try
        {
            await using NodeProcess node = await NodeProcess.RunToEndAsync(SettingsOf(source, directory));

            Assert.Equal(3, node.ExitCode);
            Assert.Contains(directory["cache"], node.Error, StringComparison.Ordinal);
            Assert.Contains("Read-only file system", node.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", node.Error, StringComparison.Ordinal);
        }
        finally
        {
            Run("umount", "-l", directory["cache"]);
        }
    }

    private static NodeSettings SettingsOf(PatternSource source, TempDirectory directory)
    {
        for (int i = 0; i < Keys.Length; i++)
        {
            source.Put(Keys[i], 1, (2 << 20) + (i * 300_000));
        }

        return new NodeSettings { CacheDirectory = directory["cache"] }.MountS3("data", source.Endpoint, PatternSource.Bucket);
    }

    /// <summary>Fills the cache and ends the node in good order.</summary>
    private static async Task<NodeSettings> WarmAsync(PatternSource source, TempDirectory directory)
    {
        NodeSettings settings = SettingsOf(source, directory);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        await AssertAllRightAsync(node, source);
        node.Terminate();
        Assert.Equal(0, await node.WaitForExitAsync(TimeSpan.FromSeconds(25)));
        Assert.Equal(Keys.Length, CacheDirectory.DataFiles(directory["cache"]).Count);
        return settings;
    }

    private static async Task AssertAllRightAsync(NodeProcess node, PatternSource source)
    {
        using SignedClient client = new(node.S3Address);
        Answer[] answers = await Task.WhenAll(Keys.Select(key => client.GetAsync("data", key)));
        for (int i = 0; i < Keys.Length; i++)
        {
            AssertRight(answers[i], source.Object(Keys[i]));
        }
    }

    private static void AssertRight(Answer answer, SourceObject wanted)
    {
        Assert.True(answer.IsSuccess, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes");
        Assert.Equal(wanted.Length, answer.Body.Length);
        long wrong = wanted.Content.FirstMismatch(0, answer.Body);
        Assert.True(wrong < 0, $"byte {wrong} of {wanted.Key} is wrong");
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}");
    }
}
