using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Attributes of an inode. <c>struct fuse_attr</c>, 88 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseAttr
{
    /// <summary>What stat(2) shows as st_ino; need not be the nodeid. Kernel: <c>ino</c>, at byte 0.</summary>
    public ulong Inode;

    /// <summary>Length in bytes. Kernel: <c>size</c>, at byte 8.</summary>
    public ulong Size;

    /// <summary>Used space in units of 512 bytes. Kernel: <c>blocks</c>, at byte 16.</summary>
    public ulong Blocks;

    /// <summary>Last access, whole seconds since 1970, two's complement. Kernel: <c>atime</c>, at byte 24.</summary>
    public ulong AccessSeconds;

    /// <summary>Last change of content, whole seconds since 1970, two's complement. Kernel: <c>mtime</c>, at byte 32.</summary>
    public ulong ModifySeconds;

    /// <summary>Last change of attributes, whole seconds since 1970, two's complement. Kernel: <c>ctime</c>, at byte 40.</summary>
    public ulong ChangeSeconds;

    /// <summary>Rest of the last access, below 1,000,000,000. Kernel: <c>atimensec</c>, at byte 48.</summary>
    public uint AccessNanoseconds;

    /// <summary>Rest of the last change of content, below 1,000,000,000. Kernel: <c>mtimensec</c>, at byte 52.</summary>
    public uint ModifyNanoseconds;

    /// <summary>Rest of the last change of attributes, below 1,000,000,000. Kernel: <c>ctimensec</c>, at byte 56.</summary>
    public uint ChangeNanoseconds;

    /// <summary>File type and permission bits, see <see cref="FuseMode"/>. Kernel: <c>mode</c>, at byte 60.</summary>
    public uint Mode;

    /// <summary>Number of hard links. Kernel: <c>nlink</c>, at byte 64.</summary>
    public uint Links;

    /// <summary>Owner. Kernel: <c>uid</c>, at byte 68.</summary>
    public uint Uid;

    /// <summary>Group. Kernel: <c>gid</c>, at byte 72.</summary>
    public uint Gid;

    /// <summary>Device number of a device node. Kernel: <c>rdev</c>, at byte 76.</summary>
    public uint Device;

    /// <summary>Preferred size of reads; 0 leaves the choice to the kernel. Kernel: <c>blksize</c>, at byte 80.</summary>
    public uint BlockSize;

    /// <summary>Bit 0 submount, bit 1 DAX (7.33). Kernel: <c>flags</c>, at byte 84.</summary>
    public uint Flags;
}

/// <summary>Figures of the whole file system. <c>struct fuse_kstatfs</c>, 80 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseStatfs
{
    /// <summary>Size in units of <see cref="FragmentSize"/>. Kernel: <c>blocks</c>, at byte 0.</summary>
    public ulong Blocks;

    /// <summary>Free, in units of <see cref="FragmentSize"/>. Kernel: <c>bfree</c>, at byte 8.</summary>
    public ulong FreeBlocks;

    /// <summary>Free for ordinary users. Kernel: <c>bavail</c>, at byte 16.</summary>
    public ulong AvailableBlocks;

    /// <summary>Number of inodes. Kernel: <c>files</c>, at byte 24.</summary>
    public ulong Files;

    /// <summary>Inodes that can still be made. Kernel: <c>ffree</c>, at byte 32.</summary>
    public ulong FreeFiles;

    /// <summary>Preferred size of a transfer in bytes. Kernel: <c>bsize</c>, at byte 40.</summary>
    public uint BlockSize;

    /// <summary>Longest name in bytes. Kernel: <c>namelen</c>, at byte 44.</summary>
    public uint NameLength;

    /// <summary>Unit of the figures above in bytes. Kernel: <c>frsize</c>, at byte 48.</summary>
    public uint FragmentSize;
    private readonly uint _padding52;
    private readonly uint _spare0;
    private readonly uint _spare1;
    private readonly uint _spare2;
    private readonly uint _spare3;
    private readonly uint _spare4;
    private readonly uint _spare5;
}

