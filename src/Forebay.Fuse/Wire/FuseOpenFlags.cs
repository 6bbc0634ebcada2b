namespace Forebay.Fuse;

/// <summary>How the kernel treats an open file. FOPEN_* bits of <see cref="FuseOpenOut.Flags"/>.</summary>
[Flags]
public enum FuseOpenFlags : uint
{
    /// <summary>Cached pages of the inode are dropped at this open.</summary>
    None = 0,

    /// <summary>FOPEN_DIRECT_IO: reads go round the page cache.</summary>
    DirectIo = 1 << 0,

    /// <summary>FOPEN_KEEP_CACHE: cached pages stay valid.</summary>
    KeepCache = 1 << 1,

    /// <summary>FOPEN_NONSEEKABLE.</summary>
    NonSeekable = 1 << 2,

    /// <summary>FOPEN_CACHE_DIR, 7.28: the listing is cached; with <see cref="KeepCache"/> it stays over opens.</summary>
    CacheDirectory = 1 << 3,

    /// <summary>FOPEN_STREAM, 7.31.</summary>
    Stream = 1 << 4,

    /// <summary>FOPEN_NOFLUSH, 7.35: close(2) sends no FLUSH.</summary>
    NoFlush = 1 << 5,

    /// <summary>FOPEN_PARALLEL_DIRECT_WRITES, 7.38.</summary>
    ParallelDirectWrites = 1 << 6,

    /// <summary>FOPEN_PASSTHROUGH, 7.40: the kernel reads the file of <see cref="FuseOpenOut.BackingId"/> itself. All opens of an inode share this mode and the id until the last RELEASE.</summary>
    Passthrough = 1 << 7,
}
