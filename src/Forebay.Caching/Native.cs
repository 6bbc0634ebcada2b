using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>The system calls of this room. Errno is read at once by the callers, through <see cref="Marshal.GetLastPInvokeError"/>.</summary>
internal static unsafe partial class Native
{
    internal const int OpenReadOnly = 0;
    internal const int OpenReadWrite = 2;
    internal const int OpenCreate = 0x40;
    internal const int OpenTruncate = 0x200;
    internal const int OpenCloseOnExec = 0x80000;
    internal const int LockExclusive = 2;
    internal const int LockNonBlocking = 4;
    internal const int LockNone = 8; // LOCK_UN
    internal const int AtEmptyPath = 0x1000;
    internal const uint StatxBasicStats = 0x7ff;
    internal const int NoSuchFile = 2;
    internal const int TooManyOpenFiles = 24;
    internal const int TooManyOpenFilesOfAll = 23;
    internal const int NoSpace = 28;
    internal const int WouldBlock = 11;
    internal const int QuotaExceeded = 122;
    internal const int NotSupported = 95;
    internal const int NoSystemCall = 38;

    /// <summary>FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE.</summary>
    internal const int PunchHoleKeepSize = 3;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Unlink(string path);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    internal static partial int FileLock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    internal static partial int Truncate(SafeFileHandle file, long length);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    internal static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    internal static partial nint Read(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    internal static partial nint Write(SafeFileHandle file, byte* buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(SafeFileHandle directory, string path, int flags, uint mask, StatxBuffer* buffer);

    /// <summary>What <c>struct statx</c> of linux/stat.h holds, 256 bytes on every architecture; only the fields used here are named.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct StatxBuffer
    {
        [FieldOffset(0x20)]
        internal ulong Inode;

        [FieldOffset(0x28)]
        internal ulong SizeBytes;

        [FieldOffset(0x30)]
        internal ulong Blocks;

        [FieldOffset(0x60)]
        internal long ChangedSeconds;

        [FieldOffset(0x68)]
        internal uint ChangedNanoseconds;

        [FieldOffset(0x70)]
        internal long ModifiedSeconds;

        [FieldOffset(0x78)]
        internal uint ModifiedNanoseconds;
    }
}
