using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.UnderStores.Local;

/// <summary>The Linux calls a directory under-store needs; the layout of statx is the same on every architecture.</summary>
internal static unsafe partial class Native
{
    public const int AtEmptyPath = 0x1000;        // AT_EMPTY_PATH
    public const int AtStatxForceSync = 0x2000;   // AT_STATX_FORCE_SYNC: NFS asks its server instead of its attribute cache
    public const uint StatxBasicStats = 0x7ff;    // STATX_BASIC_STATS

    public const ulong AttributeMountRoot = 0x2000; // STATX_ATTR_MOUNT_ROOT, Linux 5.8

    public const int OpenPath = 0x200000;         // O_PATH: no permission on the file needed, no side effect on pipes and devices
    public const int OpenCloseOnExec = 0x80000;   // O_CLOEXEC
    public const int OpenNonBlocking = 0x800;     // O_NONBLOCK

    public const int SeekData = 3;                // SEEK_DATA

    public const ushort TypeMask = 0xF000;        // S_IFMT
    public const ushort TypeRegular = 0x8000;     // S_IFREG
    public const ushort TypeDirectory = 0x4000;   // S_IFDIR

    public const int NoSuchEntry = 2;             // ENOENT
    public const int NotPermitted = 1;            // EPERM
    public const int AccessDenied = 13;           // EACCES
    public const int NotDirectory = 20;           // ENOTDIR
    public const int IsDirectory = 21;            // EISDIR
    public const int NoDevice = 6;                // ENXIO
    public const int NameTooLong = 36;            // ENAMETOOLONG
    public const int TooManyLinks = 40;           // ELOOP
    public const int TimedOut = 110;              // ETIMEDOUT

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int StatX(SafeFileHandle directory, string path, int flags, uint mask, FileAttributesX* attributes);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ReadLink(string path, byte* buffer, nuint size);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint PRead(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long LSeek(SafeFileHandle file, long offset, int whence);

    /// <summary>struct statx: 256 bytes, native endianness.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct FileAttributesX
    {
        [FieldOffset(8)]
        public ulong Attributes;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(112)]
        public long ModifiedSeconds;

        [FieldOffset(120)]
        public uint ModifiedNanoseconds;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
