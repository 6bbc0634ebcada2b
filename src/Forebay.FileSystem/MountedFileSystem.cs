using System.Security.Cryptography;
using System.Text;
using System.Buffers.Binary;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;
using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>
/// A mount point of the engine as a file system, reading. Give it to a <see cref="FuseSession"/> and call <see cref="Attach"/> before the session
/// starts. What it does for each operation, and what a program may rely on: docs/SEMANTICS.md.
/// </summary>
/// <remarks>
/// Answers at once what is known and verified, on the session's thread; everything else later, from the thread pool. All that must outlive this
/// process is in the inode table. Lock order: 1. a stripe of opens or the silent files' lock, 2. the backings' lock, 3. the table's. None is held while anything is waited for.
/// </remarks>
public sealed partial class MountedFileSystem : FuseFileSystem, IDisposable
{
    /// <summary>What is answered so soon after a signal is no EINTR: programs that are stopped, frozen or profiled did not ask for one, and few know what to do with it.</summary>
    private static readonly TimeSpan SignalPatience = TimeSpan.FromSeconds(3);

    private readonly IFileMountPoint _mount;
    private readonly IWholeFileSource? _lenders;
    private readonly FileSystemOptions _options;
    private readonly InodeTable _table;
    private readonly AttributeWriter _attributes;
    private readonly AttributeRule _rule;
    private readonly DirectoryMarkers _markers;
    private readonly ListedHeaders _headers;
    private readonly TimeProvider _time;
    private readonly FileSystemFailures _failures;
    private readonly ILogger _logger;
    private readonly Backings _backings;
    private readonly OpenFiles _files;
    private readonly SilentFiles _silent;
    private readonly DirectoryStreams _streams;
    private readonly DirectoryPrefetch _prefetch;
    private readonly NameSurveys _surveys;
    private IKernelCache? _kernel;
    private FuseDevice? _device;
    private FuseNotifier? _notifier;
    private int _toldFull;

    /// <summary>Creates the file system, or takes over that of a killed process when the region holds one.</summary>
    /// <param name="mount">What is mounted; must outlive the file system.</param>
    /// <param name="options">How.</param>
    /// <param name="region">Memory of the inode table; must outlive the file system.</param>
    /// <param name="logger">Takes faults and failures.</param>
    /// <param name="time">Clock of deadlines.</param>
    /// <param name="lenders">Who may lend whole files that the mount point does not have, or null; must outlive the file system.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the region holds the table of something else.</exception>
    public MountedFileSystem(IFileMountPoint mount, FileSystemOptions options, InodeRegion region, ILogger logger, TimeProvider time, IWholeFileSource? lenders = null)
    {
        ArgumentNullException.ThrowIfNull(mount);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(region);
        ArgumentNullException.ThrowIfNull(time);
        _mount = mount;
        _lenders = lenders;
        _options = options;
        _logger = logger;
        _time = time;
        _table = new InodeTable(region, IdentityOf(mount), time.GetUtcNow());
        _attributes = new AttributeWriter(options);
        _rule = new AttributeRule(options.ObjectAttributes);
        _markers = new DirectoryMarkers(mount, _rule, time);
        _headers = new ListedHeaders(mount, _rule, _markers, time);
        _failures = new FileSystemFailures(logger, time);
        _backings = new Backings(_table, mount, options, logger, time);
        _prefetch = new DirectoryPrefetch(mount, options, lenders);
        _files = new OpenFiles(mount, _table, lenders, options.MaxWaitingReads);
        _silent = new SilentFiles(OpenSilently, time);
        _streams = new DirectoryStreams(mount, _table, options.MaxDirectoryBytes, time);
        _surveys = new NameSurveys(mount, time);
        AccessLog = new AccessLog(time);
        mount.WatchForgotten(OnForgotten);
    }

    internal InodeTable Table => _table;

    internal long HeldDirectoryBytes => _streams.HeldBytes;

    /// <summary>Tells of the session that will serve this file system; before it starts.</summary>
    /// <param name="device">Its device, for files the kernel reads itself.</param>
    /// <param name="notifier">For what the kernel must forget.</param>
    public void Attach(FuseDevice device, FuseNotifier notifier)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(notifier);
        _device = device;
        _notifier = notifier;
    }

    /// <summary>Figures at this moment.</summary>
    public FileSystemStatus GetStatus() => new()
    {
        Inodes = _table.Count,
        MaxInodes = _table.Capacity,
        InodeBytes = _table.UsedBytes,
        Handles = _table.HandleCount,
        Backings = _backings.Count,
        Passthrough = _backings.IsAvailable && _options.Passthrough,
        PassthroughOpens = Interlocked.Read(ref _passthroughOpens),
        CachedOpens = Interlocked.Read(ref _cachedOpens),
        StaleOpens = Interlocked.Read(ref _staleOpens),
        HotReads = _files.HotReads,
        ColdReads = _files.ColdReads,
        ReadBytes = _files.ReadBytes,
        PrefetchedFiles = _prefetch.Files,
        PrefetchedFilesUsed = _prefetch.FilesUsed,
        PrefetchedBytes = _prefetch.Bytes,
        UnshowableKeys = _streams.UnshowableKeys,
        HiddenObjects = _streams.HiddenObjects,
        Failures = _failures.Count,
    };

    /// <inheritdoc/>
    public override void Connected(FuseConnection connection)
    {
        if (_device is null || _notifier is null)
        {
            throw new InvalidOperationException("Attach comes before the session starts.");
        }

        Connect(new KernelCache(_device, _notifier, connection));
    }

    /// <summary>Ends reading ahead and gives files back; what the kernel holds stays with it. The session must have ended.</summary>
    public void Dispose()
    {
        _prefetch.Dispose();
        _files.Dispose();
        _silent.Dispose();
        _backings.Dispose();
        AccessLog.Dispose();
    }

    internal void Connect(IKernelCache kernel)
    {
        _kernel = kernel;
        int adopted = _backings.Connect(kernel);
        if (_table.IsTakenOver)
        {
            FileSystemLog.TookOver(_logger, _table.Count, _table.HandleCount, adopted);
        }
    }

    private static ulong IdentityOf(IFileMountPoint mount)
        => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(mount.Source)));

    private RequestDeadline Deadline(FuseRequest request) => new(_options.RequestTimeout, SignalPatience, _time, request.Token);

    private void Fail(FuseRequest request, string operation, string path, Exception error)
        => request.ReplyError(_failures.Report(operation, path, error, request.IsInterrupted));

    private static TimeSpan Least(TimeSpan option, TimeSpan freshFor) => option < freshFor ? option : freshFor;
}
