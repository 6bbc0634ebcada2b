using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.S3.Tests.Fakes;
using Xunit.Abstractions;

namespace Forebay.S3.Tests;

/// <summary>The clients people use, end to end.</summary>
public sealed class CommandLineClientTests(ITestOutputHelper output)
{
    [Fact]
    public async Task TheAwsCommandLineListsCopiesAndReadsPresigned()
    {
        if (!IsInstalled("aws"))
        {
            output.WriteLine("skipped: the program aws (package awscli) is not installed");
            return;
        }

        await using TestServer server = await TestServer.StartAsync(o => o with { AllowAnonymous = false });
        byte[] bytes = RandomNumberGenerator.GetBytes(20_000_000);
        server.Bucket.Put("dir/a b+c.bin", bytes);
        string copy = Path.Combine(Path.GetTempPath(), $"forebay-s3-{Guid.NewGuid():N}");
        try
        {
            Assert.Contains("data", await AwsAsync(server, "s3", "ls"), StringComparison.Ordinal);
            Assert.Contains("20000000 dir/a b+c.bin", await AwsAsync(server, "s3", "ls", "--recursive", "s3://data/"), StringComparison.Ordinal);
            await AwsAsync(server, "s3", "cp", "--only-show-errors", "s3://data/dir/a b+c.bin", copy);
            Assert.Equal(bytes, await File.ReadAllBytesAsync(copy));
        }
        finally
        {
            File.Delete(copy);
        }
    }

    private static bool IsInstalled(string program)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(d => File.Exists(Path.Combine(d, program)));

    private async Task<string> AwsAsync(TestServer server, params string[] arguments)
    {
        var start = new ProcessStartInfo("aws", ["--endpoint-url", server.Uri.ToString(), "--region", "eu-west-7", .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["AWS_ACCESS_KEY_ID"] = TestServer.KeyId;
        start.Environment["AWS_SECRET_ACCESS_KEY"] = TestServer.Secret;
        start.Environment["AWS_CONFIG_FILE"] = "/dev/null";
        start.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync(timeout.Token);
        string text = await process.StandardOutput.ReadToEndAsync(timeout.Token);
        await process.WaitForExitAsync(timeout.Token);
        output.WriteLine(text + await errors);
        Assert.True(process.ExitCode == 0, $"aws {string.Join(' ', arguments)} ended with {process.ExitCode}: {await errors}");
        return text;
    }
}
