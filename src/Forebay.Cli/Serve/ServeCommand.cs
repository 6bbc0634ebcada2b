using System.CommandLine;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Serve;

/// <summary><c>forebay serve</c>: what it takes.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        Option<string?> config = new("--config", "-c")
        {
            Description = "Configuration file (FOREBAY_CONFIG when not given). Environment variables override it, flags override both.",
            HelpName = "FILE",
        };
        Option<string[]> mounts = Repeated("--mount", "NAME=URL", $"Mount point: {SourceUrl.Form}. May be repeated.");
        Option<string[]> caches = Repeated(
            "--cache", "DIR:QUOTA[:MEM|SSD|HDD]", "Cache directory with a bound such as 100Gi, or \"none\"; replaces those of the file. May be repeated.");
        Option<string?> s3 = new("--s3") { Description = "Address of the S3 endpoint (default 127.0.0.1:9000).", HelpName = "ADDR" };
        Option<string?> admin = new("--admin") { Description = "Address of the admin API, metrics and health (default 127.0.0.1:9001).", HelpName = "ADDR" };

        Command command = new("serve", "Serves mount points as buckets of an S3 endpoint until it is stopped.") { config, mounts, caches, s3, admin };
        command.SetAction((parsed, _) =>
        {
            ConfigurationInput input = new()
            {
                File = parsed.GetValue(config) ?? NullIfEmpty(Environment.GetEnvironmentVariable("FOREBAY_CONFIG")),
                Environment = Environment.GetEnvironmentVariable,
                MountFlags = parsed.GetValue(mounts) ?? [],
                CacheFlags = parsed.GetValue(caches) ?? [],
                S3Flag = parsed.GetValue(s3),
                AdminFlag = parsed.GetValue(admin),
                CheckSource = CompositionRoot.CheckSource,
            };
            InvocationConfiguration console = parsed.InvocationConfiguration;
            return ServeRunner.RunAsync(input, CompositionRoot.ComposeAsync, console.Output, console.Error);
        });
        return command.WithExamples(
            "forebay serve --mount data=s3://bucket/prefix",
            "forebay serve --mount models=file:///mnt/nas/models --cache /mnt/nvme/forebay:500Gi",
            "forebay serve --mount data='minio://bucket?endpoint=http://minio:9000' --s3 :9000",
            "forebay serve --config /etc/forebay/forebay.yaml");
    }

    private static Option<string[]> Repeated(string name, string value, string description)
        => new(name) { Description = description, HelpName = value, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
