using System.Security.Cryptography;
using System.Text.Json;
using Forebay.Robustness.Clients;
using Forebay.Robustness.Nodes;
using Xunit.Abstractions;

namespace Forebay.Robustness;

/// <summary>The S3 clients people use, against a whole node over a directory and over a real S3 server: bytes, listings, transfers and errors.</summary>
public sealed class ClientTests(RadosGateway gateway, ITestOutputHelper output) : IClassFixture<RadosGateway>, IAsyncLifetime
{
    private const string Boto3 = "/usr/lib/python3/dist-packages/boto3";

    private readonly TempDirectory _directory = new();
    private readonly SortedDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private NodeProcess? _node;

    private NodeProcess Node => _node ?? throw new InvalidOperationException("the node has not been started");

    private string Host => Node.S3Address["http://".Length..];

    public Task InitializeAsync()
    {
        Add("plain.txt", 30);
        Add("empty", 0);
        Add("large.bin", (9 << 20) + 17);
        Add("dir/a b+c.bin", 1000);
        Add("dir/100%25 & more?.bin", 300_000);
        Add("dir/sub/ünï-日本 🦀.bin", 2 << 20);
        Add("dir.with/(brackets) [and] 'quotes', =@;:~!$", 77);
        for (int i = 0; i < 12; i++)
        {
            Add($"many/{i:000}", 100 + i);
        }

        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        if (_node is not null)
        {
            await _node.DisposeAsync();
        }

        _directory.Dispose();
    }

    [ClientTheory(Boto3, "python3-boto3")]
    [InlineData("directory")]
    [InlineData("radosgw")]
    public async Task Boto3ListsReadsSignsTransfersAndRaisesItsTypedErrors(string source)
    {
        await StartAsync(source);
        string manifest = _directory["manifest.json"];
        await File.WriteAllTextAsync(manifest, JsonSerializer.Serialize(_objects.ToDictionary(pair => pair.Key, pair => new { length = pair.Value.Length, md5 = Md5(pair.Value) })));
        string script = Path.Combine(Repository.Root, "tests", "Forebay.Robustness", "Clients", "boto3_reads.py");

        // The second run reads from the cache.
        for (int round = 0; round < 2; round++)
        {
            output.WriteLine(await ClientRun.ExpectAsync(0, "/usr/bin/python3", script, Node.S3Address, "data", manifest));
        }
    }

    [ClientTheory("aws", "awscli")]
    [InlineData("directory")]
    [InlineData("radosgw")]
    public async Task TheAwsCommandLineListsCopiesSyncsAndPresigns(string source)
    {
        await StartAsync(source);

        Assert.Contains("data", await AwsAsync(0, "s3", "ls"), StringComparison.Ordinal);
        string listed = await AwsAsync(0, "s3", "ls", "--recursive", "--page-size", "3", "s3://data/");
        Assert.All(_objects, pair => Assert.Contains($"{pair.Value.Length} {pair.Key}\n", listed, StringComparison.Ordinal));
        Assert.Contains("PRE many/", await AwsAsync(0, "s3", "ls", "s3://data/"), StringComparison.Ordinal);

        await AwsAsync(0, "s3", "cp", "--only-show-errors", "s3://data/large.bin", _directory["copy"]);
        Assert.Equal(_objects["large.bin"], await File.ReadAllBytesAsync(_directory["copy"]));
        await AwsAsync(0, "s3", "sync", "s3://data/", _directory["synced"]);
        AssertSameTree(_directory["synced"]);
        Assert.DoesNotContain("download:", await AwsAsync(0, "s3", "sync", "s3://data/", _directory["synced"]), StringComparison.Ordinal);

        await AwsAsync(0, "s3api", "get-object", "--bucket", "data", "--key", "dir/a b+c.bin", "--range", "bytes=10-19", _directory["range"]);
        Assert.Equal(_objects["dir/a b+c.bin"][10..20], await File.ReadAllBytesAsync(_directory["range"]));
        Assert.Contains("404", await AwsAsync(1, "s3", "cp", "s3://data/missing", _directory["none"]), StringComparison.Ordinal);
        int refused = (await AwsAsync(0, "--version")).StartsWith("aws-cli/1.", StringComparison.Ordinal) ? 255 : 254;
        Assert.Contains("NoSuchBucket", await AwsAsync(refused, "s3", "ls", "s3://missing-bucket/"), StringComparison.Ordinal);

        string url = (await AwsAsync(0, "s3", "presign", "s3://data/dir/sub/ünï-日本 🦀.bin")).Trim();
        using HttpClient http = new();
        Assert.Equal(_objects["dir/sub/ünï-日本 🦀.bin"], await http.GetByteArrayAsync(url));
    }

