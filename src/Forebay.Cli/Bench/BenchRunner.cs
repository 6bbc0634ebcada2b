using Forebay.Admin;
using Forebay.Admin.Client;
using Forebay.Caching;
using Forebay.Cli.Configuration;
using Forebay.Cli.Measuring;
using Forebay.Cli.Serve;
using Forebay.Cli.Verbs;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Options;
using Forebay.Engine.Status;

namespace Forebay.Cli.Bench;

/// <summary>What to measure.</summary>
internal sealed record BenchRequest
{
    /// <summary>NAME=URL of a source; null when <see cref="Path"/> is given.</summary>
    public string? Mount { get; init; }

    /// <summary>Path in the namespace of a running node.</summary>
    public string? Path { get; init; }

    /// <summary>Most bytes to read.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Objects read at the same time.</summary>
    public required int Readers { get; init; }

    /// <summary>S3 endpoint of the running node.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Admin address of the running node; null for the usual one.</summary>
    public string? Admin { get; init; }

    /// <summary>How the result is printed.</summary>
    public OutputFormat Format { get; init; }

    /// <summary>Looks up an environment variable.</summary>
    public required Func<string, string?> Environment { get; init; }
}

/// <summary>
/// The work of <c>forebay bench</c>. With a source: 1. a node of its own with an empty cache, 2. the largest objects that fit are read
/// directly, 3. through the node cold and hot. With a running node: the objects are read as they are (nothing is dropped), then again.
/// </summary>
internal sealed class BenchRunner(BenchRequest request, ComposeNode compose, TextWriter output, TextWriter error, CancellationToken stop)
{
    private const int MostListed = 100_000;
    private const int MostObjects = 1000;
    private readonly TimeProvider _time = TimeProvider.System;

    private string Readers => request.Readers == 1 ? "1 reader" : $"{request.Readers} readers";

    /// <summary>Measures; gives the exit code.</summary>
    public async Task<int> RunAsync()
    {
        try
        {
            return request.Mount is null ? await RunningNodeAsync(request.Path!) : await OwnNodeAsync(request.Mount);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            error.WriteLine("forebay: stopped.");
            return VerbExitCode.Interrupted;
        }
        catch (AdminClientException e)
        {
            error.WriteLine($"forebay: {e.Message}");
            return VerbExitCode.Of(e);
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException or HttpRequestException)
        {
            error.WriteLine($"forebay: {e.Message}");
            return e is ForebayException { Kind: ErrorKind.NotFound } ? ExitCode.NotFound : ExitCode.Failure;
        }
    }

    /// <summary>The largest objects that fit into the size together, largest first; empty objects are left out.</summary>
    internal static List<MeasuredObject> Choose(IEnumerable<MeasuredObject> listed, long sizeBytes)
    {
        List<MeasuredObject> chosen = [];
        long room = sizeBytes;
        foreach (MeasuredObject one in listed.Where(one => one.Length > 0).OrderByDescending(one => one.Length).ThenBy(one => one.Key, StringComparer.Ordinal))
        {
            if (one.Length <= room && chosen.Count < MostObjects)
            {
                chosen.Add(one);
                room -= one.Length;
            }
        }

        return chosen;
    }

    private async Task<int> OwnNodeAsync(string mount)
    {
        string directory = Directory.CreateTempSubdirectory("forebay-bench-").FullName;
        try
        {
            // Step 1: the node. Twice the size and more, so that nothing is evicted and no object is too large for the tier.
            long quota = (2 * request.SizeBytes) + (64L << 20);
            if (DefaultCache.DiskSpaceOf(directory).Free < request.SizeBytes + (64L << 20))
            {
                error.WriteLine($"forebay: the cache of this measurement needs {ByteSize.Round(request.SizeBytes)} in {System.IO.Path.GetDirectoryName(directory)}; free some, set TMPDIR, or give a smaller --size.");
                return ExitCode.Environment;
            }

            if (Configure(mount, System.IO.Path.Combine(directory, "cache"), quota) is not { } configured)
            {
                return ExitCode.Usage;
            }

            (ForebayConfiguration configuration, KeyConfiguration? key) = GeneratedKey.AddTo(configured);
            IUnderStore? source = null;
            NodePlan plan = new(configuration, new Readiness(), _time) { Wrap = store => source = store };
            await using NodeHost host = await NodeHost.StartAsync(plan, compose, stop);
            MountPointOptions options = configuration.Mounts[0].Engine;

            // Step 2: the objects, directly.
            List<MeasuredObject> objects = Choose(await ListAsync(host.Node.Find(options.Name)!), request.SizeBytes);
            if (!CheckChosen(objects, $"{configuration.Mounts[0].Source}"))
            {
                return ExitCode.NotFound;
            }

            using SignedS3Client client = new(host.Edges[0].Address, key!, request.Readers, _time);
            NodeReadings readings = new(new SignedReader(client, options.Name), () => ValueTask.FromResult(host.Node.GetStatus().MountPoints[0]), _time, stop);
            IReadOnlyList<MeasuredObject> known = await readings.DirectAsync($"source directly, {Readers}", source!, options.Prefix, objects, request.Readers);

            // Step 3: the same through the node.
            await readings.ThroughAsync($"Forebay, cold, {Readers}", known, request.Readers);
            await readings.ThroughAsync($"Forebay, hot, {Readers}", known, request.Readers);
            readings.Write(request.Format, output);
            return ExitCode.Success;
        }
        finally
        {
            TemporaryNode.Remove(directory, error);
        }
    }

