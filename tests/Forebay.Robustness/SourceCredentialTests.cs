using System.Collections.Concurrent;
using System.Diagnostics;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>Where a node takes the key pair of an S3 source from, when the mount point has none of its own: the usual AWS chain.</summary>
public sealed class SourceCredentialTests : IAsyncLifetime
{
    private const string Files = """
        [default]
        aws_access_key_id = PROFILE-DEFAULT
        aws_secret_access_key = secret

        [training]
        aws_access_key_id = PROFILE-TRAINING
        aws_secret_access_key = secret
        aws_session_token = token-of-training
        """;

    private readonly TempDirectory _directory = new();
    private readonly PatternSource _source = new();
    private readonly CredentialService _service = new();
    private readonly ConcurrentQueue<SourceRequest> _seen = new();

    public Task InitializeAsync()
    {
        _source.Put("object", 1, 1000);
        _source.Faults = request =>
        {
            _seen.Enqueue(request);
            return null;
        };
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _service.DisposeAsync();
        await _source.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public Task TheEnvironmentsPairAndTokenAreUsed() => ShowsAsync("ENVIRONMENT", "token-of-environment", new()
    {
        ["AWS_ACCESS_KEY_ID"] = "ENVIRONMENT",
        ["AWS_SECRET_ACCESS_KEY"] = "secret",
        ["AWS_SESSION_TOKEN"] = "token-of-environment",
    });

    [Fact]
    public Task TheEnvironmentComesBeforeProfiles() => ShowsAsync("ENVIRONMENT", null, new()
    {
        ["AWS_ACCESS_KEY_ID"] = "ENVIRONMENT",
        ["AWS_SECRET_ACCESS_KEY"] = "secret",
        ["AWS_SHARED_CREDENTIALS_FILE"] = WriteProfiles(),
    });

    [Fact]
    public Task TheDefaultProfileOfTheHomeDirectoryIsUsed()
    {
        Directory.CreateDirectory(_directory[".aws"]);
        File.Move(WriteProfiles(), _directory[".aws/credentials"]);
        return ShowsAsync("PROFILE-DEFAULT", null, []);
    }

    [Fact]
    public Task AFileAndAProfileAreNamedByTheEnvironment() => ShowsAsync("PROFILE-TRAINING", "token-of-training", new()
    {
        ["AWS_SHARED_CREDENTIALS_FILE"] = WriteProfiles(),
        ["AWS_PROFILE"] = "training",
    });

    [Fact]
    public Task AProfileIsNamedByTheMountPoint() => ShowsAsync("PROFILE-TRAINING", "token-of-training", new() { ["AWS_SHARED_CREDENTIALS_FILE"] = WriteProfiles() }, "profile: training");

    [Fact]
    public async Task AWebIdentityIsExchangedForAPair()
    {
        await File.WriteAllTextAsync(_directory["identity"], "the-identity-token");

        await ShowsAsync("TEMP1", "token-of-TEMP1", new()
        {
            ["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/reader",
            ["AWS_WEB_IDENTITY_TOKEN_FILE"] = _directory["identity"],
            ["AWS_ENDPOINT_URL_STS"] = _service.Endpoint,
            ["AWS_REGION"] = "us-east-1",
        });

        Assert.Contains(_service.Requests, request => request.Contains("WebIdentityToken=the-identity-token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AContainersServiceIsAskedWithItsToken()
    {
        await File.WriteAllTextAsync(_directory["token"], "container-token");

        await ShowsAsync("TEMP1", "token-of-TEMP1", new()
        {
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = _service.Endpoint + "/container",
            ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = _directory["token"],
        });

        Assert.Contains(_service.Requests, request => request.Contains("Authorization: container-token\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnInstancesMetadataIsAsked()
    {
        await using NodeProcess node = await StartAsync(new()
        {
            ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = _service.Endpoint,
            ["AWS_EC2_METADATA_DISABLED"] = "false",
        });
        using SignedClient client = new(node.S3Address);

        Answer answer = await client.GetAsync("data", "object");

        // Asked again, as the SDK may when an answer is slow, it gives another pair.
        Assert.True(answer.IsSuccess, $"{answer.Status} {answer.ErrorCode}: {string.Join(", ", _service.Requests)}");
        Assert.NotEmpty(_seen);
        Assert.All(_seen, request => Assert.True(_service.IsValid(request.AccessKeyId) && request.SessionToken == $"token-of-{request.AccessKeyId}", $"{request}"));
    }

    [Fact]
    public async Task TemporaryPairsAreReplacedBeforeTheyExpire()
    {
        _service.Lifetime = TimeSpan.FromSeconds(3);
        int refused = 0;
        _source.Faults = request =>
        {
            _seen.Enqueue(request);
            bool isValid = _service.IsValid(request.AccessKeyId);
            refused += isValid ? 0 : 1;
            return isValid ? null : new SourceFault(FaultKind.ExpiredToken);
        };
        await using NodeProcess node = await StartAsync(new() { ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = _service.Endpoint + "/container" });
        using SignedClient client = new(node.S3Address);
        long started = Stopwatch.GetTimestamp();

        while (Stopwatch.GetElapsedTime(started) < 2.5 * _service.Lifetime)
        {
            Answer answer = await client.GetAsync("data", "object");
            Assert.True(answer.IsSuccess, $"{answer.Status} {answer.ErrorCode} after {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s and {_service.Given} pairs");
        }

        Assert.Equal(0, refused);
        Assert.True(_seen.Select(request => request.AccessKeyId).Distinct().Count() >= 3, $"{_service.Given} pairs were given");
    }

    [Fact]
    public async Task ARotatedFileIsReadAgainWhenTheSourceRefusesTheOldPair()
    {
        string file = WriteProfiles();
        string valid = "PROFILE-TRAINING";
        _source.Faults = request => request.AccessKeyId == valid ? null : new SourceFault(FaultKind.ExpiredToken);
        await using NodeProcess node = await StartAsync(new() { ["AWS_SHARED_CREDENTIALS_FILE"] = file }, "profile: training");
        using SignedClient client = new(node.S3Address);
        Assert.True((await client.GetAsync("data", "object")).IsSuccess);

        await File.WriteAllTextAsync(file, Files.Replace("PROFILE-TRAINING", "ROTATED", StringComparison.Ordinal));
        valid = "ROTATED";

        // HEAD is refused without a reason, GET with one: both must find the new pair, and neither lets the client see anything.
        Answer answer = await client.GetAsync("data", "object");
        Assert.True(answer.IsSuccess, $"{answer.Status} {answer.ErrorCode}");
    }

    [Fact]
    public async Task WithoutAnyCredentialsTheRemedyIsSaid()
    {
        await using NodeProcess node = await StartAsync([]);
        using SignedClient client = new(node.S3Address);

        Answer answer = await client.GetAsync("data", "object");
        (int exitCode, _, string error) = await node.TryVerbAsync("stat", "/data/object");

        Assert.Equal(403, answer.Status);
        Assert.Equal("AccessDenied", answer.ErrorCode);
        Assert.Equal(1, exitCode);
        Assert.Contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", error, StringComparison.Ordinal);
        Assert.Contains("anonymous=true", error, StringComparison.Ordinal);
        Assert.Empty(_seen);
    }

    private async Task ShowsAsync(string accessKeyId, string? token, Dictionary<string, string> environment, params string[] options)
    {
        await using NodeProcess node = await StartAsync(environment, options);
        using SignedClient client = new(node.S3Address);

        Answer answer = await client.GetAsync("data", "object");

        Assert.True(answer.IsSuccess, $"{answer.Status} {answer.ErrorCode}: {string.Join(", ", _service.Requests)}");
        Assert.NotEmpty(_seen);
        Assert.All(_seen, request => Assert.Equal((accessKeyId, token), (request.AccessKeyId, request.SessionToken)));
    }

    /// <summary>A node that finds nothing but what the test gives it: no files of this user, no metadata of this machine.</summary>
    private Task<NodeProcess> StartAsync(Dictionary<string, string> environment, params string[] options)
    {
        NodeSettings settings = new();
        settings.Mounts["data"] = [$"source: \"s3://{PatternSource.Bucket}/?endpoint={_source.Endpoint}&region=us-east-1&path-style=true\"", "metadata-ttl: 0", .. options];
        settings.Environment["HOME"] = _directory.Path;
        settings.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        foreach ((string name, string value) in environment)
        {
            settings.Environment[name] = value;
        }

        return NodeProcess.StartAsync(settings);
    }

    private string WriteProfiles()
    {
        File.WriteAllText(_directory["credentials"], Files);
        return _directory["credentials"];
    }
}
