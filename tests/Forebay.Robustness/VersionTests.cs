using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.Robustness.Detectors;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;
using Xunit.Abstractions;

namespace Forebay.Robustness;

/// <summary>Objects that are overwritten at the source while clients read: each complete response is exactly one version.</summary>
public sealed class VersionTests(RadosGateway gateway, ITestOutputHelper output) : IClassFixture<RadosGateway>
{
    private const int Readers = 6;
    private const int LeastResponses = 51;
    private const int LeastVersions = 4;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(4);

    /// <summary>On a busy machine, where a version that is believed for 1 s is one of few.</summary>
    private static readonly TimeSpan LongestDuration = TimeSpan.FromSeconds(30);
    private static readonly string[] Keys = ["a", "b", "c"];

    [Theory]
    [InlineData("0")]
    [InlineData("1s")]
    public async Task GeneratedSource(string ttl)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] }
            .MountS3("data", source.Endpoint, PatternSource.Bucket, $"metadata-ttl: {ttl}", $"negative-ttl: {ttl}");

        // A flight that another reader began may be joined: one round trip older than its own question.
        TimeSpan stalest = TimeSpan.FromSeconds(ttl == "0" ? 1 : 2);
        VersionDetector known = new(TimeProvider.System);
        Replace(source, known, 0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, "generated", version =>
        {
            Replace(source, known, version);
            return Task.CompletedTask;
        }, stalest);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1s")]
    public async Task RealS3Source(string ttl)
    {
        using TempDirectory directory = new();
        string bucket = await gateway.CreateBucketAsync();
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] };
        settings.Mounts["data"] =
        [
            $"source: \"{gateway.Url(bucket)}\"",
            $"access-key-id: {gateway.Credentials.AccessKeyId}", $"secret-access-key: {gateway.Credentials.SecretAccessKey}",
            $"metadata-ttl: {ttl}",
        ];
        VersionDetector known = new(TimeProvider.System);
        await PutAsync(0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, "radosgw", PutAsync);

        async Task PutAsync(long version)
        {
            foreach (string key in Keys)
            {
                byte[] content = new PatternContent(key, version).Bytes(0, LengthOf(version));
#pragma warning disable CA5351 // An ETag of S3 is an MD5.
                known.Put($"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"", key, version, content.Length);
#pragma warning restore CA5351
                await gateway.PutAsync(bucket, key, content);
            }
        }
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("0", false)]
    [InlineData("1s", true)]
    [InlineData("1s", false)]
    public async Task DirectorySource(string ttl, bool byRename)
    {
        using TempDirectory directory = new();
        string root = Directory.CreateDirectory(directory["source"]).FullName;
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] }.MountDirectory("data", root, $"metadata-ttl: {ttl}");
        VersionDetector known = new(TimeProvider.System);
        Write(0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, byRename ? "rename" : "in place", async version =>
        {
            Write(version);

            // A directory tells versions in place by their mtime, which must have moved on: docs/SEMANTICS.md.
            if (!byRename)
            {
                await Task.Delay(15);
            }
        });

        void Write(long version)
        {
            foreach (string key in Keys)
            {
                // In place the length stays, so that one write(2) leads from version to version.
                long lengthVersion = byRename ? version : 0;
                byte[] content = new PatternContent(key, version).Bytes(0, LengthOf(lengthVersion));
                known.Put(eTag: null, key, version, content.Length);
                if (byRename)
                {
                    File.WriteAllBytes(directory["fresh"], content);
                    File.Move(directory["fresh"], Path.Combine(root, key), overwrite: true);
                    continue;
                }

                using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(Path.Combine(root, key), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
                RandomAccess.Write(file, content, 0);
            }
        }
    }

    private static void Replace(PatternSource source, VersionDetector known, long version)
    {
        foreach (string key in Keys)
        {
            known.Put(SourceObject.ETagOf(version), key, version, LengthOf(version));
            source.Put(key, version, LengthOf(version));
        }
    }

    /// <summary>Readers check each response while the writer replaces everything again and again: each version lives for as many responses as there are readers.</summary>
    private async Task RaceAsync(NodeProcess node, VersionDetector known, string what, Func<long, Task> writeVersion, TimeSpan? stalest = null)
    {
        using SignedClient client = new(node.S3Address);
        using CancellationTokenSource end = new(LongestDuration);
        long started = Stopwatch.GetTimestamp();
        using SemaphoreSlim answers = new(0);
        Task[] readers = [.. Enumerable.Range(0, Readers).Select(i => Task.Run(() => ReadAsync(client, known, new Random(i), answers, end.Token)))];
        long version = 0;
        try
        {
            while (!known.HasViolation && !readers.Any(reader => reader.IsFaulted)
                && (Stopwatch.GetElapsedTime(started) < Duration || !known.HasSeen(LeastResponses, LeastVersions)))
            {
                for (int i = 0; i < Readers; i++)
                {
                    await answers.WaitAsync(end.Token);
                }

                await writeVersion(++version);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
        }

        await end.CancelAsync();
        await Task.WhenAll(readers);
        Finding finding = known.Judge(LeastResponses, LeastVersions, stalest);
        output.WriteLine($"{what}: {version} versions, {finding.What}");
        finding.AssertPass();
    }

    private static async Task ReadAsync(SignedClient client, VersionDetector known, Random random, SemaphoreSlim answers, CancellationToken end)
    {
        while (!end.IsCancellationRequested && !known.HasViolation)
        {
            string key = Keys[random.Next(Keys.Length)];
            long? from = random.Next(3) == 0 ? random.Next(200_000) : null;
            VersionDetector.Begun request = known.Begin(key);
            known.End(request, await client.GetAsync("data", key, from, 1 + random.Next(900_000)));
            answers.Release();
        }
    }

    private static int LengthOf(long version) => (int)(version % 3) switch { 0 => 300_000, 1 => 1 << 20, _ => (3 << 20) + 17 };
}
