using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>FUSE_NOTIFY_INVAL_INODE. <c>struct fuse_notify_inval_inode_out</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseNotifyInvalidateInodeOut
{
    /// <summary>The inode. Kernel: <c>ino</c>, at byte 0.</summary>
    internal ulong NodeId;

    /// <summary>First byte; negative drops attributes only. Kernel: <c>off</c>, at byte 8.</summary>
    internal long Offset;

    /// <summary>Bytes; 0 or negative means up to the end. Kernel: <c>len</c>, at byte 16.</summary>
    internal long Length;
}

/// <summary>FUSE_NOTIFY_INVAL_ENTRY, followed by the name and a NUL. <c>struct fuse_notify_inval_entry_out</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseNotifyInvalidateEntryOut
{
    /// <summary>Directory. Kernel: <c>parent</c>, at byte 0.</summary>
    internal ulong Parent;

    /// <summary>Bytes of the name without the NUL. Kernel: <c>namelen</c>, at byte 8.</summary>
    internal uint NameLength;

    /// <summary>Bit 0: FUSE_EXPIRE_ONLY (7.38). Kernel: <c>flags</c>, at byte 12.</summary>
    internal uint Flags;
}

/// <summary>FUSE_NOTIFY_DELETE, followed by the name and a NUL. <c>struct fuse_notify_delete_out</c>, 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseNotifyDeleteOut
{
    /// <summary>Directory. Kernel: <c>parent</c>, at byte 0.</summary>
    internal ulong Parent;

    /// <summary>Inode that was deleted. Kernel: <c>child</c>, at byte 8.</summary>
    internal ulong Child;

    /// <summary>Bytes of the name without the NUL. Kernel: <c>namelen</c>, at byte 16.</summary>
    internal uint NameLength;
    private readonly uint _padding20;
}

/// <summary>FUSE_NOTIFY_PRUNE (7.45), followed by the nodeids. <c>struct fuse_notify_prune_out</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseNotifyPruneOut
{
    /// <summary>Number of nodeids. Kernel: <c>count</c>, at byte 0.</summary>
    internal uint Count;
    private readonly uint _padding4;
    private readonly ulong _spare8;
}

/// <summary>Argument of FUSE_DEV_IOC_BACKING_OPEN (7.40). <c>struct fuse_backing_map</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseBackingMap
{
    /// <summary>The file that stands behind. Kernel: <c>fd</c>, at byte 0.</summary>
    internal int Descriptor;

    /// <summary>Must be 0. Kernel: <c>flags</c>, at byte 4.</summary>
    internal uint Flags;
    private readonly ulong _padding8;
}
