using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Arguments of SETATTR. <c>struct fuse_setattr_in</c>, 88 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseSetAttrIn
{
    /// <summary>Which fields are to be set: FATTR_* bits (mode 0, uid 1, gid 2, size 3, atime 4, mtime 5, fh 6, atime now 7, mtime now 8, lock owner 9, ctime 10). Kernel: <c>valid</c>, at byte 0.</summary>
    public uint Valid;
    private readonly uint _padding4;

    /// <summary>Open file, with bit 6. Kernel: <c>fh</c>, at byte 8.</summary>
    public ulong Handle;

    /// <summary>New length, with bit 3. Kernel: <c>size</c>, at byte 16.</summary>
    public ulong Size;

    /// <summary>Owner of locks, with bit 9. Kernel: <c>lock_owner</c>, at byte 24.</summary>
    public ulong LockOwner;

    /// <summary>With bit 4. Kernel: <c>atime</c>, at byte 32.</summary>
    public ulong AccessSeconds;

    /// <summary>With bit 5. Kernel: <c>mtime</c>, at byte 40.</summary>
    public ulong ModifySeconds;

    /// <summary>With bit 10. Kernel: <c>ctime</c>, at byte 48.</summary>
    public ulong ChangeSeconds;

    /// <summary>With bit 4. Kernel: <c>atimensec</c>, at byte 56.</summary>
    public uint AccessNanoseconds;

    /// <summary>With bit 5. Kernel: <c>mtimensec</c>, at byte 60.</summary>
    public uint ModifyNanoseconds;

    /// <summary>With bit 10. Kernel: <c>ctimensec</c>, at byte 64.</summary>
    public uint ChangeNanoseconds;

    /// <summary>With bit 0. Kernel: <c>mode</c>, at byte 68.</summary>
    public uint Mode;
    private readonly uint _unused472;

    /// <summary>With bit 1. Kernel: <c>uid</c>, at byte 76.</summary>
    public uint Uid;

    /// <summary>With bit 2. Kernel: <c>gid</c>, at byte 80.</summary>
    public uint Gid;
    private readonly uint _unused584;
}

/// <summary>Arguments of MKNOD. <c>struct fuse_mknod_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseMakeNodeIn
{
    /// <summary>Type and permissions. Kernel: <c>mode</c>, at byte 0.</summary>
    public uint Mode;

    /// <summary>Device number. Kernel: <c>rdev</c>, at byte 4.</summary>
    public uint Device;

    /// <summary>Of the caller. Kernel: <c>umask</c>, at byte 8.</summary>
    public uint Umask;
    private readonly uint _padding12;
}

/// <summary>Arguments of MKDIR. <c>struct fuse_mkdir_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseMakeDirectoryIn
{
    /// <summary>Permissions. Kernel: <c>mode</c>, at byte 0.</summary>
    public uint Mode;

    /// <summary>Of the caller. Kernel: <c>umask</c>, at byte 4.</summary>
    public uint Umask;
}

/// <summary>Arguments of RENAME and RENAME2 (7.23). <c>struct fuse_rename2_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseRenameIn
{
    /// <summary>Directory of the new name. Kernel: <c>newdir</c>, at byte 0.</summary>
    public ulong NewParent;

    /// <summary>RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4. Kernel: <c>flags</c>, at byte 8.</summary>
    public uint Flags;
    private readonly uint _padding12;
}

/// <summary>Arguments of LINK. <c>struct fuse_link_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseLinkIn
{
    /// <summary>The inode that gets another name. Kernel: <c>oldnodeid</c>, at byte 0.</summary>
    internal ulong OldNodeId;
}

/// <summary>Arguments of CREATE and TMPFILE (7.37). <c>struct fuse_create_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseCreateIn
{
    /// <summary>O_* bits. Kernel: <c>flags</c>, at byte 0.</summary>
    public uint Flags;

    /// <summary>Type and permissions. Kernel: <c>mode</c>, at byte 4.</summary>
    public uint Mode;

    /// <summary>Of the caller. Kernel: <c>umask</c>, at byte 8.</summary>
    public uint Umask;

    /// <summary>FUSE_OPEN_* bits (7.33). Kernel: <c>open_flags</c>, at byte 12.</summary>
    public uint OpenFlags;
}

