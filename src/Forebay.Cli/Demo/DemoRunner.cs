using Forebay.Caching;
using Forebay.Cli.Configuration;
using Forebay.Cli.Measuring;
using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.Engine.Options;

namespace Forebay.Cli.Demo;

/// <summary>
/// The work of <c>forebay demo</c>: 1. write a data set, 2. serve it from behind an emulated slow link, 3. read it without the cache,
/// cold and hot, and compare every byte's checksum, 4. print the table, 5. leave the node running (or end), 6. remove everything.
/// </summary>
internal sealed class DemoRunner
{
    private const string Bucket = "demo";
    private const int Readers = 8;
    private const long LinkBytesPerSecond = 50_000_000;
    private static readonly TimeSpan LinkFirstByte = TimeSpan.FromMilliseconds(20);

    private readonly ComposeNode _compose;
    private readonly TextWriter _output;
    private readonly TextWriter _talk;
    private readonly OutputFormat _format;
    private readonly CancellationToken _stop;
    private readonly TimeProvider _time = TimeProvider.System;

    private DemoRunner(ComposeNode compose, OutputFormat format, TextWriter output, TextWriter error, CancellationToken stop)
    {
        _compose = compose;
        _format = format;
        _output = output;
        _talk = format == OutputFormat.Json ? error : output;
        _stop = stop;
    }

    /// <summary>Runs the demonstration; gives the exit code.</summary>
    public static async Task<int> RunAsync(bool exit, OutputFormat format, ComposeNode compose, TextWriter output, TextWriter error)
    {
        using TerminationSignals signals = TerminationSignals.Listen();
        string directory = Directory.CreateTempSubdirectory("forebay-demo-").FullName;
        try
        {
            if (DefaultCache.DiskSpaceOf(directory).Free < DemoData.RoomBytes)
            {
                error.WriteLine($"forebay: the demonstration needs {ByteSize.Format(DemoData.RoomBytes)} in {Path.GetDirectoryName(directory)}; free some or set TMPDIR.");
                return ExitCode.Environment;
            }

            return await new DemoRunner(compose, format, output, error, signals.Requested).RunAsync(directory, exit);
        }
        catch (OperationCanceledException) when (signals.Requested.IsCancellationRequested)
        {
            return ExitCode.Success;
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException or HttpRequestException)
        {
            error.WriteLine($"forebay: {e.Message}");
            return e is ForebayException ? ExitCode.Failure : ExitCode.Environment;
        }
        finally
        {
            TemporaryNode.Remove(directory, error);
        }
    }

    private async Task<int> RunAsync(string directory, bool exit)
    {
        // Step 1: the data set.
        string source = Path.Combine(directory, "source");
        _talk.WriteLine("writing a data set of about 300 MiB (one model, 64 shards, 200 small files)…");
        DemoData data = DemoData.Write(source, _stop);

        // Step 2: the node.
        IUnderStore? link = null;
        (ForebayConfiguration configuration, KeyConfiguration? key) = GeneratedKey.AddTo(Configure(source, Path.Combine(directory, "cache")));
        NodePlan plan = new(configuration, new Readiness(), _time)
        {
            Wrap = store => link = new EmulatedLink(store, LinkFirstByte, LinkBytesPerSecond, _time),
        };
        await using NodeHost host = await NodeHost.StartAsync(plan, _compose, _stop);
        string endpoint = host.Edges[0].Address;
        _talk.WriteLine("serving it from behind an emulated link: 20 ms to the first byte, 50 MB/s per connection");
        _talk.WriteLine();

        // Step 3: the readings.
        using SignedS3Client client = new(endpoint, key!, Readers, _time);
        NodeReadings readings = new(new SignedReader(client, Bucket), () => ValueTask.FromResult(host.Node.GetStatus().MountPoints[0]), _time, _stop);
        await readings.DirectAsync("model, straight over the link", link!, keyPrefix: "", [data.Model], readers: 1);
        await readings.ThroughAsync("model, cold, 1 reader", [data.Model], readers: 1);
        await readings.ThroughAsync("model, hot, 1 reader", [data.Model], readers: 1);
        await readings.ThroughAsync("64 shards, cold, 8 readers", data.ShardFiles, Readers);
        await readings.ThroughAsync("64 shards, hot, 8 readers", data.ShardFiles, Readers);
        await readings.ThroughAsync("200 small files, cold, 8 readers", data.Small, Readers);
        await readings.ThroughAsync("200 small files, hot, 8 readers", data.Small, Readers);

        // Step 4: the table.
        readings.Write(_format, _output);
        _talk.WriteLine();
        _talk.WriteLine("every byte was compared with the source by its checksum");

        // Step 5: something to try.
        if (!exit)
        {
            WriteNextSteps(host, endpoint, key!);
            await ServeRunner.WaitAsync(_stop);
            await host.DrainAsync();
        }

        return ExitCode.Success;
    }

    private static ForebayConfiguration Configure(string source, string cache)
    {
        S3Configuration s3 = new();
        AdminConfiguration admin = new();
        MountConfiguration mount = new()
        {
            Engine = new MountPointOptions { Name = Bucket, Source = $"file://{source}" },
            Source = new SourceUrl("file", source, ""),
        };
        return new ForebayConfiguration
        {
            Engine = new NodeOptions
            {
                MountPoints = [mount.Engine],
                Tiers = [new TierOptions { Directory = cache, QuotaBytes = DemoData.RoomBytes / 2 }],
            },
            Mounts = [mount],
            S3 = s3 with { Address = TemporaryNode.FreeOr(s3.Address) },
            Admin = admin with { Address = TemporaryNode.FreeOr(admin.Address) },
            Log = new LogConfiguration { Level = LogDetail.Warning },
        };
    }

    private void WriteNextSteps(NodeHost host, string endpoint, KeyConfiguration key)
    {
        string admin = host.Edges.Count > 1 ? new Uri(host.Edges[1].Address).Authority : "";
        _talk.WriteLine();
        _talk.WriteLine($"the node is still running: S3 {endpoint}, admin http://{admin}; try in another shell");
        _talk.WriteLine();
        _talk.WriteLine($"  export AWS_ACCESS_KEY_ID={key.AccessKeyId} AWS_SECRET_ACCESS_KEY={key.SecretAccessKey!.Reveal()} AWS_DEFAULT_REGION=us-east-1");
        _talk.WriteLine($"  aws --endpoint-url {endpoint} s3 ls s3://{Bucket}/train/");
        _talk.WriteLine($"  aws --endpoint-url {endpoint} s3 cp s3://{Bucket}/model/weights.safetensors /tmp/");
        _talk.WriteLine($"  curl http://{admin}/metrics");
        _talk.WriteLine();
        _talk.WriteLine("Ctrl-C ends it and removes its files");
        _talk.Flush();
    }
}
