using Forebay.Robustness.Detectors;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>Secrets of the endpoint and of the source appear nowhere, at the most talkative log level, also when things fail.</summary>
public sealed class SecretTests
{
    private static readonly string[] Secrets = [NodeSettings.SecretAccessKey, "source-secret-55d0b2c9", "token-31f0aa7e-admin", "session-token-9d4c"];

    [Fact]
    public async Task SecretsAreNowhere()
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        source.Put("object", 1, 1 << 20);
        source.Faults = request => request.Key == "broken" ? new SourceFault(FaultKind.ServerError) : null;
        NodeSettings settings = new NodeSettings { CacheDirectory = directory["cache"], Fill = NodeSettings.ShortTimeouts }
            .MountS3("data", source.Endpoint, PatternSource.Bucket, "session-token: session-token-9d4c");
        settings.Environment["FOREBAY_LOG_LEVEL"] = "debug";
        settings.Environment["FOREBAY_ADMIN_TOKEN"] = "token-31f0aa7e-admin";
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using SignedClient client = new(node.S3Address);
        List<string> texts = [];

        Assert.True((await client.GetAsync("data", "object")).IsSuccess);
        texts.Add(Text(await client.GetAsync("data", "broken")));
        texts.Add(Text(await client.GetAsync("data", "missing")));
        texts.Add(Text(await client.GetAsync("nowhere", "object")));
        using (HttpClient unsigned = new())
        {
            string wrong = client.Sign("data", "object").Replace("X-Amz-Signature=", "X-Amz-Signature=0", StringComparison.Ordinal);
            texts.Add(await (await unsigned.GetAsync(wrong)).Content.ReadAsStringAsync());
        }

        foreach (string path in new[] { "/metrics", "/", "/page.js", "/api/v1/status", "/api/v1/openapi.json", "/healthz", "/readyz" })
        {
            texts.Add((await node.GetAdminAsync(path)).Body);
        }

        texts.Add(await node.RunVerbAsync("status"));
        texts.Add(await node.RunVerbAsync("status", "--output", "json"));
        texts.Add(await File.ReadAllTextAsync($"/proc/{node.Id}/cmdline"));
        node.Terminate();
        await node.WaitForExitAsync(TimeSpan.FromSeconds(25));
        texts.Add(node.Output);
        texts.Add(node.Error);
        texts.AddRange(Directory.EnumerateFiles(directory["cache"]).Where(path => !path.EndsWith("lock", StringComparison.Ordinal)).Select(path => System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path))));

        SecretDetector.Judge(texts, Secrets, allowed: PatternSource.Bucket).AssertPass();
    }

    private static string Text(Answer answer) => System.Text.Encoding.UTF8.GetString(answer.Body);
}
