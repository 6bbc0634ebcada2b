using Forebay.Admin;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;
using Forebay.DataPlane;
using Forebay.Engine;
using Forebay.Engine.Options;
using Forebay.FileSystem;
using Forebay.Fuse;
using Forebay.Mounting;
using Forebay.Mounting.Options;
using Forebay.Mounting.Registry;
using Forebay.Mounting.Working;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Cli.Mounting;

/// <summary>What a worker serves: an engine of one mount point, a file system over it, a session with the kernel, and the admin API on the control socket.</summary>
internal sealed class EngineMountService : MountService
{
    private const int FirstPageEntries = 1000;

    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DrainStep = TimeSpan.FromMilliseconds(5);

    /// <summary>Beyond the time at which every request that waits is given up.</summary>
    private static readonly TimeSpan StuckMargin = TimeSpan.FromSeconds(30);

    /// <summary>A successor answers the kernel first; commands wait this much longer.</summary>
    private static readonly TimeSpan ControlDelay = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan AccessLogPatience = TimeSpan.FromSeconds(1);

    private readonly MountDescription _description;
    private readonly SharedMemory _memory;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly Lazy<MountPlan> _plan;
    private readonly Lazy<ILoggerFactory> _logs;
    private readonly CancellationTokenSource _ending = new();
    private Node? _node;
    private FileBorrower? _borrower;
    private MountedFileSystem? _files;
    private FuseSession? _session;
    private AdminServer? _control;
    private MountAccessLog? _accessLog;
    private TimeSpan _requestTimeout;
    private bool _hasCache = true;

    /// <summary>Takes a mount on; nothing is opened yet.</summary>
    public EngineMountService(MountDescription description, SafeFileHandle memory)
    {
        _description = description;
        _memory = SharedMemory.Map(memory, description.RegionBytes);
        _plan = new Lazy<MountPlan>(MakePlan);
        _logs = new Lazy<ILoggerFactory>(() => NodeLogging.Create(new LogConfiguration { Level = DetailOf(_plan.Value.Options.LogLevel) }));
    }

    /// <inheritdoc/>
    public override Task Ended => _session!.Completion;

    /// <inheritdoc/>
    public override bool IsStuck => _session is { } session && session.LongestWait > _requestTimeout + StuckMargin;

    /// <inheritdoc/>
    public override void WarmUp()
    {
        ProcessLimits.Apply(_plan.Value.Engine.MemoryLimitBytes);
        _ = _logs.Value.CreateLogger<EngineMountService>();
    }

    /// <inheritdoc/>
    public override async Task<string?> OpenAsync(bool checkSource, CancellationToken cancellationToken)
    {
        MountPlan plan = _plan.Value;
        ProcessLimits.Apply(plan.Engine.MemoryLimitBytes);
        if (checkSource && plan.Mount.Source is { Scheme: "file", Root: var root } && !Directory.Exists(root))
        {
            // Later it is an outage: a share that is away comes back. A mount begins with one that is there.
            throw new ForebayException(ErrorKind.NotFound, $"{root} is not there, or is no directory: look at the path, or mount the share first.");
        }

        if (checkSource)
        {
            IUnderStore store = new EarlyListing(StoreOf(plan.Engine), new ListQuery(plan.Mount.Engine.Prefix, "/", After: null, FirstPageEntries));
            _node = Node.Open(plan.Engine, _ => store, _time);
        }
        else
        {
            (_node, _hasCache) = await SuccessorNode.OpenAsync(plan.Engine, options => Node.Open(options, _ => StoreOf(options), _time), _logs.Value.CreateLogger<EngineMountService>(), _time);
        }

        _borrower = BorrowerOf(plan);
        _borrower?.Start();
        return checkSource ? await CheckSourceAsync(plan, _node, cancellationToken) : null;
    }

