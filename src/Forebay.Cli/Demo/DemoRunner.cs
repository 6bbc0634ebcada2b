using System.Net;
using System.Net.Sockets;
using Forebay.Caching;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.Engine.Options;
using Forebay.Engine.Status;

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
    private readonly CancellationToken _stop;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly List<DemoRow> _rows = [];

    private DemoRunner(ComposeNode compose, TextWriter output, CancellationToken stop)
    {
        _compose = compose;
        _output = output;
        _stop = stop;
    }

    /// <summary>Runs the demonstration; gives the exit code.</summary>
    public static async Task<int> RunAsync(bool exit, ComposeNode compose, TextWriter output, TextWriter error)
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

            return await new DemoRunner(compose, output, signals.Requested).RunAsync(directory, exit);
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
            // What a reader or a failing disk still holds is left to the system's own cleaning of temporary files.
            try
            {
                Directory.Delete(directory, recursive: true);
            }
            catch (IOException)
            {
                error.WriteLine($"forebay: {directory} could not be removed.");
            }
        }
    }

    private async Task<int> RunAsync(string directory, bool exit)
    {
        // Step 1: the data set.
        string source = Path.Combine(directory, "source");
        _output.WriteLine("writing a data set of about 300 MiB (one model, 64 shards, 200 small files)…");
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
        _output.WriteLine("serving it from behind an emulated link: 20 ms to the first byte, 50 MB/s per connection");
        _output.WriteLine();

        // Step 3: the readings.
        using SignedS3Client client = new(endpoint, key!, Readers, _time);
        await MeasureDirectAsync(link!, data.Model);
        await MeasureAsync(host, client, "model, cold, 1 reader", [data.Model], readers: 1);
        await MeasureAsync(host, client, "model, hot, 1 reader", [data.Model], readers: 1);
        await MeasureAsync(host, client, "64 shards, cold, 8 readers", data.ShardFiles, Readers);
        await MeasureAsync(host, client, "64 shards, hot, 8 readers", data.ShardFiles, Readers);
        await MeasureAsync(host, client, "200 small files, cold, 8 readers", data.Small, Readers);
        await MeasureAsync(host, client, "200 small files, hot, 8 readers", data.Small, Readers);

        // Step 4: the table.
        DemoTable.Write(_output, _rows);
        _output.WriteLine();
        _output.WriteLine("every byte was compared with the source by its checksum");

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
            S3 = s3 with { Address = FreeOr(s3.Address) },
            Admin = admin with { Address = FreeOr(admin.Address) },
            Log = new LogConfiguration { Level = LogDetail.Warning },
        };
    }

    /// <summary>The address itself, or a free port of its interface when somebody listens there already.</summary>
    internal static ListenAddress FreeOr(ListenAddress address)
    {
        try
        {
            using Socket probe = new(address.Host.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address.Host, address.Port));
            return address;
        }
        catch (SocketException)
        {
            return address with { Port = 0 };
        }
    }

    /// <summary>One connection over the link, without Forebay: what a client gets by itself.</summary>
    private async Task MeasureDirectAsync(IUnderStore link, DemoFile file)
    {
        long started = _time.GetTimestamp();
        await using UnderStoreRead read = await link.ReadAsync(file.Key, new ByteRange(0, file.Length), expected: null, requestId: null, _stop);
        byte[] buffer = new byte[256 << 10];
        long received = 0;
        for (int count; (count = await read.ReadAsync(buffer, _stop)) > 0; received += count)
        {
        }

        _rows.Add(new DemoRow("model, straight over the link", _time.GetElapsedTime(started), received, HitRatio: null, received));
    }

    private async Task MeasureAsync(NodeHost host, SignedS3Client client, string operation, IReadOnlyList<DemoFile> files, int readers)
    {
        MountPointStatus before = host.Node.GetStatus().MountPoints[0];
        long started = _time.GetTimestamp();
        ParallelOptions options = new() { MaxDegreeOfParallelism = readers, CancellationToken = _stop };
        await Parallel.ForEachAsync(files, options, async (file, cancellationToken) =>
        {
            ReceivedObject received = await client.GetAsync(Bucket, file.Key, cancellationToken);
            if (received != new ReceivedObject(file.Length, file.Checksum))
            {
                throw new ForebayException(ErrorKind.Corrupt, $"/{Bucket}/{file.Key} came with other bytes than its source has.");
            }
        });
        TimeSpan elapsed = _time.GetElapsedTime(started);
        MountPointStatus after = host.Node.GetStatus().MountPoints[0];
        long hits = after.HitBytes - before.HitBytes;
        long all = hits + after.MissBytes - before.MissBytes;
        double ratio = all == 0 ? 0 : (double)hits / all;
        _rows.Add(new DemoRow(operation, elapsed, files.Sum(file => file.Length), ratio, after.UnderStoreBytesRead - before.UnderStoreBytesRead));
    }

    private void WriteNextSteps(NodeHost host, string endpoint, KeyConfiguration key)
    {
        string admin = host.Edges.Count > 1 ? new Uri(host.Edges[1].Address).Authority : "";
        _output.WriteLine();
        _output.WriteLine($"the node is still running: S3 {endpoint}, admin http://{admin}; try in another shell");
        _output.WriteLine();
        _output.WriteLine($"  export AWS_ACCESS_KEY_ID={key.AccessKeyId} AWS_SECRET_ACCESS_KEY={key.SecretAccessKey!.Reveal()} AWS_DEFAULT_REGION=us-east-1");
        _output.WriteLine($"  aws --endpoint-url {endpoint} s3 ls s3://{Bucket}/train/");
        _output.WriteLine($"  aws --endpoint-url {endpoint} s3 cp s3://{Bucket}/model/weights.safetensors /tmp/");
        _output.WriteLine($"  curl http://{admin}/metrics");
        _output.WriteLine();
        _output.WriteLine("Ctrl-C ends it and removes its files");
        _output.Flush();
    }
}
