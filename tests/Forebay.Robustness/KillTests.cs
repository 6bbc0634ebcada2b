using System.Diagnostics;
using Forebay.Robustness.Detectors;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;
using Xunit.Abstractions;

namespace Forebay.Robustness;

/// <summary>A node that is killed with SIGKILL again and again, over one cache directory, while clients read.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int PageSize = 256 << 10;
    private const int Readers = 4;

    /// <summary>What was stored this long before a kill is found again.</summary>
    private static readonly TimeSpan Promised = TimeSpan.FromMilliseconds(100);

    [Theory]
    [InlineData("256Mi", 20)]
    [InlineData("32Mi", 10)]
    public async Task EveryByteIsRightAndNothingStoredIsRefetched(string quota, int rounds)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        string[] keys = PutObjects(source);
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], CacheQuota = quota }.MountS3("data", source.Endpoint, PatternSource.Bucket);
        bool everythingFits = quota == "256Mi";
        Random random = new(7);
        RefetchDetector refetches = new(PageSize, Promised, TimeProvider.System);
        List<double> readyMilliseconds = [];
        long completed = 0;
        int steadyRounds = 0;
        using Heartbeat heartbeat = new();

        for (int round = 0; round < rounds; round++)
        {
            await using NodeProcess node = await NodeProcess.StartAsync(settings);
            readyMilliseconds.Add(node.ReadyAfter.TotalMilliseconds);
            using SignedClient client = new(node.S3Address);
            using CancellationTokenSource killed = new();
            Task<long>[] readers = [.. Enumerable.Range(0, Readers).Select(i => ReadAsync(client, source, keys, new Random((round * 100) + i), refetches, killed.Token))];

            long startedAt = Stopwatch.GetTimestamp();
            await Task.Delay(random.Next(300, 700));
            long killedAt = Stopwatch.GetTimestamp();
            await node.KillAsync();
            await killed.CancelAsync();
            bool isSteady = heartbeat.WasSteady(startedAt, Stopwatch.GetTimestamp());
            completed += (await Task.WhenAll(readers)).Sum();
            await Eventually.TrueAsync("the source notices that the node is gone", () => source.Connections == 0);

            refetches.Kill(killedAt, source.Sent, isSteady);
            source.ForgetSent();
            steadyRounds += isSteady ? 1 : 0;
        }

        await using NodeProcess last = await NodeProcess.StartAsync(settings);
        using SignedClient reader = new(last.S3Address);
        foreach (string key in keys)
        {
            AssertRight(await reader.GetWithSdkAsync("data", key), source.Object(key), 0);
        }

        Figures figures = await last.FiguresAsync();
        output.WriteLine($"{rounds} kills, {completed} responses, {refetches.StoredPages} pages stored, {refetches.JustStoredPages} of them {Promised.TotalMilliseconds:0} to {2 * Promised.TotalMilliseconds:0} ms before a kill; {steadyRounds} rounds on a machine that kept time; ready after {readyMilliseconds.Min():0} to {readyMilliseconds.Max():0} ms; "
            + $"used {figures["tier_used_bytes"] >> 20} MiB of {quota}, {CacheDirectory.BytesOnDisk(directory["cache"]) >> 20} MiB on disk");
        Assert.True(completed > rounds * 3, $"only {completed} responses were completed: the test has seen too little");
        if (everythingFits)
        {
            refetches.Judge(leastPages: 100).AssertPass();
        }

        Assert.True(readyMilliseconds.Max() < 5000, $"a restart took {readyMilliseconds.Max()} ms");
        Assert.Equal(0, figures["tier_corrupt_pages_total"]);
        Assert.True(figures["tier_used_bytes"] <= figures["tier_quota_bytes"], "the node uses more than its quota");
        await Eventually.TrueAsync(
            "what lies on the disk fits the quota",
            () => CacheDirectory.BytesOnDisk(directory["cache"]) <= figures["tier_quota_bytes"]);
    }

    private static string[] PutObjects(PatternSource source)
    {
        for (int i = 0; i < 6; i++)
        {
            source.Put($"large-{i}", 1, (10L << 20) + (i * 1_234_567));
        }

        for (int i = 0; i < 12; i++)
        {
            source.Put($"small-{i}", 1, 1 + (i * i * 4_567));
        }

        return [.. Enumerable.Range(0, 6).Select(i => $"large-{i}"), .. Enumerable.Range(0, 12).Select(i => $"small-{i}")];
    }

    /// <summary>Reads whole objects and random ranges until the node is gone; gives the number of complete responses.</summary>
    private static async Task<long> ReadAsync(
        SignedClient client, PatternSource source, string[] keys, Random random, RefetchDetector refetches, CancellationToken killed)
    {
        long completed = 0;
        while (!killed.IsCancellationRequested)
        {
            SourceObject wanted = source.Object(keys[random.Next(keys.Length)]);
            bool isWhole = random.Next(5) == 0 || wanted.Length < 1000;
            long from = isWhole ? 0 : random.NextInt64(wanted.Length - 1);
            long length = isWhole ? wanted.Length : Math.Min(wanted.Length - from, 1 + random.NextInt64(3 << 20));
            Answer answer = await client.GetAsync("data", wanted.Key, isWhole ? null : from, length);
            if (!answer.IsSuccess)
            {
                Assert.True(killed.IsCancellationRequested || answer.Status == 0 || !answer.IsComplete, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}");
                continue;
            }

            AssertRight(answer, wanted, from);
            Assert.Equal(length, answer.Body.Length);
            completed++;
            refetches.Read(wanted.Key, from, length, wanted.Length);
        }

        return completed;
    }

    private static void AssertRight(Answer answer, SourceObject wanted, long from)
    {
        Assert.True(answer.IsSuccess, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}");
        Assert.Equal(wanted.ETag, answer.ETag);
        long wrong = wanted.Content.FirstMismatch(from, answer.Body);
        Assert.True(wrong < 0, $"byte {wrong} of {wanted.Key} is wrong in a response of {answer.Body.Length} bytes from {from}");
    }
}