/// <summary>A moment in a statx reply. <c>struct fuse_sx_time</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseStatxTime
{
    /// <summary>Whole seconds since 1970. Kernel: <c>tv_sec</c>, at byte 0.</summary>
    public long Seconds;

    /// <summary>Rest, below 1,000,000,000. Kernel: <c>tv_nsec</c>, at byte 8.</summary>
    public uint Nanoseconds;
    private readonly int ___reserved12;
}

/// <summary>Attributes as statx(2) gives them (7.39). <c>struct fuse_statx</c>, 256 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseStatx
{
    /// <summary>Which of the fields are filled: STATX_* bits, 0x7ff for the basic ones, 0x800 for <see cref="Birth"/>. Kernel: <c>mask</c>, at byte 0.</summary>
    public uint Mask;

    /// <summary>Preferred size of reads. Kernel: <c>blksize</c>, at byte 4.</summary>
    public uint BlockSize;

    /// <summary>STATX_ATTR_* bits. Kernel: <c>attributes</c>, at byte 8.</summary>
    public ulong Attributes;

    /// <summary>Number of hard links. Kernel: <c>nlink</c>, at byte 16.</summary>
    public uint Links;

    /// <summary>Owner. Kernel: <c>uid</c>, at byte 20.</summary>
    public uint Uid;

    /// <summary>Group. Kernel: <c>gid</c>, at byte 24.</summary>
    public uint Gid;

    /// <summary>File type and permission bits. Kernel: <c>mode</c>, at byte 28.</summary>
    public ushort Mode;
    private readonly ushort ___spare030;

    /// <summary>Inode number. Kernel: <c>ino</c>, at byte 32.</summary>
    public ulong Inode;

    /// <summary>Length in bytes. Kernel: <c>size</c>, at byte 40.</summary>
    public ulong Size;

    /// <summary>Used space in units of 512 bytes. Kernel: <c>blocks</c>, at byte 48.</summary>
    public ulong Blocks;

    /// <summary>Which bits of <see cref="Attributes"/> mean anything. Kernel: <c>attributes_mask</c>, at byte 56.</summary>
    public ulong AttributesMask;

    /// <summary>Last access. Kernel: <c>atime</c>, at byte 64.</summary>
    public FuseStatxTime Access;

    /// <summary>When it was made. Kernel: <c>btime</c>, at byte 80.</summary>
    public FuseStatxTime Birth;

    /// <summary>Last change of attributes. Kernel: <c>ctime</c>, at byte 96.</summary>
    public FuseStatxTime Change;

    /// <summary>Last change of content. Kernel: <c>mtime</c>, at byte 112.</summary>
    public FuseStatxTime Modify;

    /// <summary>Of a device node. Kernel: <c>rdev_major</c>, at byte 128.</summary>
    public uint DeviceMajor;

    /// <summary>Of a device node. Kernel: <c>rdev_minor</c>, at byte 132.</summary>
    public uint DeviceMinor;

    /// <summary>Ignored by the kernel. Kernel: <c>dev_major</c>, at byte 136.</summary>
    public uint FileSystemMajor;

    /// <summary>Ignored by the kernel. Kernel: <c>dev_minor</c>, at byte 140.</summary>
    public uint FileSystemMinor;
    private readonly ulong _spare0;
    private readonly ulong _spare1;
    private readonly ulong _spare2;
    private readonly ulong _spare3;
    private readonly ulong _spare4;
    private readonly ulong _spare5;
    private readonly ulong _spare6;
    private readonly ulong _spare7;
    private readonly ulong _spare8;
    private readonly ulong _spare9;
    private readonly ulong _spare10;
    private readonly ulong _spare11;
    private readonly ulong _spare12;
    private readonly ulong _spare13;
}

/// <summary>A lock on a range of a file. <c>struct fuse_file_lock</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseFileLock
{
    /// <summary>First byte. Kernel: <c>start</c>, at byte 0.</summary>
    public ulong Start;

    /// <summary>Last byte, inclusive as the kernel has it. Kernel: <c>end</c>, at byte 8.</summary>
    public ulong End;

    /// <summary>F_RDLCK 0, F_WRLCK 1, F_UNLCK 2. Kernel: <c>type</c>, at byte 16.</summary>
    public uint Type;

    /// <summary>Process that holds it. Kernel: <c>pid</c>, at byte 20.</summary>
    public uint Pid;
}
