namespace Forebay.Fuse;

/// <summary>Features that kernel and file system agree on once, in INIT, for the life of the mount. The lower 32 bits are <c>flags</c>, the upper ones <c>flags2</c>.</summary>
[Flags]
public enum FuseInitFlags : ulong
{
    /// <summary>No feature.</summary>
    None = 0,

    /// <summary>FUSE_ASYNC_READ: reads of one file may be under way at once.</summary>
    AsyncRead = 1UL << 0,

    /// <summary>FUSE_POSIX_LOCKS.</summary>
    PosixLocks = 1UL << 1,

    /// <summary>FUSE_ATOMIC_O_TRUNC.</summary>
    AtomicOpenTruncate = 1UL << 3,

    /// <summary>FUSE_EXPORT_SUPPORT: LOOKUP of "." and ".." works, for NFS.</summary>
    ExportSupport = 1UL << 4,

    /// <summary>FUSE_BIG_WRITES: writes over 4 KiB.</summary>
    BigWrites = 1UL << 5,

    /// <summary>FUSE_DONT_MASK.</summary>
    DontMask = 1UL << 6,

    /// <summary>FUSE_SPLICE_WRITE.</summary>
    SpliceWrite = 1UL << 7,

    /// <summary>FUSE_SPLICE_MOVE.</summary>
    SpliceMove = 1UL << 8,

    /// <summary>FUSE_SPLICE_READ.</summary>
    SpliceRead = 1UL << 9,

    /// <summary>FUSE_FLOCK_LOCKS.</summary>
    FlockLocks = 1UL << 10,

    /// <summary>FUSE_HAS_IOCTL_DIR.</summary>
    IoctlDirectory = 1UL << 11,

    /// <summary>FUSE_AUTO_INVAL_DATA: a changed mtime or size drops cached pages.</summary>
    AutoInvalidateData = 1UL << 12,

    /// <summary>FUSE_DO_READDIRPLUS.</summary>
    ReadDirectoryPlus = 1UL << 13,

    /// <summary>FUSE_READDIRPLUS_AUTO: READDIRPLUS only where look-ups follow.</summary>
    ReadDirectoryPlusAuto = 1UL << 14,

    /// <summary>FUSE_ASYNC_DIO.</summary>
    AsyncDirectIo = 1UL << 15,

    /// <summary>FUSE_WRITEBACK_CACHE; excludes passthrough.</summary>
    WritebackCache = 1UL << 16,

    /// <summary>FUSE_NO_OPEN_SUPPORT: ENOSYS to OPEN ends all OPEN and RELEASE messages.</summary>
    NoOpenSupport = 1UL << 17,

    /// <summary>FUSE_PARALLEL_DIROPS.</summary>
    ParallelDirectoryOperations = 1UL << 18,

    /// <summary>FUSE_HANDLE_KILLPRIV.</summary>
    HandleKillPrivileges = 1UL << 19,

    /// <summary>FUSE_POSIX_ACL.</summary>
    PosixAcl = 1UL << 20,

    /// <summary>FUSE_ABORT_ERROR: the device answers ECONNABORTED after an abort.</summary>
    AbortError = 1UL << 21,

    /// <summary>FUSE_MAX_PAGES, 7.28.</summary>
    MaxPages = 1UL << 22,

    /// <summary>FUSE_CACHE_SYMLINKS, 7.28.</summary>
    CacheSymlinks = 1UL << 23,

    /// <summary>FUSE_NO_OPENDIR_SUPPORT, 7.29.</summary>
    NoOpenDirectorySupport = 1UL << 24,

    /// <summary>FUSE_EXPLICIT_INVAL_DATA, 7.30: cached pages are dropped on request only.</summary>
    ExplicitInvalidateData = 1UL << 25,

    /// <summary>FUSE_MAP_ALIGNMENT, 7.31.</summary>
    MapAlignment = 1UL << 26,

    /// <summary>FUSE_SUBMOUNTS, 7.32.</summary>
    Submounts = 1UL << 27,

    /// <summary>FUSE_HANDLE_KILLPRIV_V2, 7.33.</summary>
    HandleKillPrivilegesV2 = 1UL << 28,

    /// <summary>FUSE_SETXATTR_EXT, 7.33.</summary>
    SetXattrExtended = 1UL << 29,

    /// <summary>FUSE_INIT_EXT, 7.36: the upper half of these flags counts.</summary>
    InitExtended = 1UL << 30,

    /// <summary>FUSE_SECURITY_CTX, 7.36.</summary>
    SecurityContext = 1UL << 32,

    /// <summary>FUSE_HAS_INODE_DAX, 7.36.</summary>
    InodeDax = 1UL << 33,

    /// <summary>FUSE_CREATE_SUPP_GROUP, 7.38.</summary>
    CreateSupplementaryGroup = 1UL << 34,

    /// <summary>FUSE_HAS_EXPIRE_ONLY, 7.38.</summary>
    ExpireOnly = 1UL << 35,

    /// <summary>FUSE_DIRECT_IO_ALLOW_MMAP, 7.39.</summary>
    DirectIoAllowMmap = 1UL << 36,

    /// <summary>FUSE_PASSTHROUGH, 7.40.</summary>
    Passthrough = 1UL << 37,

    /// <summary>FUSE_NO_EXPORT_SUPPORT, 7.40.</summary>
    NoExportSupport = 1UL << 38,

    /// <summary>FUSE_HAS_RESEND, 7.40.</summary>
    Resend = 1UL << 39,

    /// <summary>FUSE_ALLOW_IDMAP, 7.41.</summary>
    AllowIdMap = 1UL << 40,

    /// <summary>FUSE_OVER_IO_URING, 7.42; never used here.</summary>
    OverIoUring = 1UL << 41,

    /// <summary>FUSE_REQUEST_TIMEOUT, 7.43.</summary>
    RequestTimeout = 1UL << 42,
}
