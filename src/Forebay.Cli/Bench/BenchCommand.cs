using System.CommandLine;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;

namespace Forebay.Cli.Bench;

/// <summary><c>forebay bench</c>: what it takes.</summary>
internal static class BenchCommand
{
    private const long DefaultSizeBytes = 256L << 20;
    private const int DefaultReaders = 8;

    public static Command Create()
    {
        Argument<string?> path = new("PATH") { Description = "Path /name/prefix of a running node: reads through its S3 endpoint as it is, then again.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> mount = new("--mount") { Description = $"Source to measure with a node and a cache directory of its own: {SourceUrl.Form}.", HelpName = "NAME=URL" };
        Option<string?> size = new("--size") { Description = $"Most bytes to read: the largest objects that fit; {ByteSize.Format(DefaultSizeBytes)} by default.", HelpName = "SIZE" };
        Option<int?> readers = new("--readers") { Description = $"Objects read at the same time, 1-256; {DefaultReaders} by default.", HelpName = "N" };
        Option<string?> s3 = new("--s3") { Description = "With PATH: S3 endpoint of the node (default http://127.0.0.1:9000).", HelpName = "URL" };
        Option<string?> admin = new("--admin") { Description = "With PATH: admin address of the node; else FOREBAY_ADMIN, else 127.0.0.1:9001.", HelpName = "ADDR" };
        Option<OutputFormat> output = OutputOption.Create();
        Command command = new("bench", "Measures a source directly, through Forebay cold, and through Forebay hot.") { path, mount, size, readers, s3, admin, output };
        command.Validators.Add(result =>
        {
            if (string.IsNullOrEmpty(result.GetValue(path)) == string.IsNullOrEmpty(result.GetValue(mount)))
            {
                result.AddError("Give either --mount NAME=URL, or the PATH of a running node.");
            }

            if (result.GetValue(size) is { } text && (!ByteSize.TryParse(text, out long bytes) || bytes == 0))
            {
                result.AddError($"--size '{text}' is not {ByteSize.Form}.");
            }

            if (result.GetValue(readers) is < 1 or > 256)
            {
                result.AddError("--readers is a number from 1 to 256.");
            }
        });
        command.SetAction(async (parsed, _) =>
        {
            BenchRequest request = new()
            {
                Mount = parsed.GetValue(mount),
                Path = parsed.GetValue(path),
                SizeBytes = parsed.GetValue(size) is { } text && ByteSize.TryParse(text, out long bytes) ? bytes : DefaultSizeBytes,
                Readers = parsed.GetValue(readers) ?? DefaultReaders,
                Endpoint = parsed.GetValue(s3) ?? "http://127.0.0.1:9000",
                Admin = parsed.GetValue(admin),
                Format = parsed.GetValue(output),
                Environment = Environment.GetEnvironmentVariable,
            };
            InvocationConfiguration console = parsed.InvocationConfiguration;
            using TerminationSignals signals = TerminationSignals.Listen();
            return await new BenchRunner(request, CompositionRoot.ComposeAsync, console.Output, console.Error, signals.Requested).RunAsync();
        });
        return command.WithExamples("forebay bench --mount data=s3://bucket/prefix --size 1Gi", "forebay bench /data/train/ --output json");
    }
}
