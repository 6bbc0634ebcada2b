using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>
/// One thread that waits for many sockets (<c>epoll</c>, edge-triggered) and runs what their events continue. Nothing that can wait may run
/// on it, as that would hold up all its connections (<see cref="Core.LoopThread"/>).
/// </summary>
/// <remarks>
/// Events carry the connection's slot and a number that is never used again: one that comes late must not meet the connection that took the slot over.
/// Thread-safety: <c>_lock</c> guards the slots; <see cref="Post"/> belongs to the loop's own thread.
/// </remarks>
internal sealed unsafe class EventLoop : IDisposable
{
    private const int MaxEvents = 256;
    private const ulong WakeTag = ulong.MaxValue;

    /// <summary><c>struct epoll_event</c> is packed on x86-64 only.</summary>
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    private static readonly int EventBytes = DataOffset + sizeof(ulong);

    private readonly Lock _lock = new();
    private readonly SafeFileHandle _epoll;
    private readonly SafeFileHandle _wake;
    private readonly Thread _thread;
    private readonly Stack<int> _freeSlots = new();
    private SocketConnection?[] _slots = new SocketConnection?[64];
    private int _usedSlots;
    private uint _number;
    private List<SocketConnection> _posted = [];
    private List<SocketConnection> _running = [];
    private volatile bool _isStopped;

    /// <summary>Starts the thread.</summary>
    /// <param name="number">Names it.</param>
    /// <exception cref="IOException">The process has no descriptors left.</exception>
    internal EventLoop(int number)
    {
        _epoll = Open(Native.EpollCreate(Native.EPOLL_CLOEXEC));
        _wake = Open(Native.EventDescriptor(0, Native.EFD_CLOEXEC));
        Control(_wake, Native.EPOLLIN, WakeTag);
        _thread = new Thread(Run) { IsBackground = true, Name = $"s3 loop {number}" };
        _thread.Start();
    }

    /// <summary>True on the loop's own thread.</summary>
    internal bool IsCurrent => Thread.CurrentThread == _thread;

    /// <summary>Begins to watch a connection's socket; its slot is the connection's until <see cref="Remove"/>.</summary>
    /// <exception cref="IOException">The kernel refused, or the loop is stopped.</exception>
    internal void Add(SocketConnection connection)
    {
        lock (_lock)
        {
            if (_isStopped)
            {
                throw new IOException("The endpoint is stopping.");
            }

            if (!_freeSlots.TryPop(out int slot))
            {
                slot = _usedSlots++;
                if (slot == _slots.Length)
                {
                    Array.Resize(ref _slots, 2 * slot);
                }
            }

            connection.Tag = ((ulong)++_number << 32) | (uint)slot;
            Volatile.Write(ref _slots[slot], connection);
        }

        try
        {
            Control(connection.Handle, Native.EPOLLIN | Native.EPOLLOUT | Native.EPOLLRDHUP | Native.EPOLLET, connection.Tag);
        }
        catch (IOException)
        {
            Remove(connection);
            throw;
        }
    }

    /// <summary>Forgets a connection; the kernel forgets its socket when that is closed.</summary>
    internal void Remove(SocketConnection connection)
    {
        lock (_lock)
        {
            int slot = (int)(uint)connection.Tag;
            _slots[slot] = null;
            _freeSlots.Push(slot);
        }
    }

    /// <summary>Lets a connection go on after the others had their turn; only on the loop's own thread.</summary>
    internal void Post(SocketConnection connection) => _posted.Add(connection);

    /// <summary>Ends the thread and aborts the connections that are left.</summary>
    public void Dispose()
    {
        SocketConnection[] left;
        lock (_lock)
        {
            if (_isStopped)
            {
                return;
            }

            _isStopped = true;
            left = [.. _slots.OfType<SocketConnection>()];
        }

        ulong one = 1;
        _ = Native.Write(_wake, &one, sizeof(ulong));
        _thread.Join();
        _epoll.Dispose();
        _wake.Dispose();
        foreach (SocketConnection connection in left)
        {
            connection.Abort();
        }
    }

    private static SafeFileHandle Open(int descriptor)
        => descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failed("The event loop cannot be made");

    private static IOException Failed(string what)
        => new($"{what}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}.");

    private void Control(SafeHandle target, uint events, ulong data)
    {
        byte* epollEvent = stackalloc byte[16];
        Unsafe.WriteUnaligned(epollEvent, events);
        Unsafe.WriteUnaligned(epollEvent + DataOffset, data);
        if (Native.EpollControl(_epoll, Native.EPOLL_CTL_ADD, target, epollEvent) < 0)
        {
            throw Failed("The connection cannot be watched");
        }
    }

    private void Run()
    {
        Core.LoopThread.MarkCurrent();
        byte* events = stackalloc byte[MaxEvents * 16];
        while (!_isStopped)
        {
            int count = Native.EpollWait(_epoll, events, MaxEvents, _posted.Count > 0 ? 0 : -1);
            for (int i = 0; i < count; i++)
            {
                byte* epollEvent = events + (i * EventBytes);
                ulong tag = Unsafe.ReadUnaligned<ulong>(epollEvent + DataOffset);
                if (tag != WakeTag && Volatile.Read(ref _slots)[(uint)tag] is { } connection && connection.Tag == tag)
                {
                    connection.OnEvents(Unsafe.ReadUnaligned<uint>(epollEvent));
                }
            }

            RunPosted();
        }
    }

    private void RunPosted()
    {
        if (_posted.Count == 0)
        {
            return;
        }

        (_posted, _running) = (_running, _posted);
        foreach (SocketConnection connection in _running)
        {
            connection.OnPosted();
        }

        _running.Clear();
    }
}
