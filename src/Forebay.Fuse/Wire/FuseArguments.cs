using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>One inode whose lookup count falls. <c>struct fuse_forget_one</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseForgetOne
{
    /// <summary>The inode. Kernel: <c>nodeid</c>, at byte 0.</summary>
    public ulong NodeId;

    /// <summary>How many lookups are given back, &gt; 0. Kernel: <c>nlookup</c>, at byte 8.</summary>
    public ulong Lookups;
}

/// <summary>Arguments of GETATTR. <c>struct fuse_getattr_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseGetAttrIn
{
    /// <summary>Bit 0: <see cref="Handle"/> is valid. Kernel: <c>getattr_flags</c>, at byte 0.</summary>
    public uint Flags;
    private readonly uint _dummy4;

    /// <summary>Open file through which the attributes are asked. Kernel: <c>fh</c>, at byte 8.</summary>
    public ulong Handle;
}

/// <summary>Arguments of STATX (7.39). <c>struct fuse_statx_in</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseStatxIn
{
    /// <summary>Bit 0: <see cref="Handle"/> is valid. Kernel: <c>getattr_flags</c>, at byte 0.</summary>
    public uint Flags;
    private readonly uint _reserved4;

    /// <summary>Open file through which the attributes are asked. Kernel: <c>fh</c>, at byte 8.</summary>
    public ulong Handle;

    /// <summary>AT_STATX_* bits. Kernel: <c>sx_flags</c>, at byte 16.</summary>
    public uint StatxFlags;

    /// <summary>STATX_* bits that are wanted. Kernel: <c>sx_mask</c>, at byte 20.</summary>
    public uint Mask;
}

/// <summary>Arguments of OPEN and OPENDIR. <c>struct fuse_open_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseOpenIn
{
    /// <summary>O_* bits of open(2), without O_CREAT, O_EXCL and O_NOCTTY. Kernel: <c>flags</c>, at byte 0.</summary>
    public uint Flags;

    /// <summary>FUSE_OPEN_* bits (7.33). Kernel: <c>open_flags</c>, at byte 4.</summary>
    public uint OpenFlags;
}

/// <summary>Arguments of READ, READDIR and READDIRPLUS. <c>struct fuse_read_in</c>, 40 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseReadIn
{
    /// <summary>The open file or directory. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>First byte, or the cookie where the stream goes on. Kernel: <c>offset</c>, at byte 8.</summary>
    public ulong Offset;

    /// <summary>Most bytes of the answer. Kernel: <c>size</c>, at byte 16.</summary>
    public uint Size;

    /// <summary>Bit 1: <see cref="LockOwner"/> is valid. Kernel: <c>read_flags</c>, at byte 20.</summary>
    public uint ReadFlags;

    /// <summary>Owner of locks. Kernel: <c>lock_owner</c>, at byte 24.</summary>
    public ulong LockOwner;

    /// <summary>O_* bits of the open file. Kernel: <c>flags</c>, at byte 32.</summary>
    public uint Flags;
    private readonly uint _padding36;
}

/// <summary>Arguments of RELEASE and RELEASEDIR. <c>struct fuse_release_in</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseReleaseIn
{
    /// <summary>The open file or directory; gone after this. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>O_* bits of the open file. Kernel: <c>flags</c>, at byte 8.</summary>
    public uint Flags;

    /// <summary>Bit 0 flush, bit 1 release of flock locks. Kernel: <c>release_flags</c>, at byte 12.</summary>
    public uint ReleaseFlags;

    /// <summary>Owner of locks. Kernel: <c>lock_owner</c>, at byte 16.</summary>
    public ulong LockOwner;
}

/// <summary>Arguments of FLUSH, sent at each close(2). <c>struct fuse_flush_in</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseFlushIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;
    private readonly uint _unused8;
    private readonly uint _padding12;

    /// <summary>Owner of locks. Kernel: <c>lock_owner</c>, at byte 16.</summary>
    public ulong LockOwner;
}

/// <summary>Arguments of LSEEK (7.24). <c>struct fuse_lseek_in</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseLseekIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>Where to look from. Kernel: <c>offset</c>, at byte 8.</summary>
    public ulong Offset;

    /// <summary>SEEK_DATA 3 or SEEK_HOLE 4. Kernel: <c>whence</c>, at byte 16.</summary>
    public uint Whence;
    private readonly uint _padding20;
}

/// <summary>Arguments of IOCTL. <c>struct fuse_ioctl_in</c>, 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseIoctlIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>FUSE_IOCTL_* bits. Kernel: <c>flags</c>, at byte 8.</summary>
    public uint Flags;

    /// <summary>Number of the request. Kernel: <c>cmd</c>, at byte 12.</summary>
    public uint Command;

    /// <summary>Address in the caller, of no use here. Kernel: <c>arg</c>, at byte 16.</summary>
    public ulong Argument;

    /// <summary>Bytes that follow. Kernel: <c>in_size</c>, at byte 24.</summary>
    public uint InSize;

    /// <summary>Most bytes of the answer. Kernel: <c>out_size</c>, at byte 28.</summary>
    public uint OutSize;
}

/// <summary>Arguments of POLL. <c>struct fuse_poll_in</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FusePollIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>Names the waiter in a notification. Kernel: <c>kh</c>, at byte 8.</summary>
    public ulong KernelHandle;

    /// <summary>Bit 0: notify when ready. Kernel: <c>flags</c>, at byte 16.</summary>
    public uint Flags;

    /// <summary>POLL* bits that are wanted. Kernel: <c>events</c>, at byte 20.</summary>
    public uint Events;
}

/// <summary>Arguments of BMAP. <c>struct fuse_bmap_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseBmapIn
{
    /// <summary>Block of the file. Kernel: <c>block</c>, at byte 0.</summary>
    public ulong Block;

    /// <summary>Size of a block. Kernel: <c>blocksize</c>, at byte 8.</summary>
    public uint BlockSize;
    private readonly uint _padding12;
}

/// <summary>Arguments of GETXATTR and LISTXATTR. <c>struct fuse_getxattr_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseGetXattrIn
{
    /// <summary>Room for the value; 0 asks for the size only. Kernel: <c>size</c>, at byte 0.</summary>
    internal uint Size;
    private readonly uint _padding4;
}

/// <summary>Begins BATCH_FORGET. <c>struct fuse_batch_forget_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseBatchForgetIn
{
    /// <summary>Number of <see cref="FuseForgetOne"/> that follow. Kernel: <c>count</c>, at byte 0.</summary>
    internal uint Count;
    private readonly uint _dummy4;
}

/// <summary>Arguments of FORGET. <c>struct fuse_forget_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseForgetIn
{
    /// <summary>How many lookups are given back. Kernel: <c>nlookup</c>, at byte 0.</summary>
    internal ulong Lookups;
}

/// <summary>Arguments of ACCESS. <c>struct fuse_access_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseAccessIn
{
    /// <summary>R_OK 4, W_OK 2, X_OK 1. Kernel: <c>mask</c>, at byte 0.</summary>
    internal uint Mask;
    private readonly uint _padding4;
}

/// <summary>Arguments of INTERRUPT. <c>struct fuse_interrupt_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseInterruptIn
{
    /// <summary>The request whose caller got a signal. Kernel: <c>unique</c>, at byte 0.</summary>
    internal ulong Unique;
}

/// <summary>Arguments of SYNCFS (7.34). <c>struct fuse_syncfs_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseSyncFsIn
{
    private readonly ulong _padding0;
}