    /// <inheritdoc/>
    public override async Task<MountServing> ServeAsync(SafeFileHandle device, byte[]? connection, Action answered)
    {
        MountPlan plan = _plan.Value;
        ILogger log = _logs.Value.CreateLogger<EngineMountService>();
        FuseConnection? negotiated = connection is null ? null
            : FuseConnection.TryParse(connection) ?? throw new ForebayException(ErrorKind.NotSupported, "What the worker before agreed on with the kernel cannot be understood; unmount and mount again.");
        FuseDevice fuse = new(device);
        FileSystemOptions fileOptions = MountFileSystemOptions.Of(plan.Options, plan.Engine.Tiers.Sum(static tier => tier.QuotaBytes));
        _requestTimeout = fileOptions.RequestTimeout;
        _files = new MountedFileSystem(_node!.FindFiles(plan.Name)!, fileOptions, RegionOf(_memory, _description.RegionBytes), _logs.Value.CreateLogger<MountedFileSystem>(), _time, _borrower);
        FuseSessionOptions options = new()
        {
            Threads = plan.Options.Threads,
            SpinTime = TimeSpan.FromMicroseconds(plan.Options.SpinMicroseconds),
            Connection = new FuseConnectionOptions { Passthrough = fileOptions.Passthrough, ZeroMessageOpen = fileOptions.SilentOpens, ExplicitInvalidation = true },
            Observer = new SessionObserver(log, answered, _files, _time),
        };
        await BeginAccessLogAsync(plan, log);
        _session = new FuseSession(fuse, _files, options, negotiated);
        _files.Attach(fuse, _session.Notifier);
        _session.Start();
        FuseConnection agreed = await _session.Negotiated;
        // The kernel agrees in general; the process may lack the right, and a cache directory may lie on a stacked file system.
        bool passthrough = agreed.Has(FuseInitFlags.Passthrough) && fileOptions.Passthrough
            && (_borrower is not null || (_hasCache && plan.Engine.Tiers.Any(tier => fuse.TakesFilesLike(tier.MarkerPath))));
        MountServiceLog.Serving(log, _description.Source, _description.Directory, agreed.Minor, passthrough);
        _ = Task.Run(() => StartControlAsync(log, negotiated is null ? TimeSpan.Zero : ControlDelay));
        return new MountServing(agreed.ToBytes(), passthrough);
    }

