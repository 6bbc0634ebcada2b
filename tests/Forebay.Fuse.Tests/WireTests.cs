using System.Runtime.CompilerServices;
using Xunit;

namespace Forebay.Fuse.Tests;

/// <summary>Sizes as in the kernel's include/uapi/linux/fuse.h, protocol 7.45.</summary>
public sealed class WireTests
{
    public static TheoryData<string, int, int> Sizes => new()
    {
        { "fuse_in_header", 40, Unsafe.SizeOf<FuseInHeader>() },
        { "fuse_out_header", 16, Unsafe.SizeOf<FuseOutHeader>() },
        { "fuse_attr", 88, Unsafe.SizeOf<FuseAttr>() },
        { "fuse_kstatfs", 80, Unsafe.SizeOf<FuseStatfs>() },
        { "fuse_file_lock", 24, Unsafe.SizeOf<FuseFileLock>() },
        { "fuse_sx_time", 16, Unsafe.SizeOf<FuseStatxTime>() },
        { "fuse_statx", 256, Unsafe.SizeOf<FuseStatx>() },
        { "fuse_entry_out", 128, Unsafe.SizeOf<FuseEntryOut>() },
        { "fuse_attr_out", 104, Unsafe.SizeOf<FuseAttrOut>() },
        { "fuse_open_out", 16, Unsafe.SizeOf<FuseOpenOut>() },
        { "fuse_write_out", 8, Unsafe.SizeOf<FuseWriteOut>() },
        { "fuse_getxattr_out", 8, Unsafe.SizeOf<FuseGetXattrOut>() },
        { "fuse_statx_out", 288, Unsafe.SizeOf<FuseStatxOut>() },
        { "fuse_lseek_out", 8, Unsafe.SizeOf<FuseLseekOut>() },
        { "fuse_bmap_out", 8, Unsafe.SizeOf<FuseBmapOut>() },
        { "fuse_ioctl_out", 16, Unsafe.SizeOf<FuseIoctlOut>() },
        { "fuse_poll_out", 8, Unsafe.SizeOf<FusePollOut>() },
        { "fuse_lk_out", 24, Unsafe.SizeOf<FuseLockOut>() },
        { "fuse_dirent", 24, Unsafe.SizeOf<FuseDirent>() },
        { "fuse_forget_one", 16, Unsafe.SizeOf<FuseForgetOne>() },
        { "fuse_forget_in", 8, Unsafe.SizeOf<FuseForgetIn>() },
        { "fuse_batch_forget_in", 8, Unsafe.SizeOf<FuseBatchForgetIn>() },
        { "fuse_getattr_in", 16, Unsafe.SizeOf<FuseGetAttrIn>() },
        { "fuse_statx_in", 24, Unsafe.SizeOf<FuseStatxIn>() },
        { "fuse_open_in", 8, Unsafe.SizeOf<FuseOpenIn>() },
        { "fuse_read_in", 40, Unsafe.SizeOf<FuseReadIn>() },
        { "fuse_release_in", 24, Unsafe.SizeOf<FuseReleaseIn>() },
        { "fuse_flush_in", 24, Unsafe.SizeOf<FuseFlushIn>() },
        { "fuse_lseek_in", 24, Unsafe.SizeOf<FuseLseekIn>() },
        { "fuse_ioctl_in", 32, Unsafe.SizeOf<FuseIoctlIn>() },
        { "fuse_poll_in", 24, Unsafe.SizeOf<FusePollIn>() },
        { "fuse_bmap_in", 16, Unsafe.SizeOf<FuseBmapIn>() },
        { "fuse_getxattr_in", 8, Unsafe.SizeOf<FuseGetXattrIn>() },
        { "fuse_access_in", 8, Unsafe.SizeOf<FuseAccessIn>() },
        { "fuse_interrupt_in", 8, Unsafe.SizeOf<FuseInterruptIn>() },
        { "fuse_syncfs_in", 8, Unsafe.SizeOf<FuseSyncFsIn>() },
        { "fuse_setattr_in", 88, Unsafe.SizeOf<FuseSetAttrIn>() },
        { "fuse_mknod_in", 16, Unsafe.SizeOf<FuseMakeNodeIn>() },
        { "fuse_mkdir_in", 8, Unsafe.SizeOf<FuseMakeDirectoryIn>() },
        { "fuse_rename2_in", 16, Unsafe.SizeOf<FuseRenameIn>() },
        { "fuse_link_in", 8, Unsafe.SizeOf<FuseLinkIn>() },
        { "fuse_create_in", 16, Unsafe.SizeOf<FuseCreateIn>() },
        { "fuse_write_in", 40, Unsafe.SizeOf<FuseWriteIn>() },
        { "fuse_fsync_in", 16, Unsafe.SizeOf<FuseFsyncIn>() },
        { "fuse_fallocate_in", 32, Unsafe.SizeOf<FuseFallocateIn>() },
        { "fuse_copy_file_range_in", 56, Unsafe.SizeOf<FuseCopyFileRangeIn>() },
        { "fuse_setxattr_in (FUSE_COMPAT_SETXATTR_IN_SIZE)", 8, Unsafe.SizeOf<FuseSetXattrIn>() },
        { "fuse_lk_in", 48, Unsafe.SizeOf<FuseLockIn>() },
        { "fuse_init_in", 64, Unsafe.SizeOf<FuseInitIn>() },
        { "fuse_init_out", 64, Unsafe.SizeOf<FuseInitOut>() },
        { "fuse_notify_inval_inode_out", 24, Unsafe.SizeOf<FuseNotifyInvalidateInodeOut>() },
        { "fuse_notify_inval_entry_out", 16, Unsafe.SizeOf<FuseNotifyInvalidateEntryOut>() },
        { "fuse_notify_delete_out", 24, Unsafe.SizeOf<FuseNotifyDeleteOut>() },
        { "fuse_notify_prune_out", 16, Unsafe.SizeOf<FuseNotifyPruneOut>() },
        { "fuse_backing_map", 16, Unsafe.SizeOf<FuseBackingMap>() },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void AStructureHasTheKernelsSize(string name, int expected, int actual)
        => Assert.True(expected == actual, $"{name} is {actual} bytes, the kernel's is {expected}");
}
