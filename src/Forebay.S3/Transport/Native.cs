using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>Linux system calls of the transport. Handles are passed as such, so that a descriptor cannot be reused under a running call.</summary>
internal static unsafe partial class Native
{
    internal const int EINTR = 4;
    internal const int EIO = 5;
    internal const int EAGAIN = 11;

    internal const int MSG_DONTWAIT = 0x40;
    internal const int MSG_NOSIGNAL = 0x4000;
    internal const int MSG_MORE = 0x8000;

    internal const int EPOLL_CLOEXEC = 0x80000;
    internal const int EPOLL_CTL_ADD = 1;
    internal const uint EPOLLIN = 0x1;
    internal const uint EPOLLOUT = 0x4;
    internal const uint EPOLLERR = 0x8;
    internal const uint EPOLLHUP = 0x10;
    internal const uint EPOLLRDHUP = 0x2000;
    internal const uint EPOLLET = 1u << 31;

    internal const int EFD_CLOEXEC = 0x80000;

    /// <summary><c>cachestat(2)</c>, Linux 6.5; the same number on every architecture.</summary>
    private const nint CachestatNumber = 451;

    [LibraryImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    internal static partial nint SendFile(SafeHandle socket, SafeFileHandle file, ref long offset, nint count);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    internal static partial nint SendMessage(SafeHandle socket, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    internal static partial nint Receive(SafeHandle socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static partial int EpollControl(SafeHandle epoll, int operation, SafeHandle target, void* epollEvent);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    internal static partial int EpollWait(SafeHandle epoll, void* events, int maxEvents, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    internal static partial int EventDescriptor(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(SafeHandle file, void* buffer, nint length);

    /// <summary>Whether all pages of a range are in the page cache; false also where the kernel cannot tell.</summary>
    internal static bool IsResident(SafeFileHandle file, long offset, long length)
    {
        long pageSize = Environment.SystemPageSize;
        ulong* range = stackalloc ulong[2] { (ulong)offset, (ulong)length };
        ulong* statistics = stackalloc ulong[5];
        long pages = ((offset + length + pageSize - 1) / pageSize) - (offset / pageSize);
        return SystemCall(CachestatNumber, file, range, statistics, 0) == 0 && (long)statistics[0] >= pages;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, SafeHandle file, ulong* range, ulong* statistics, nint flags);

    /// <summary><c>struct iovec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct IoVector
    {
        internal void* Base;
        internal nuint Length;
    }

    /// <summary><c>struct msghdr</c> of 64-bit Linux, 56 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct MessageHeader
    {
        internal void* Name;
        internal uint NameLength;
        internal IoVector* Vectors;
        internal nuint VectorCount;
        internal void* Control;
        internal nuint ControlLength;
        internal int Flags;
    }
}