/// <summary>Arguments of WRITE. <c>struct fuse_write_in</c>, 40 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseWriteIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>First byte. Kernel: <c>offset</c>, at byte 8.</summary>
    public ulong Offset;

    /// <summary>Number of bytes that follow. Kernel: <c>size</c>, at byte 16.</summary>
    public uint Size;

    /// <summary>FUSE_WRITE_* bits. Kernel: <c>write_flags</c>, at byte 20.</summary>
    public uint WriteFlags;

    /// <summary>Owner of locks. Kernel: <c>lock_owner</c>, at byte 24.</summary>
    public ulong LockOwner;

    /// <summary>O_* bits of the open file. Kernel: <c>flags</c>, at byte 32.</summary>
    public uint Flags;
    private readonly uint _padding36;
}

/// <summary>Arguments of FSYNC and FSYNCDIR. <c>struct fuse_fsync_in</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseFsyncIn
{
    /// <summary>The open file or directory. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>Bit 0: data only. Kernel: <c>fsync_flags</c>, at byte 8.</summary>
    public uint FsyncFlags;
    private readonly uint _padding12;
}

/// <summary>Arguments of FALLOCATE. <c>struct fuse_fallocate_in</c>, 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseFallocateIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>First byte. Kernel: <c>offset</c>, at byte 8.</summary>
    public ulong Offset;

    /// <summary>Number of bytes. Kernel: <c>length</c>, at byte 16.</summary>
    public ulong Length;

    /// <summary>FALLOC_FL_* bits. Kernel: <c>mode</c>, at byte 24.</summary>
    public uint Mode;
    private readonly uint _padding28;
}

/// <summary>Arguments of COPY_FILE_RANGE (7.28) and COPY_FILE_RANGE_64 (7.45). <c>struct fuse_copy_file_range_in</c>, 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseCopyFileRangeIn
{
    /// <summary>Open source file. Kernel: <c>fh_in</c>, at byte 0.</summary>
    public ulong HandleIn;

    /// <summary>First byte of the source. Kernel: <c>off_in</c>, at byte 8.</summary>
    public ulong OffsetIn;

    /// <summary>Inode of the destination. Kernel: <c>nodeid_out</c>, at byte 16.</summary>
    public ulong NodeIdOut;

    /// <summary>Open destination file. Kernel: <c>fh_out</c>, at byte 24.</summary>
    public ulong HandleOut;

    /// <summary>First byte of the destination. Kernel: <c>off_out</c>, at byte 32.</summary>
    public ulong OffsetOut;

    /// <summary>Number of bytes. Kernel: <c>len</c>, at byte 40.</summary>
    public ulong Length;

    /// <summary>None defined. Kernel: <c>flags</c>, at byte 48.</summary>
    public ulong Flags;
}

/// <summary>Arguments of SETXATTR in the form of 8 bytes (SETXATTR_EXT is never negotiated). <c>struct fuse_setxattr_in</c>, 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseSetXattrIn
{
    /// <summary>Bytes of the value. Kernel: <c>size</c>, at byte 0.</summary>
    public uint Size;

    /// <summary>XATTR_CREATE 1, XATTR_REPLACE 2. Kernel: <c>flags</c>, at byte 4.</summary>
    public uint Flags;
}

/// <summary>Arguments of GETLK, SETLK and SETLKW. <c>struct fuse_lk_in</c>, 48 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseLockIn
{
    /// <summary>The open file. Kernel: <c>fh</c>, at byte 0.</summary>
    public ulong Handle;

    /// <summary>Owner of the lock. Kernel: <c>owner</c>, at byte 8.</summary>
    public ulong Owner;

    /// <summary>The lock. Kernel: <c>lk</c>, at byte 16.</summary>
    public FuseFileLock Lock;

    /// <summary>Bit 0: flock(2), not fcntl(2). Kernel: <c>lk_flags</c>, at byte 40.</summary>
    public uint Flags;
    private readonly uint _padding44;
}
