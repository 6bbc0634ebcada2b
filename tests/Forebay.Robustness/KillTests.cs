using System.Collections.Concurrent;
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
    [InlineData("16Mi", 10)]
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
            int seed = round * 100;
            Round ended = await RunAndKillAsync(settings, source, random.Next(300, 700), heartbeat, refetches, (client, killed) =>
                [.. Enumerable.Range(0, Readers).Select(i => ReadAsync(client, source, keys, new Random(seed + i), refetches, killed))]);
            readyMilliseconds.Add(ended.ReadyAfter.TotalMilliseconds);
            completed += ended.Completed;
            steadyRounds += ended.IsSteady ? 1 : 0;
        }

        await using NodeProcess last = await NodeProcess.StartAsync(settings);
        using SignedClient reader = new(last.S3Address);
        foreach (string key in keys)
        {
            AssertRight(await reader.GetWithSdkAsync("data", key), source.Object(key), 0);
        }

        refetches.Kill(Stopwatch.GetTimestamp(), source.Sent);
        Figures figures = await last.FiguresAsync();
        output.WriteLine($"{rounds} kills, {completed} responses, {refetches.StoredPages} pages stored, {refetches.JustStoredPages} of them {Promised.TotalMilliseconds:0} to {2 * Promised.TotalMilliseconds:0} ms before a kill; {steadyRounds} rounds on a machine that kept time; ready after {readyMilliseconds.Min():0} to {readyMilliseconds.Max():0} ms; "
            + $"used {figures["tier_used_bytes"] >> 20} MiB of {quota}, {CacheDirectory.BytesOnDisk(directory["cache"]) >> 20} MiB on disk");
        Assert.True(completed > rounds * 3, $"only {completed} responses were completed: the test has seen too little");
        if (everythingFits)
        {
            refetches.Judge(leastPages: 100).AssertPass();
        }

        Assert.True(readyMilliseconds.Max() < 5000, $"a restart took {readyMilliseconds.Max()} ms");

        // Into 16 MiB some of the objects do not fit: a page of them that was punched and written anew within the last commit may be torn.
        Assert.InRange(figures["tier_corrupt_pages_total"], 0, quota == "16Mi" ? 3 : 0);
        Assert.True(figures["tier_used_bytes"] <= figures["tier_quota_bytes"], "the node uses more than its quota");
        await Eventually.TrueAsync(
            "what lies on the disk fits the quota",
            () => CacheDirectory.BytesOnDisk(directory["cache"]) <= figures["tier_quota_bytes"]);
    }

    /// <summary>Small objects and nothing else: who reads them has them at once, and each is new, so that many were stored shortly before every kill.</summary>
    [Fact]
    public async Task WhatWasStoredLongEnoughBeforeAKillIsFoundAgain()
    {
        const int Rounds = 10;
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] }.MountS3("data", source.Endpoint, PatternSource.Bucket);
        Random random = new(7);
        RefetchDetector refetches = new(PageSize, Promised, TimeProvider.System);
        ConcurrentQueue<string> keys = [];
        int steadyRounds = 0;
        using Heartbeat heartbeat = new();

        for (int i = 0; i < Rounds; i++)
        {
            string round = $"round-{i}";
            Round ended = await RunAndKillAsync(settings, source, random.Next(300, 700), heartbeat, refetches, (client, killed) =>
                [.. Enumerable.Range(0, 2).Select(reader => ReadNewAsync(client, source, $"{round}/{reader}", keys, refetches, killed))]);
            steadyRounds += ended.IsSteady ? 1 : 0;
        }

        await using NodeProcess last = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(last.S3Address);
        await Parallel.ForEachAsync(keys, async (key, _) => AssertRight(await client.GetAsync("data", key), source.Object(key), 0));
        refetches.Kill(Stopwatch.GetTimestamp(), source.Sent);
        output.WriteLine($"{keys.Count} objects, {refetches.JustStoredPages} of them stored {Promised.TotalMilliseconds:0} to {2 * Promised.TotalMilliseconds:0} ms before a kill; {steadyRounds} rounds on a machine that kept time");
        refetches.Judge(leastPages: 10 * steadyRounds).AssertPass();
        Assert.True(refetches.JustStoredPages >= 2 * steadyRounds, $"only {refetches.JustStoredPages} pages were stored shortly before {steadyRounds} kills: the test has seen too little");
    }

    /// <summary>Starts a node, lets clients read for a while and kills it under them.</summary>
    private static async Task<Round> RunAndKillAsync(
        NodeSettings settings, PatternSource source, int milliseconds, Heartbeat heartbeat, RefetchDetector refetches, Func<SignedClient, CancellationToken, Task<long>[]> read)
    {
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        using CancellationTokenSource killed = new();
        Task<long>[] readers = read(client, killed.Token);

        long startedAt = Stopwatch.GetTimestamp();
        await Task.Delay(milliseconds);
        long killedAt = Stopwatch.GetTimestamp();
        await node.KillAsync();
        await killed.CancelAsync();
        bool isSteady = heartbeat.WasSteady(startedAt, Stopwatch.GetTimestamp());
        long completed = (await Task.WhenAll(readers)).Sum();
        await Eventually.TrueAsync("the source notices that the node is gone", () => source.Connections == 0);

        refetches.Kill(killedAt, source.Sent, isSteady);
        source.ForgetSent();
        return new Round(node.ReadyAfter, completed, isSteady);
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
            completed += await TryReadAsync(client, wanted, isWhole ? null : from, length, refetches, killed) ? 1 : 0;
        }

        return completed;
    }

    /// <summary>Reads objects that nobody has read before, one after another until the node is gone.</summary>
    private static async Task<long> ReadNewAsync(SignedClient client, PatternSource source, string prefix, ConcurrentQueue<string> keys, RefetchDetector refetches, CancellationToken killed)
    {
        long completed = 0;
        while (!killed.IsCancellationRequested)
        {
            SourceObject wanted = source.Put($"{prefix}/{completed}", 1, 5_000);
            if (await TryReadAsync(client, wanted, null, wanted.Length, refetches, killed))
            {
                completed++;
                keys.Enqueue(wanted.Key);
            }
        }

        return completed;
    }

    /// <returns>False when the node was killed meanwhile.</returns>
    private static async Task<bool> TryReadAsync(SignedClient client, SourceObject wanted, long? from, long length, RefetchDetector refetches, CancellationToken killed)
    {
        Answer answer = await client.GetAsync("data", wanted.Key, from, length);
        if (!answer.IsSuccess)
        {
            Assert.True(killed.IsCancellationRequested || answer.Status == 0 || !answer.IsComplete, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}");
            return false;
        }

        AssertRight(answer, wanted, from ?? 0);
        Assert.Equal(length, answer.Body.Length);
        refetches.Read(wanted.Key, from ?? 0, length, wanted.Length);
        return true;
    }

    private static void AssertRight(Answer answer, SourceObject wanted, long from)
    {
        Assert.True(answer.IsSuccess, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}");
        Assert.Equal((wanted.ETag, wanted.Length), (answer.ETag, answer.ObjectLength));
        long wrong = wanted.Content.FirstMismatch(from, answer.Body);
        Assert.True(wrong < 0, $"byte {wrong} of {wanted.Key} is wrong in a response of {answer.Body.Length} bytes from {from}");
    }

    /// <summary>A node's life up to its kill.</summary>
    /// <param name="ReadyAfter">Its start.</param>
    /// <param name="Completed">Complete responses.</param>
    /// <param name="IsSteady">The machine kept time.</param>
    private readonly record struct Round(TimeSpan ReadyAfter, long Completed, bool IsSteady);
}
