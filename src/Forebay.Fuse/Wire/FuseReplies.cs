using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Answer to LOOKUP and to everything that makes a name. A nodeid of 0 is a negative entry: the name does not exist, for <see cref="EntryValidSeconds"/>. <c>struct fuse_entry_out</c>, 128 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseEntryOut
{
    /// <summary>Id by which the kernel asks from now on; its lookup count rises by one. Kernel: <c>nodeid</c>, at byte 0.</summary>
    public ulong NodeId;

    /// <summary>Together with the nodeid unique for the life of the mount. Kernel: <c>generation</c>, at byte 8.</summary>
    public ulong Generation;

    /// <summary>How long the name may be taken from the kernel's cache, whole seconds. Kernel: <c>entry_valid</c>, at byte 16.</summary>
    public ulong EntryValidSeconds;

    /// <summary>How long the attributes may be taken from the kernel's cache, whole seconds. Kernel: <c>attr_valid</c>, at byte 24.</summary>
    public ulong AttrValidSeconds;

    /// <summary>Rest, below 1,000,000,000. Kernel: <c>entry_valid_nsec</c>, at byte 32.</summary>
    public uint EntryValidNanoseconds;

    /// <summary>Rest, below 1,000,000,000. Kernel: <c>attr_valid_nsec</c>, at byte 36.</summary>
    public uint AttrValidNanoseconds;

    /// <summary>The attributes. Kernel: <c>attr</c>, at byte 40.</summary>
    public FuseAttr Attr;
}

/// <summary>Answer to GETATTR and SETATTR. <c>struct fuse_attr_out</c>, 104 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseAttrOut
{
    /// <summary>How long the attributes may be taken from the kernel's cache, whole seconds. Kernel: <c>attr_valid</c>, at byte 0.</summary>
    public ulong ValidSeconds;

    /// <summary>Rest, below 1,000,000,000. Kernel: <c>attr_valid_nsec</c>, at byte 8.</summary>
    public uint ValidNanoseconds;
    private readonly uint _dummy12;

    /// <summary>The attributes. Kernel: <c>attr</c>, at byte 16.</summary>
    public FuseAttr Attr;
}

/// <summary>Answer to OPEN and OPENDIR. <c>struct fuse_open_out</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseOpenOut
{
    /// <summary>Comes back with every request on the open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary><see cref="FuseOpenFlags"/>, as a number. Kernel: <c>open_flags</c>, at byte 8.</summary>
    public uint Flags;

    /// <summary>Of <see cref="FuseDevice.OpenBacking"/>, with <see cref="FuseOpenFlags.Passthrough"/>; else 0 (7.40). Kernel: <c>backing_id</c>, at byte 12.</summary>
    public int BackingId;
}

/// <summary>Answer to WRITE. <c>struct fuse_write_out</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseWriteOut
{
    /// <summary>Bytes written. Kernel: <c>size</c>, at byte 0.</summary>
    internal uint Size;
    private readonly uint _padding4;
}

/// <summary>Answer to a GETXATTR or LISTXATTR that asks for the size only. <c>struct fuse_getxattr_out</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseGetXattrOut
{
    /// <summary>Bytes the value has. Kernel: <c>size</c>, at byte 0.</summary>
    internal uint Size;
    private readonly uint _padding4;
}

/// <summary>Answer to STATX (7.39). <c>struct fuse_statx_out</c>, 288 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseStatxOut
{
    /// <summary>How long the attributes may be taken from the kernel's cache, whole seconds. Kernel: <c>attr_valid</c>, at byte 0.</summary>
    public ulong ValidSeconds;

    /// <summary>Rest, below 1,000,000,000. Kernel: <c>attr_valid_nsec</c>, at byte 8.</summary>
    public uint ValidNanoseconds;

    /// <summary>Always 0. Kernel: <c>flags</c>, at byte 12.</summary>
    public uint Flags;
    private readonly ulong _spare0;
    private readonly ulong _spare1;

    /// <summary>The attributes. Kernel: <c>stat</c>, at byte 32.</summary>
    public FuseStatx Statx;
}

/// <summary>Answer to LSEEK. <c>struct fuse_lseek_out</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseLseekOut
{
    /// <summary>The place found. Kernel: <c>offset</c>, at byte 0.</summary>
    internal ulong Offset;
}

/// <summary>Answer to BMAP. <c>struct fuse_bmap_out</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseBmapOut
{
    /// <summary>Block of the device. Kernel: <c>block</c>, at byte 0.</summary>
    internal ulong Block;
}

/// <summary>Answer to IOCTL. <c>struct fuse_ioctl_out</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseIoctlOut
{
    /// <summary>Value that ioctl(2) returns. Kernel: <c>result</c>, at byte 0.</summary>
    internal int Result;

    /// <summary>FUSE_IOCTL_* bits. Kernel: <c>flags</c>, at byte 4.</summary>
    internal uint Flags;

    /// <summary>Ranges to fetch, on a retry. Kernel: <c>in_iovs</c>, at byte 8.</summary>
    internal uint InIovs;

    /// <summary>Ranges to store, on a retry. Kernel: <c>out_iovs</c>, at byte 12.</summary>
    internal uint OutIovs;
}

/// <summary>Answer to POLL. <c>struct fuse_poll_out</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FusePollOut
{
    /// <summary>POLL* bits that are ready. Kernel: <c>revents</c>, at byte 0.</summary>
    internal uint Events;
    private readonly uint _padding4;
}

/// <summary>Answer to GETLK. <c>struct fuse_lk_out</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseLockOut
{
    /// <summary>The lock that is in the way, or type F_UNLCK. Kernel: <c>lk</c>, at byte 0.</summary>
    internal FuseFileLock Lock;
}

/// <summary>One name of READDIR, followed by the name and zeros up to 8 bytes. <c>struct fuse_dirent</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseDirent
{
    /// <summary>Inode number. Kernel: <c>ino</c>, at byte 0.</summary>
    internal ulong Inode;

    /// <summary>Where the stream goes on after this entry. Kernel: <c>off</c>, at byte 8.</summary>
    internal ulong Offset;

    /// <summary>Bytes of the name. Kernel: <c>namelen</c>, at byte 16.</summary>
    internal uint NameLength;

    /// <summary>File type, the upper four bits of the mode. Kernel: <c>type</c>, at byte 20.</summary>
    internal uint Type;
}