    [ClientTheory("s3cmd", "s3cmd")]
    [InlineData("directory")]
    [InlineData("radosgw")]
    public async Task S3CmdListsGetsAndSyncs(string source)
    {
        await StartAsync(source);

        Assert.Contains("s3://data", await S3CmdAsync(0, "ls"), StringComparison.Ordinal);
        string listed = await S3CmdAsync(0, "ls", "--recursive", "s3://data/");
        Assert.All(_objects.Keys, key => Assert.Contains($"s3://data/{key}", listed, StringComparison.Ordinal));
        Assert.Contains("DIR  s3://data/many/", await S3CmdAsync(0, "ls", "s3://data/"), StringComparison.Ordinal);
        Assert.Contains("File size: 1000", await S3CmdAsync(0, "info", "s3://data/dir/a b+c.bin"), StringComparison.Ordinal);

        await S3CmdAsync(0, "get", "s3://data/large.bin", _directory["copy"]);
        Assert.Equal(_objects["large.bin"], await File.ReadAllBytesAsync(_directory["copy"]));
        Directory.CreateDirectory(_directory["synced"]);
        await S3CmdAsync(0, "sync", "s3://data/", _directory["synced"] + "/");
        AssertSameTree(_directory["synced"]);
        Assert.Contains("does not exist", await S3CmdAsync(64, "get", "s3://data/missing", _directory["none"]), StringComparison.Ordinal);
        Assert.Contains("NoSuchBucket", await S3CmdAsync(12, "ls", "s3://missing-bucket"), StringComparison.Ordinal);
    }

    private Task<string> AwsAsync(int exitCode, params string[] arguments) => ClientRun.ExpectAsync(exitCode, "aws", ["--endpoint-url", Node.S3Address, "--region", "eu-west-7", .. arguments]);

    private Task<string> S3CmdAsync(int exitCode, params string[] arguments) => ClientRun.ExpectAsync(
        exitCode,
        "s3cmd",
        ["--config=/dev/null", $"--host={Host}", $"--host-bucket={Host}", "--no-ssl", "--region=us-east-1", "--no-progress", $"--access_key={NodeSettings.AccessKeyId}", $"--secret_key={NodeSettings.SecretAccessKey}", .. arguments]);

    private async Task StartAsync(string source)
    {
        NodeSettings settings = new() { CacheDirectory = _directory["cache"] };
        if (source == "directory")
        {
            foreach ((string key, byte[] content) in _objects)
            {
                string path = _directory[$"source/{key}"];
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllBytesAsync(path, content);
            }

            settings.MountDirectory("data", _directory["source"]);
        }
        else
        {
            string bucket = await gateway.CreateBucketAsync();
            foreach ((string key, byte[] content) in _objects)
            {
                await gateway.PutAsync(bucket, key, content);
            }

            settings.Mounts["data"] =
            [
                $"source: \"{gateway.Url(bucket)}\"",
                $"access-key-id: {gateway.Credentials.AccessKeyId}", $"secret-access-key: {gateway.Credentials.SecretAccessKey}",
            ];
        }

        _node = await NodeProcess.StartAsync(settings);
    }

    private void AssertSameTree(string directory)
    {
        IEnumerable<string> found = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(directory, path)).Order(StringComparer.Ordinal);
        Assert.Equal(_objects.Keys, found);
        Assert.All(_objects, pair => Assert.True(pair.Value.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(directory, pair.Key))), $"{pair.Key} differs"));
    }

    private void Add(string key, int length) => _objects[key] = new PatternContent(key, 1).Bytes(0, length);

#pragma warning disable CA5351 // A checksum to compare with, not a secret.
    private static string Md5(byte[] content) => Convert.ToHexStringLower(MD5.HashData(content));
#pragma warning restore CA5351
}