    /// <inheritdoc/>
    public override async Task DrainAsync(CancellationToken cancellationToken)
    {
        if (_session is not { } session)
        {
            return;
        }

        await session.StopAsync(cancellationToken);
        long started = _time.GetTimestamp();
        while (session.OpenRequests > 0 && _time.GetElapsedTime(started) < DrainPatience)
        {
            await Task.Delay(DrainStep, _time, cancellationToken);
        }

        if (session.OpenRequests > 0)
        {
            MountServiceLog.LeftBehind(_logs.Value.CreateLogger<EngineMountService>(), session.OpenRequests);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        if (_control is { } control)
        {
            await control.DisposeAsync();
        }

        if (_session is { } session)
        {
            await session.DisposeAsync();
            _files!.Dispose();
        }

        _borrower?.Dispose();
        if (_node is { } node)
        {
            await node.DisposeAsync();
        }

        // The shared memory stays mapped: a session that did not stop in time may still use it, and the process ends now.
        _ending.Dispose();
    }

    /// <summary>Asks for a first page of the root: it tells a wrong name, a wrong key and a dead address apart, and is wanted at once anyway.</summary>
    /// <returns>A warning, or null.</returns>
    private static async Task<string?> CheckSourceAsync(MountPlan plan, Node engine, CancellationToken cancellationToken)
    {
        try
        {
            DirectoryPage page = await engine.FindFiles(plan.Name)!.ListDirectoryAsync("", after: null, FirstPageEntries, requestId: null, cancellationToken);
            return page.Entries.Count > 0 ? null : SourceRemedy.OfEmpty(plan.Mount.Source);
        }
        catch (ForebayException e)
        {
            throw plan.Node is { } node ? node.Explain(e) : SourceRemedy.Explain(e, plan.Mount.Source, plan.Mount.Access);
        }
    }

    private static unsafe InodeRegion RegionOf(SharedMemory memory, long bytes) => new(memory.Address, bytes);

    private FileBorrower? BorrowerOf(MountPlan plan)
        => plan.Node?.Socket is not { } path ? null : new FileBorrower(
            new FileBorrowerOptions
            {
                Path = path,
                Mount = plan.Node.Name,
                Prefix = plan.Mount.Engine.Prefix,
                AccessKeyId = plan.Mount.Access.AccessKeyId,
                SecretAccessKey = plan.Mount.Access.SecretAccessKey?.Reveal(),
            },
            _time,
            _logs.Value.CreateLogger<FileBorrower>());

    private IUnderStore StoreOf(NodeOptions options) => CompositionRoot.StoreOf(_plan.Value.Mount, options.Fill, _time);

    private MountPlan MakePlan()
    {
        MountOptions options = MountOptionParser.Parse(_description.Options, ignoreUnknown: true).Options;
        return MountPlan.Make(_description.SourceArgument, options, _description.Caches, Environment.GetEnvironmentVariable, out IReadOnlyList<string> faults)
            ?? throw new ForebayException(ErrorKind.InvalidArgument, string.Join(' ', faults));
    }

    private async Task BeginAccessLogAsync(MountPlan plan, ILogger log)
    {
        MountRegistry registry = new(_description.RuntimeDirectory);
        string id = MountRegistry.IdOf(_description.Directory);
        _accessLog = new MountAccessLog(_files!.AccessLog, registry.FileOf(id, "access"), registry.FileOf(id, "access.log"));
        try
        {
            // Its disk may hang: callers are answered without it then.
            await Task.Run(() => _accessLog.Begin(plan.Options.AccessLogFile)).WaitAsync(AccessLogPatience, _time);
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException or TimeoutException)
        {
            // A log that cannot be written must not cost the mount.
            MountServiceLog.NoAccessLog(log, e.Message);
        }
    }

    private async Task StartControlAsync(ILogger log, TimeSpan delay)
    {
        string path = new MountRegistry(_description.RuntimeDirectory).FileOf(MountRegistry.IdOf(_description.Directory), "control");
        try
        {
            await Task.Delay(delay, _time, _ending.Token);
            MountMetricSource figures = new(_plan.Value.Name, _session!.Statistics, () => _session.OpenRequests, _files!.GetStatus);

            // Made under another name: a worker that ends removes what it made, and by then another mount's socket may be there.
            string partial = path + ".new";
            _control = await AdminServer.StartAsync(
                new AdminServerOptions { Node = _node!, SocketPath = partial, AllowAnonymous = true, MetricSources = [figures], AccessLog = _accessLog, Time = _time, LoggerFactory = _logs.Value }, _ending.Token);
            File.Move(partial, path, overwrite: true);
        }
        catch (OperationCanceledException)
        {
            // The worker ends already.
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            MountServiceLog.NoControlSocket(log, e, path);
        }
    }

    private static LogDetail DetailOf(MountLogLevel level) => level switch
    {
        MountLogLevel.Debug => LogDetail.Debug,
        MountLogLevel.Info => LogDetail.Info,
        MountLogLevel.Warning => LogDetail.Warning,
        _ => LogDetail.Error,
    };

    /// <summary>Logs faults and, when that is switched on, requests; tells once that one was answered.</summary>
    private sealed class SessionObserver(ILogger log, Action answered, MountedFileSystem files, TimeProvider time) : FuseObserver
    {
        private readonly LineBudget _faults = new(time, linesPerSecond: 10, suppressed => MountServiceLog.MoreFaults(log, suppressed));
        private int _told;

        public override void Completed(in FuseCompletion completion)
        {
            files.Note(completion);
            if (Volatile.Read(ref _told) == 0 && Interlocked.Exchange(ref _told, 1) == 0)
            {
                answered();
            }
        }

        public override void Faulted(FuseFault fault)
        {
            if (_faults.MayLog())
            {
                MountServiceLog.Faulted(log, fault.Error, fault.Kind, fault.What);
            }
        }
    }
}