    private async Task<int> RunningNodeAsync(string path)
    {
        string address = request.Admin ?? request.Environment("FOREBAY_ADMIN") ?? AdminServerOptions.DefaultAddress;
        string[] parts = path.TrimStart('/').Split('/', 2);
        if (AdminClient.ParseAddress(address) is not { } admin || parts[0].Length == 0 || !Uri.TryCreate(request.Endpoint, UriKind.Absolute, out Uri? endpoint))
        {
            error.WriteLine("forebay: give a PATH such as /name/prefix/, an admin address host:port and an S3 endpoint http://host:port.");
            return ExitCode.Usage;
        }

        if (request.Environment("FOREBAY_ACCESS_KEY_ID") is not { Length: > 0 } id || request.Environment("FOREBAY_SECRET_ACCESS_KEY") is not { Length: > 0 } secret)
        {
            error.WriteLine("forebay: set FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY to a key pair of the node.");
            return ExitCode.Usage;
        }

        using AdminClient node = new(admin, AdminCredentials.FromEnvironment(request.Environment), _time);
        List<MeasuredObject> listed = [];
        await foreach (Admin.Api.ListingEntry entry in node.ListAsync(path, recursive: true, stop))
        {
            if (entry.Bytes is { } length && listed.Count < MostListed)
            {
                listed.Add(new MeasuredObject(entry.Path[(parts[0].Length + 2)..], length, Checksum: 0));
            }
        }

        List<MeasuredObject> objects = Choose(listed, request.SizeBytes);
        if (!CheckChosen(objects, path))
        {
            return ExitCode.NotFound;
        }

        KeyConfiguration key = new() { AccessKeyId = id, SecretAccessKey = new Secret(secret) };
        using SignedS3Client client = new(endpoint.AbsoluteUri, key, request.Readers, _time);
        NodeReadings readings = new(new SignedReader(client, parts[0]), StatusAsync, _time, stop);
        IReadOnlyList<MeasuredObject> known = await readings.FirstAsync($"Forebay, as it was, {Readers}", objects, request.Readers);
        await readings.ThroughAsync($"Forebay, again, {Readers}", known, request.Readers);
        readings.Write(request.Format, output);
        return ExitCode.Success;

        async ValueTask<MountPointStatus> StatusAsync()
            => (await node.GetStatusAsync(stop)).MountPoints.First(mount => string.Equals(mount.Name, parts[0], StringComparison.Ordinal));
    }

    private ForebayConfiguration? Configure(string mount, string cache, long quota)
    {
        ConfigurationResult loaded = ConfigurationLoader.Load(new ConfigurationInput
        {
            // Only what belongs to the source: addresses and keys of a node on this machine must not leak into this one.
            Environment = name => name.StartsWith("FOREBAY_MOUNT_", StringComparison.Ordinal) ? request.Environment(name) : null,
            MountFlags = [mount],
            CheckSource = CompositionRoot.CheckSource,
        });
        foreach (Fault fault in loaded.Faults)
        {
            error.WriteLine(fault);
        }

        if (loaded.Configuration is not { } configuration)
        {
            return null;
        }

        return configuration with
        {
            Engine = configuration.Engine with { Tiers = [new TierOptions { Directory = cache, QuotaBytes = quota }] },
            S3 = configuration.S3 with { Address = TemporaryNode.FreeOr(configuration.S3.Address) },
            Admin = configuration.Admin with { Address = TemporaryNode.FreeOr(configuration.Admin.Address) },
            Log = new LogConfiguration { Level = LogDetail.Warning },
        };
    }

    private async Task<List<MeasuredObject>> ListAsync(IMountPoint mount)
    {
        List<MeasuredObject> listed = [];
        string? after = null;
        ListPage page;
        do
        {
            page = await mount.ListAsync(new ListQuery("", Delimiter: null, after, MaxEntries: 1000), requestId: null, stop);
            listed.AddRange(page.Entries.Where(entry => entry.Stat is not null).Select(entry => new MeasuredObject(entry.Name, entry.Stat!.Length, Checksum: 0)));
            after = page.Entries.Count > 0 ? page.Entries[^1].Name : null;
        }
        while (page.IsTruncated && listed.Count < MostListed);
        return listed;
    }

    private bool CheckChosen(List<MeasuredObject> objects, string where)
    {
        if (objects.Count == 0)
        {
            error.WriteLine($"forebay: {where} has no object of 1 B to {ByteSize.Round(request.SizeBytes)}; give a larger --size or another path.");
            return false;
        }

        if (request.Format == OutputFormat.Table)
        {
            output.WriteLine($"{objects.Count} objects, {ByteSize.Round(objects.Sum(one => one.Length))}, the largest below {where}");
            output.WriteLine();
        }

        return true;
    }
}
