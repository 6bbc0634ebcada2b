namespace Forebay.Fuse;

/// <summary>What a request asks for. <c>enum fuse_opcode</c>.</summary>
public enum FuseOpcode
{
    /// <summary>No request.</summary>
    None = 0,

    /// <summary>FUSE_LOOKUP.</summary>
    Lookup = 1,

    /// <summary>FUSE_FORGET; no reply.</summary>
    Forget = 2,

    /// <summary>FUSE_GETATTR.</summary>
    GetAttr = 3,

    /// <summary>FUSE_SETATTR.</summary>
    SetAttr = 4,

    /// <summary>FUSE_READLINK.</summary>
    ReadLink = 5,

    /// <summary>FUSE_SYMLINK.</summary>
    SymLink = 6,

    /// <summary>FUSE_MKNOD.</summary>
    MakeNode = 8,

    /// <summary>FUSE_MKDIR.</summary>
    MakeDirectory = 9,

    /// <summary>FUSE_UNLINK.</summary>
    Unlink = 10,

    /// <summary>FUSE_RMDIR.</summary>
    RemoveDirectory = 11,

    /// <summary>FUSE_RENAME.</summary>
    Rename = 12,

    /// <summary>FUSE_LINK.</summary>
    Link = 13,

    /// <summary>FUSE_OPEN.</summary>
    Open = 14,

    /// <summary>FUSE_READ.</summary>
    Read = 15,

    /// <summary>FUSE_WRITE.</summary>
    Write = 16,

    /// <summary>FUSE_STATFS.</summary>
    StatFs = 17,

    /// <summary>FUSE_RELEASE.</summary>
    Release = 18,

    /// <summary>FUSE_FSYNC.</summary>
    Fsync = 20,

    /// <summary>FUSE_SETXATTR.</summary>
    SetXattr = 21,

    /// <summary>FUSE_GETXATTR.</summary>
    GetXattr = 22,

    /// <summary>FUSE_LISTXATTR.</summary>
    ListXattr = 23,

    /// <summary>FUSE_REMOVEXATTR.</summary>
    RemoveXattr = 24,

    /// <summary>FUSE_FLUSH.</summary>
    Flush = 25,

    /// <summary>FUSE_INIT.</summary>
    Init = 26,

    /// <summary>FUSE_OPENDIR.</summary>
    OpenDirectory = 27,

    /// <summary>FUSE_READDIR.</summary>
    ReadDirectory = 28,

    /// <summary>FUSE_RELEASEDIR.</summary>
    ReleaseDirectory = 29,

    /// <summary>FUSE_FSYNCDIR.</summary>
    FsyncDirectory = 30,

    /// <summary>FUSE_GETLK.</summary>
    GetLock = 31,

    /// <summary>FUSE_SETLK.</summary>
    SetLock = 32,

    /// <summary>FUSE_SETLKW.</summary>
    SetLockWait = 33,

    /// <summary>FUSE_ACCESS.</summary>
    Access = 34,

    /// <summary>FUSE_CREATE.</summary>
    Create = 35,

    /// <summary>FUSE_INTERRUPT; no reply.</summary>
    Interrupt = 36,

    /// <summary>FUSE_BMAP.</summary>
    Bmap = 37,

    /// <summary>FUSE_DESTROY.</summary>
    Destroy = 38,

    /// <summary>FUSE_IOCTL.</summary>
    Ioctl = 39,

    /// <summary>FUSE_POLL.</summary>
    Poll = 40,

    /// <summary>FUSE_NOTIFY_REPLY; no reply.</summary>
    NotifyReply = 41,

    /// <summary>FUSE_BATCH_FORGET; no reply.</summary>
    BatchForget = 42,

    /// <summary>FUSE_FALLOCATE, 7.19.</summary>
    Fallocate = 43,

    /// <summary>FUSE_READDIRPLUS, 7.21.</summary>
    ReadDirectoryPlus = 44,

    /// <summary>FUSE_RENAME2, 7.23.</summary>
    Rename2 = 45,

    /// <summary>FUSE_LSEEK, 7.24.</summary>
    Lseek = 46,

    /// <summary>FUSE_COPY_FILE_RANGE, 7.28.</summary>
    CopyFileRange = 47,

    /// <summary>FUSE_SETUPMAPPING, 7.31; DAX only.</summary>
    SetupMapping = 48,

    /// <summary>FUSE_REMOVEMAPPING, 7.31; DAX only.</summary>
    RemoveMapping = 49,

    /// <summary>FUSE_SYNCFS, 7.34.</summary>
    SyncFs = 50,

    /// <summary>FUSE_TMPFILE, 7.37.</summary>
    TempFile = 51,

    /// <summary>FUSE_STATX, 7.39.</summary>
    Statx = 52,

    /// <summary>FUSE_COPY_FILE_RANGE_64, 7.45.</summary>
    CopyFileRange64 = 53,
}
