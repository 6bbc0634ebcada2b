using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// Tells the kernel what to drop from its caches. Notifications wait in a bounded queue and are sent in order by one thread of
/// their own, since the kernel may wait inside for a request on the same inode to be answered: never send one from the thread that
/// answers. Every method returns at once and is thread-safe.
/// </summary>
/// <remarks>
/// False means that nothing was queued: the queue is full, the kernel is too old (<see cref="Can"/>), or the session has ended. With
/// a full queue <see cref="IncrementEpoch"/> is the cheap way out: one message for all names. That the kernel does not know an
/// inode or name is no fault: then there is nothing to drop.
/// </remarks>
public sealed class FuseNotifier : IAsyncDisposable
{
    /// <summary>Nodeid of the root directory.</summary>
    public const ulong RootNodeId = 1;

    private readonly Lock _lock = new();
    private readonly Queue<Notification> _queue = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly IFuseReplySink _sink;
    private readonly Func<FuseConnection?> _connection;
    private readonly FuseObserver? _observer;
    private readonly int _capacity;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _started;
    private bool _closed;
    private long _sent;
    private long _unknown;

    internal FuseNotifier(IFuseReplySink sink, Func<FuseConnection?> connection, int capacity, FuseObserver? observer)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _sink = sink;
        _connection = connection;
        _capacity = capacity;
        _observer = observer;
    }

    /// <summary>Notifications the kernel took.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Of these: the kernel did not know the inode or name.</summary>
    public long Unknown => Volatile.Read(ref _unknown);

    /// <summary>True once nothing is sent any more.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_lock)
            {
                return _closed;
            }
        }
    }

    /// <summary>True when the kernel understands this kind.</summary>
    public bool Can(FuseNotification kind) => _connection() is { } connection && kind switch
    {
        FuseNotification.ExpireEntry => connection.Has(FuseInitFlags.ExpireOnly),
        FuseNotification.Resend => connection.Has(FuseInitFlags.Resend),
        FuseNotification.IncrementEpoch => connection.KernelMinor >= 44,
        FuseNotification.Prune => connection.KernelMinor >= 45,
        _ => true,
    };

    /// <summary>Drops cached pages and attributes of an inode.</summary>
    /// <param name="nodeId">The inode.</param>
    /// <param name="offset">First byte to drop; negative drops attributes only.</param>
    /// <param name="length">Bytes; 0 for all that follow.</param>
    public bool InvalidateInode(ulong nodeId, long offset = 0, long length = 0)
        => Post(new Notification(FuseNotification.InvalidateInode, nodeId, (ulong)offset, (ulong)length, null, null));

    /// <summary>Drops a name: the next use looks it up.</summary>
    /// <param name="parent">The directory.</param>
    /// <param name="name">1–1,024 bytes; copied.</param>
    public bool InvalidateEntry(ulong parent, ReadOnlySpan<byte> name)
        => Post(new Notification(FuseNotification.InvalidateEntry, parent, 0, 0, name.ToArray(), null));

    /// <summary>Makes a name expire (7.38): the next use validates it by a LOOKUP, and keeps what is below when the same nodeid is answered.</summary>
    /// <param name="parent">The directory.</param>
    /// <param name="name">1–1,024 bytes; copied.</param>
    public bool ExpireEntry(ulong parent, ReadOnlySpan<byte> name)
        => Post(new Notification(FuseNotification.ExpireEntry, parent, 1, 0, name.ToArray(), null));

    /// <summary>Drops a name because its object was deleted; watchers (inotify) see that.</summary>
    /// <param name="parent">The directory.</param>
    /// <param name="child">Nodeid that the name stood for; another one makes the kernel do nothing.</param>
    /// <param name="name">1–1,024 bytes; copied.</param>
    public bool Delete(ulong parent, ulong child, ReadOnlySpan<byte> name)
        => Post(new Notification(FuseNotification.Delete, parent, child, 0, name.ToArray(), null));

    /// <summary>Makes every cached name be looked up at its next use (7.44).</summary>
    public bool IncrementEpoch() => Post(new Notification(FuseNotification.IncrementEpoch, 0, 0, 0, null, null));

    /// <summary>Has all requests that were read and not answered sent again (7.40), with <see cref="FuseRequest.IsRepeated"/>. A successor session does this by itself.</summary>
    /// <remarks>The kernel is told before this returns: the call only moves its requests, and takes no lock that a request could hold.</remarks>
    public bool Resend()
    {
        if (!Can(FuseNotification.Resend))
        {
            return false;
        }

        Send(new Notification(FuseNotification.Resend, 0, 0, 0, null, null), stackalloc byte[64]);
        return true;
    }

    /// <summary>Asks the kernel to forget inodes that nobody uses (7.45).</summary>
    /// <param name="nodeIds">1–1,024 inodes; copied.</param>
    public bool Prune(ReadOnlySpan<ulong> nodeIds)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)(nodeIds.Length - 1), 1023U, nameof(nodeIds));
        return Post(new Notification(FuseNotification.Prune, (ulong)nodeIds.Length, 0, 0, MemoryMarshal.AsBytes(nodeIds).ToArray(), null));
    }

    /// <summary>Waits until everything queued before was sent. Never await it while a request on one of these inodes waits for you.</summary>
    /// <returns>Also ends when the session does.</returns>
    public Task FlushAsync()
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_closed)
            {
                return Task.CompletedTask;
            }

            _queue.Enqueue(new Notification(FuseNotification.None, 0, 0, 0, null, reached));
        }

        _wake.Release();
        return reached.Task;
    }

    /// <summary>Drops what is queued and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        bool started;
        lock (_lock)
        {
            started = _started;
            _closed = true;
        }

        _wake.Release();
        if (started)
        {
            await _ended.Task;
        }

        _wake.Dispose();
    }

    internal void Start()
    {
        lock (_lock)
        {
            if (_started || _closed)
            {
                return;
            }

            _started = true;
        }

        new Thread(SendAll) { IsBackground = true, Name = "fuse-notify" }.Start();
    }

    /// <summary>One message as it goes out; shared with tests.</summary>
    internal static int Encode(in Notification notification, Span<byte> message)
    {
        int at = Unsafe.SizeOf<FuseOutHeader>();
        FuseNotifyCode code;
        switch (notification.Kind)
        {
            case FuseNotification.InvalidateInode:
                code = FuseNotifyCode.InvalidateInode;
                at += Put(message[at..], new FuseNotifyInvalidateInodeOut { NodeId = notification.NodeId, Offset = (long)notification.Second, Length = (long)notification.Third });
                break;
            case FuseNotification.InvalidateEntry or FuseNotification.ExpireEntry:
                code = FuseNotifyCode.InvalidateEntry;
                at += Put(message[at..], new FuseNotifyInvalidateEntryOut { Parent = notification.NodeId, NameLength = (uint)notification.Bytes!.Length, Flags = (uint)notification.Second });
                at += PutName(message[at..], notification.Bytes!);
                break;
            case FuseNotification.Delete:
                code = FuseNotifyCode.Delete;
                at += Put(message[at..], new FuseNotifyDeleteOut { Parent = notification.NodeId, Child = notification.Second, NameLength = (uint)notification.Bytes!.Length });
                at += PutName(message[at..], notification.Bytes!);
                break;
            case FuseNotification.IncrementEpoch:
                code = FuseNotifyCode.IncrementEpoch;
                break;
            case FuseNotification.Resend:
                code = FuseNotifyCode.Resend;
                break;
            case FuseNotification.Prune:
                code = FuseNotifyCode.Prune;
                at += Put(message[at..], new FuseNotifyPruneOut { Count = (uint)notification.NodeId });
                at += PutBytes(message[at..], notification.Bytes!);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(notification));
        }

        MemoryMarshal.Write(message, new FuseOutHeader { Length = (uint)at, Error = (int)code });
        return at;
    }

    private static int Put<T>(Span<byte> destination, in T value)
        where T : unmanaged
    {
        MemoryMarshal.Write(destination, value);
        return Unsafe.SizeOf<T>();
    }

    private static int PutBytes(Span<byte> destination, byte[] bytes)
    {
        bytes.CopyTo(destination);
        return bytes.Length;
    }

    private static int PutName(Span<byte> destination, byte[] name)
    {
        name.CopyTo(destination);
        destination[name.Length] = 0;
        return name.Length + 1;
    }

    private bool Post(Notification notification)
    {
        if (notification.Kind is FuseNotification.InvalidateEntry or FuseNotification.ExpireEntry or FuseNotification.Delete)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)(notification.Bytes!.Length - 1), 1023U, nameof(notification));
        }

        if (!Can(notification.Kind))
        {
            return false;
        }

        lock (_lock)
        {
            if (_closed || _queue.Count >= _capacity)
            {
                return false;
            }

            _queue.Enqueue(notification);
        }

        _wake.Release();
        return true;
    }

    private void SendAll()
    {
        Span<byte> message = new byte[16 * 1024];
        while (true)
        {
            _wake.Wait();
            Notification next;
            lock (_lock)
            {
                if (_closed)
                {
                    break;
                }

                next = _queue.Dequeue();
            }

            if (next.Reached is not null)
            {
                next.Reached.SetResult();
                continue;
            }

            Send(next, message);
        }

        foreach (Notification dropped in _queue)
        {
            dropped.Reached?.SetResult();
        }

        _ended.SetResult();
    }

    private void Send(in Notification notification, Span<byte> message)
    {
        int errno = _sink.Send(message[..Encode(notification, message)], default);
        if (errno is 0 or Errno.ENOENT)
        {
            Interlocked.Increment(ref _sent);
            if (errno != 0)
            {
                Interlocked.Increment(ref _unknown);
            }

            return;
        }

        // The mount is gone: nothing is cached any more.
        if (errno is not (Errno.ENODEV or Errno.ENOTCONN or Errno.ECONNABORTED))
        {
            _observer?.Faulted(new FuseFault(FuseFaultKind.Refused, $"The kernel refused the notification {notification.Kind} with errno {errno}.", null));
        }
    }

    /// <summary>A queued notification; the meaning of the numbers depends on the kind.</summary>
    internal readonly record struct Notification(FuseNotification Kind, ulong NodeId, ulong Second, ulong Third, byte[]? Bytes, TaskCompletionSource? Reached);
}

/// <summary>Kinds of notifications.</summary>
public enum FuseNotification
{
    /// <summary>None.</summary>
    None,

    /// <summary>See <see cref="FuseNotifier.InvalidateInode"/>.</summary>
    InvalidateInode,

    /// <summary>See <see cref="FuseNotifier.InvalidateEntry"/>.</summary>
    InvalidateEntry,

    /// <summary>See <see cref="FuseNotifier.ExpireEntry"/>.</summary>
    ExpireEntry,

    /// <summary>See <see cref="FuseNotifier.Delete"/>.</summary>
    Delete,

    /// <summary>See <see cref="FuseNotifier.IncrementEpoch"/>.</summary>
    IncrementEpoch,

    /// <summary>See <see cref="FuseNotifier.Resend"/>.</summary>
    Resend,

    /// <summary>See <see cref="FuseNotifier.Prune"/>.</summary>
    Prune,
}
