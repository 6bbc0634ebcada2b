using System.Diagnostics;
using Amazon.Runtime;
using Amazon.S3;
using Forebay.UnderStores;
using Xunit;

namespace Forebay.Testing;

/// <summary>
/// A real S3 server (Ceph radosgw, objects in memory) that lives as long as the fixture. Use it as <c>IClassFixture</c>, or as a
/// collection fixture to share one start (about 2 s) between classes.
/// </summary>
public sealed class RadosGateway : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(3);

    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"forebay-origin-{Guid.NewGuid():N}");
    private readonly Dictionary<string, string> _settings = new(StringComparer.Ordinal);
    private AmazonS3Client? _client;
    private int _buckets;

    public string Endpoint => _settings["S3_ENDPOINT"];

    public string Region => _settings["S3_REGION"];

    public UnderStoreCredentials Credentials => new(_settings["AWS_ACCESS_KEY_ID"], _settings["AWS_SECRET_ACCESS_KEY"]);

    /// <summary>An SDK client, to put test objects with.</summary>
    public IAmazonS3 Client => _client ?? throw new InvalidOperationException("the fixture has not started");

    /// <summary>Options of an under-store for a bucket of this server.</summary>
    public UnderStoreOptions Options(string bucket) => UnderStoreUrl.Parse(Url(bucket), Credentials).Options;

    /// <summary>The URL of a bucket, without credentials.</summary>
    public string Url(string bucket, string prefix = "") => $"s3://{bucket}/{prefix}?endpoint={Endpoint}&region={Region}&path-style=true";

    /// <summary>Makes a bucket with a name of its own.</summary>
    public async Task<string> CreateBucketAsync()
    {
        string bucket = $"bucket-{Interlocked.Increment(ref _buckets)}";
        await Client.PutBucketAsync(bucket);
        return bucket;
    }

    /// <summary>Stores an object.</summary>
    public async Task PutAsync(string bucket, string key, byte[] content, string? contentType = null)
    {
        if (key.StartsWith('/'))
        {
            await PutWithCurlAsync(bucket, key, content);
            return;
        }

        using MemoryStream body = new(content);
        await Client.PutObjectAsync(new Amazon.S3.Model.PutObjectRequest
        {
            BucketName = bucket,
            Key = key,
            InputStream = body,
            ContentType = contentType,
            UseChunkEncoding = false,
        });
    }

    public async Task InitializeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit += StopAtExit;
        (int exitCode, string output, string error) = await RunAsync("up");
        if (exitCode != 0)
        {
            throw new InvalidOperationException(error.Trim());
        }

        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split('=', 2);
            _settings[parts[0]] = parts[1];
        }

        _client = new AmazonS3Client(
            new BasicAWSCredentials(Credentials.AccessKeyId, Credentials.SecretAccessKey),
            new AmazonS3Config
            {
                ServiceURL = Endpoint,
                AuthenticationRegion = Region,
                ForcePathStyle = true,
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            });
    }

    public async Task DisposeAsync()
    {
        await RunAsync("down");
        AppDomain.CurrentDomain.ProcessExit -= StopAtExit;
    }

    public void Dispose() => _client?.Dispose();

    /// <summary>The SDK folds the slash that such a key begins with.</summary>
    private async Task PutWithCurlAsync(string bucket, string key, byte[] content)
    {
        string path = string.Join('/', key.Split('/').Select(Uri.EscapeDataString));
        string hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
        ProcessStartInfo start = new("curl", [
            "-sS", "-f", "-o", "/dev/null", "--path-as-is", "--aws-sigv4", $"aws:amz:{Region}:s3", "--user", $"{Credentials.AccessKeyId}:{Credentials.SecretAccessKey}",
            "-X", "PUT", "-H", $"x-amz-content-sha256: {hash}", "--data-binary", "@-", $"{Endpoint}/{bucket}/{path}"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException("curl did not start");
        await process.StandardInput.BaseStream.WriteAsync(content);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private void StopAtExit(object? sender, EventArgs e)
    {
        using Process? process = Process.Start(Script("down"));
        process?.WaitForExit(TimeSpan.FromSeconds(10));
    }

    private ProcessStartInfo Script(string name) => new(Path.Combine(Repository.Root, "tests", "origin", name), [_directory])
    {
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(string script)
    {
        using CancellationTokenSource timeout = new(StartTimeout);
        using Process process = Process.Start(Script(script)) ?? throw new InvalidOperationException($"tests/origin/{script} did not start");
        Task<string> error = process.StandardError.ReadToEndAsync(timeout.Token);
        string output = await process.StandardOutput.ReadToEndAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        return (process.ExitCode, output, await error);
    }
}
