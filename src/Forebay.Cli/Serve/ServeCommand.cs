using System.CommandLine;

namespace Forebay.Cli.Serve;

/// <summary><c>forebay serve</c>: what it takes.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        ConfigurationFlags flags = new();
        Command command = new("serve", "Serves mount points as buckets of an S3 endpoint until it is stopped.");
        flags.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            InvocationConfiguration console = parsed.InvocationConfiguration;
            return ServeRunner.RunAsync(flags.Read(parsed), CompositionRoot.ComposeAsync, console.Output, console.Error);
        });
        return command.WithExamples(
            "forebay serve --mount data=s3://bucket/prefix",
            "forebay serve --mount models=file:///mnt/nas/models --cache /mnt/nvme/forebay:500Gi --preset inference",
            "forebay serve --mount data='minio://bucket?endpoint=http://minio:9000' --s3 :9000",
            "forebay serve --config /etc/forebay/forebay.yaml");
    }
}
