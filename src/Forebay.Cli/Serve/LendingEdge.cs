using Forebay.Admin.Metrics;
using Forebay.Core;
using Forebay.DataPlane;
using Forebay.Mounting.Registry;
using Microsoft.Extensions.Logging;

namespace Forebay.Cli.Serve;

/// <summary>The socket on which the node lends cache files to mounts of its machine. A node that cannot have one serves without it.</summary>
/// <param name="options">What is lent; the path is set when it starts, from where the S3 endpoint listens.</param>
/// <param name="s3">The S3 endpoint; started before.</param>
/// <param name="environment">Looks up an environment variable.</param>
/// <param name="time">Clock of the log.</param>
/// <param name="logger">Takes faults.</param>
internal sealed partial class LendingEdge(FileLenderOptions options, S3Edge s3, Func<string, string?> environment, TimeProvider time, ILogger<LendingEdge> logger) : IEdge
{
    public string Name => "lends";

    /// <summary>Path of the socket; empty while there is none.</summary>
    public string Address { get; private set; } = "";

    /// <summary>What is lent; null while there is no socket.</summary>
    public FileLender? Lender { get; private set; }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.MaxConnections == 0 || options.MaxFiles == 0 || options.MaxBytes == 0)
        {
            return Task.CompletedTask;
        }

        try
        {
            MountRegistry runtime = new(MountRegistry.DirectoryOf(environment));
            runtime.EnsureDirectory();
            string path = Path.Combine(runtime.Directory, $"node-{s3.Bound.Host.Trim('[', ']')}-{s3.Bound.Port}.socket");
            Lender = FileLender.Start(options with { Path = path }, time, logger);
            Address = path;
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            NoSocket(logger, e.Message);
        }

        return Task.CompletedTask;
    }

    public Task DrainAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        Lender?.Dispose();
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(EventId = 1010, Level = LogLevel.Warning, Message = "mounts of this machine read over HTTP only, for they cannot be lent cache files: {Why}")]
    private static partial void NoSocket(ILogger log, string why);
}

/// <summary>Figures of lending among the node's metrics.</summary>
internal sealed class LendingMetricSource(LendingEdge lending) : IMetricSource
{
    public void Collect(MetricSink sink)
    {
        sink.Add(MetricCatalog.LentFiles, lending.Lender?.LentFiles ?? 0);
        sink.Add(MetricCatalog.LentBytes, lending.Lender?.LentBytes ?? 0);
        sink.Add(MetricCatalog.Borrowers, lending.Lender?.Connections ?? 0);
    }
}
