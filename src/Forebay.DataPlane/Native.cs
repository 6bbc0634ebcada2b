using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>The system calls of this room. Errno is read at once by the callers, through <see cref="Marshal.GetLastPInvokeError"/>.</summary>
internal static partial class Native
{
    internal const int CloseOnExec = 0x80000; // O_CLOEXEC
    internal const int GetFileFlags = 3; // F_GETFL
    internal const int AccessModeMask = 3; // O_ACCMODE; O_RDONLY is 0

    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint InodeNumber = 0x100; // STATX_INO

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Control(SafeFileHandle file, int command, int argument);

    /// <summary>True for two descriptors of one inode. As long as one is open its number is nobody else's.</summary>
    internal static bool IsSameFile(SafeFileHandle one, SafeFileHandle other)
        => InodeOf(one) is { } inode && inode == InodeOf(other);

    private static unsafe (ulong Number, uint Major, uint Minor)? InodeOf(SafeFileHandle file)
    {
        // struct statx of linux/stat.h, 256 bytes on every architecture: stx_ino at 32, stx_dev_major at 136, stx_dev_minor at 140.
        byte* status = stackalloc byte[256];
        return Status(file, "", EmptyPath, InodeNumber, status) == 0 ? (*(ulong*)(status + 32), *(uint*)(status + 136), *(uint*)(status + 140)) : null;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Status(SafeFileHandle directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint EffectiveUser();
}
