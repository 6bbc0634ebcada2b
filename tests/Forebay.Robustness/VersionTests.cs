using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;
using Xunit.Abstractions;

namespace Forebay.Robustness;

/// <summary>Objects that are overwritten at the source while clients read: each complete response is exactly one version.</summary>
public sealed class VersionTests(RadosGateway gateway, ITestOutputHelper output) : IClassFixture<RadosGateway>
{
    private const int Readers = 6;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData("0")]
    [InlineData("1s")]
    public async Task GeneratedSource(string ttl)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"] }
            .MountS3("data", source.Endpoint, PatternSource.Bucket, $"metadata-ttl: {ttl}", $"negative-ttl: {ttl}");
        TimeSpan staleness = ttl == "0" ? TimeSpan.Zero : TimeSpan.FromSeconds(1);
        Known known = new();
        Replace(source, known, 0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, "generated", async (version, cancellationToken) =>
        {
            Replace(source, known, version);
            await Task.Delay(15, cancellationToken);
        });

        // A flight that another reader began may be joined: one round trip older than its own question.
        TimeSpan stalest = known.Stalest;
        output.WriteLine($"stalest response: {stalest.TotalMilliseconds:0} ms after the overwrite");
        Assert.True(stalest < staleness + TimeSpan.FromSeconds(1), $"a version was served {stalest.TotalMilliseconds:0} ms after it was replaced, with a TTL of {ttl}");
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
        Known known = new();
        await PutAsync(0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, "radosgw", (version, _) => PutAsync(version));

        async Task PutAsync(long version)
        {
            foreach (string key in Known.Keys)
            {
                byte[] content = new PatternContent(key, version).Bytes(0, Known.LengthOf(version));
#pragma warning disable CA5351 // An ETag of S3 is an MD5.
                known.Add($"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"", key, version);
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
        Known known = new();
        Write(0);
        await using NodeProcess node = await NodeProcess.StartAsync(settings);

        await RaceAsync(node, known, byRename ? "rename" : "in place", async (version, cancellationToken) =>
        {
            Write(version);
            await Task.Delay(15, cancellationToken);
        });

        void Write(long version)
        {
            foreach (string key in Known.Keys)
            {
                // In place the length stays, so that one write(2) leads from version to version.
                long lengthVersion = byRename ? version : 0;
                byte[] content = new PatternContent(key, version).Bytes(0, Known.LengthOf(lengthVersion));
                known.Add(eTag: null, key, version);
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

    private static void Replace(PatternSource source, Known known, long version)
    {
        foreach (string key in Known.Keys)
        {
            SourceObject fresh = source.Put(key, version, Known.LengthOf(version));
            known.Add(fresh.ETag, key, version);
        }
    }

    /// <summary>Readers check each response while the writer replaces everything again and again.</summary>
    private async Task RaceAsync(NodeProcess node, Known known, string what, Func<long, CancellationToken, Task> writeVersion)
    {
        using SignedClient client = new(node.S3Address);
        using CancellationTokenSource end = new(Duration);
        Task<int>[] readers = [.. Enumerable.Range(0, Readers).Select(i => Task.Run(() => ReadAsync(client, known, new Random(i), end.Token)))];
        long version = 0;
        try
        {
            while (!end.IsCancellationRequested && !readers.Any(reader => reader.IsFaulted))
            {
                await writeVersion(++version, end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
        }

        int checkedResponses = (await Task.WhenAll(readers)).Sum();
        output.WriteLine($"{what}: {version} versions, {checkedResponses} complete responses of {known.SeenVersions} versions, {known.Refused} refused or cut");
        Assert.True(checkedResponses > 50, $"only {checkedResponses} responses were complete ({known.Refused} refused or cut: {known.LastRefusal}): the test has seen too little");
        Assert.True(known.SeenVersions > 3, $"only {known.SeenVersions} versions were seen");
    }

    private static async Task<int> ReadAsync(SignedClient client, Known known, Random random, CancellationToken end)
    {
        int complete = 0;
        while (!end.IsCancellationRequested)
        {
            string key = Known.Keys[random.Next(Known.Keys.Length)];
            long? from = random.Next(3) == 0 ? random.Next(200_000) : null;
            long started = Stopwatch.GetTimestamp();
            Answer answer = await client.GetAsync("data", key, from, 1 + random.Next(900_000));
            if (answer.IsSuccess)
            {
                known.Check(key, answer, started);
                complete++;
                continue;
            }

            known.Refuse(answer);
            Assert.True(answer.Status is 0 or 200 or 206 or 503, $"{key} was answered with {answer.Status} {answer.ErrorCode}");
        }

        return complete;
    }

    /// <summary>All versions there have ever been.</summary>
    private sealed class Known
    {
        private readonly ConcurrentDictionary<string, long> _byETag = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<(string Key, long Version), long> _addedAt = new();
        private readonly ConcurrentDictionary<(string Key, string ETag), long> _learned = new();
        private readonly ConcurrentDictionary<long, bool> _seen = new();
        private long _latest;
        private long _stalestTicks;
        private int _refused;

        public static string[] Keys { get; } = ["a", "b", "c"];

        public int SeenVersions => _seen.Count;

        public int Refused => _refused;

        public string LastRefusal { get; private set; } = "";

        /// <summary>Longest time from the replacing of a version to a request that was answered with it.</summary>
        public TimeSpan Stalest => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _stalestTicks));

        public static int LengthOf(long version) => (int)(version % 3) switch { 0 => 300_000, 1 => 1 << 20, _ => (3 << 20) + 17 };

        public void Add(string? eTag, string key, long version)
        {
            if (eTag is not null)
            {
                _byETag[key + eTag] = version;
            }

            _addedAt.TryAdd((key, version), Stopwatch.GetTimestamp());
            Interlocked.Exchange(ref _latest, version);
        }

        public void Refuse(Answer answer)
        {
            Interlocked.Increment(ref _refused);
            LastRefusal = $"{answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes";
        }

        public void Check(string key, Answer answer, long startedAt)
        {
            Assert.NotNull(answer.ETag);
            long version = _byETag.TryGetValue(key + answer.ETag, out long named) ? named : Recognize(key, answer);
            long wrong = new PatternContent(key, version).FirstMismatch(answer.Offset, answer.Body);
            Assert.True(wrong < 0, $"byte {wrong} of '{key}' is not of version {version}, which the ETag {answer.ETag} names ({answer.Body.Length} bytes from {answer.Offset}; the byte is of version {Owner(key, answer, wrong)})");
            _seen.TryAdd(version, true);
            if (_addedAt.TryGetValue((key, version + 1), out long replacedAt) && startedAt > replacedAt)
            {
                InterlockedMax(startedAt - replacedAt);
            }
        }

        /// <summary>A directory's ETags are not known beforehand: the first bytes tell the version, and the ETag must stay with it.</summary>
        private long Recognize(string key, Answer answer)
        {
            for (long version = Interlocked.Read(ref _latest) + 1; version >= 0; version--)
            {
                if (new PatternContent(key, version).Matches(answer.Offset, answer.Body.AsSpan(0, Math.Min(64, answer.Body.Length))))
                {
                    Assert.Equal(version, _learned.GetOrAdd((key, answer.ETag!), version));
                    return version;
                }
            }

            throw new InvalidOperationException($"the first bytes of '{key}' are of no version at all");
        }

        private long Owner(string key, Answer answer, long offset)
        {
            int at = (int)(offset - answer.Offset);
            for (long version = Interlocked.Read(ref _latest) + 1; at >= 0 && version >= 0; version--)
            {
                if (new PatternContent(key, version).Matches(offset, answer.Body.AsSpan(at, Math.Min(16, answer.Body.Length - at))))
                {
                    return version;
                }
            }

            return -1;
        }

        private void InterlockedMax(long ticks)
        {
            long seen = Interlocked.Read(ref _stalestTicks);
            while (ticks > seen && Interlocked.CompareExchange(ref _stalestTicks, ticks, seen) is var actual && actual != seen)
            {
                seen = actual;
            }
        }
    }
}
