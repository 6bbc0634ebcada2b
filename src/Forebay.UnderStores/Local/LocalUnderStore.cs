using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.UnderStores.Local;

/// <summary>A directory tree as an under-store: local disk, NAS, NFS, CPFS. Keys are paths below the root.</summary>
/// <remarks>
/// <para>Objects are regular files. Links count as what they lead to, as long as that lies inside the root; links that lead outside,
/// dangle, or lead from a directory to one of its own ancestors are not there. A key with an empty, <c>.</c> or <c>..</c> segment is
/// not found. A directory that may not be read fails the listing that needs it.</para>
/// <para>A root that is away is <see cref="ErrorKind.Unavailable"/> to every call: a share that is not mounted says nothing about its files.</para>
/// <para>A version is size, modification time in ns and inode. The time is that of the file system's last tick (commonly each 1–4 ms), taken when a
/// write(2) begins: while it is young, more may come under the same time. So a file that was changed less than <see cref="SettlingTime"/> ago is read only
/// when it is as old (as Git does not trust an index entry as young as the index), and then only when the write(2) that gave it its time has ended, see
/// <see cref="LocalFile.AwaitWriter"/>. What docs/SEMANTICS.md names can still change bytes
/// under their version: replace files by rename.</para>
/// <para>Thread-safe. File calls run on threads of this store, see <see cref="IoThreads"/>.</para>
/// </remarks>
internal sealed class LocalUnderStore : IUnderStore
{
    /// <summary>Longer than a tick of the clock, after which another write(2) gives another time.</summary>
    internal static readonly TimeSpan SettlingTime = TimeSpan.FromMilliseconds(10);

    /// <summary>Files that were changed longer ago are spared the question whether their write(2) has ended, for which NFS asks its server.</summary>
    internal static readonly TimeSpan OldestAwaitedWrite = TimeSpan.FromMinutes(1);

    /// <summary>Threads that wait for writers at the same time: the wait cannot be given up, and the others have files to read.</summary>
    private const int MaxWaitsForWriters = 4;

    private readonly IoThreads _threads;
    private readonly SemaphoreSlim _waitsForWriters = new(MaxWaitsForWriters);
    private readonly TimeProvider _time;
    private readonly string _root;
    private LocalFile? _files;
    private long _skippedNames;

    public LocalUnderStore(UnderStoreOptions options, int maxThreads, TimeProvider time)
    {
        _time = time;
        _root = options.Root;
        Id = options.Id;
        DisplayName = options.DisplayName;
        _threads = new IoThreads("file under-store", maxThreads);
    }

    /// <inheritdoc/>
    public UnderStoreId Id { get; }

    /// <inheritdoc/>
    public string DisplayName { get; }

    /// <inheritdoc/>
    public bool HasDirectories => true;

    /// <summary>The threads all file calls of this store run on.</summary>
    internal IoThreads Threads => _threads;

    /// <summary>Names met in listings that are no keys: not UTF-8, over 1,024 bytes, or links that lead nowhere allowed.</summary>
    public long SkippedNames => Volatile.Read(ref _skippedNames);

    /// <inheritdoc/>
    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
        => _threads.RunAsync(() => WithHeaders(Files().Stat(CheckKey(key))), abandon: null, cancellationToken);

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(range.Length, nameof(range));
        (SafeFileHandle handle, ObjectStat stat) = await _threads.RunAsync(
            () => Files().OpenRead(CheckKey(key)), static opened => opened.Handle.Dispose(), cancellationToken);
        ByteRange wanted = (range.Length > long.MaxValue - range.Offset ? ByteRange.FromBounds(range.Offset, long.MaxValue) : range).ClampTo(stat.Length);
        if (expected is { } token && token != stat.Token)
        {
            handle.Dispose();
            throw new ForebayException(ErrorKind.StaleVersion, $"'{key}' in {DisplayName} is version {stat.Token} and no longer {token}");
        }

        if (wanted.IsEmpty)
        {
            handle.Dispose();
            throw new ForebayException(ErrorKind.InvalidRange, $"'{key}' in {DisplayName} has {stat.Length} bytes, none at {range.Offset}");
        }

        await SettleAsync(handle, stat.LastModified, cancellationToken);
        return new LocalRead(Files(), _threads, handle, wanted.Offset) { Stat = WithHeaders(stat), Range = wanted };
    }

    private async ValueTask SettleAsync(SafeFileHandle handle, DateTimeOffset modified, CancellationToken cancellationToken)
    {
        TimeSpan age = _time.GetUtcNow() - modified;
        if (age.Duration() >= OldestAwaitedWrite)
        {
            return;
        }

        try
        {
            if (age.Duration() < SettlingTime)
            {
                await Task.Delay(SettlingTime - age, _time, cancellationToken);
            }

            await _waitsForWriters.WaitAsync(cancellationToken);
            await _threads.RunAsync(() => AwaitWriter(handle), abandon: null, CancellationToken.None).WaitAsync(cancellationToken);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private bool AwaitWriter(SafeFileHandle handle)
    {
        try
        {
            return LocalFile.AwaitWriter(handle);
        }
        finally
        {
            // Here: whoever gives up waits no more, but the thread does.
            _waitsForWriters.Release();
        }
    }

    /// <inheritdoc/>
    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentOutOfRangeException.ThrowIfLessThan(query.MaxEntries, 1, nameof(query));
        return _threads.RunAsync(
            () =>
            {
                LocalListing listing = new(Files(), query, cancellationToken);
                ListPage page = listing.ReadPage();
                Interlocked.Add(ref _skippedNames, listing.SkippedNames);
                return page;
            },
            abandon: null,
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _threads.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ObjectStat WithHeaders(ObjectStat stat)
        => stat with { Headers = new ObjectHeaders { ContentType = ContentTypes.Of(stat.Key) } };

    /// <summary>Opened at first use and again after a failure, so that a NAS that is mounted late is found.</summary>
    private LocalFile Files() => _files ??= new LocalFile(_root, DisplayName);

    private string CheckKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return LocalFile.IsKey(key) ? key : throw new ForebayException(ErrorKind.NotFound, $"{DisplayName} has no file '{key}'");
    }
}
