namespace Forebay.FileSystem;

/// <summary>Everything a mounted file system is told at start. Defaults live here and in the table of mount options, nowhere else.</summary>
public sealed record FileSystemOptions
{
    /// <summary>Longest time the kernel may believe a name; it is never longer than the metadata behind it holds.</summary>
    public TimeSpan EntryTimeout { get; init; } = TimeSpan.MaxValue;

    /// <summary>Longest time the kernel may believe attributes; likewise.</summary>
    public TimeSpan AttributeTimeout { get; init; } = TimeSpan.MaxValue;

    /// <summary>Longest time the kernel may believe that a name does not exist; likewise. Zero gives no negative entries.</summary>
    public TimeSpan NegativeTimeout { get; init; } = TimeSpan.MaxValue;

    /// <summary>Owner of what names none.</summary>
    public uint Uid { get; init; }

    /// <summary>Group of what names none.</summary>
    public uint Gid { get; init; }

    /// <summary>Permission bits of files that name none, 0–0o7777.</summary>
    public uint FileMode { get; init; } = 0x1A0; // 0640

    /// <summary>Permission bits of directories, 0–0o7777.</summary>
    public uint DirectoryMode { get; init; } = 0x1E8; // 0750

    /// <summary>Permission bits that are taken away from those an object names (umask), 0–0o7777.</summary>
    public uint ModeMask { get; init; }

    /// <summary>Whether mode, owner, group and time of objects' headers count.</summary>
    public ObjectAttributes ObjectAttributes { get; init; } = ObjectAttributes.Auto;

    /// <summary>Files that are whole in the cache are read by the kernel itself where it can.</summary>
    public bool Passthrough { get; init; } = true;

    /// <summary>Smaller files are read through the kernel's page cache, whose opens cost less than what passthrough saves, in bytes.</summary>
    public long PassthroughFromBytes { get; init; } = 256 << 10;

    /// <summary>Most cache files that are kept ready for passthrough after their last close, 0–65,536. Each holds a descriptor, and its file cannot be evicted.</summary>
    public int MaxIdleBackings { get; init; } = 512;

    /// <summary>Most bytes of them, ≥ 0: a small part of the cache's quota, for none of them can be evicted.</summary>
    public long MaxIdleBackingBytes { get; init; } = 1L << 30;

    /// <summary>Reads go round the kernel's page cache.</summary>
    public bool DirectIo { get; init; }

    /// <summary>The kernel opens files without a message, and reads all of them through its page cache: for trees of small files. No passthrough, no <see cref="DirectIo"/>.</summary>
    public bool SilentOpens { get; init; }

    /// <summary>The kernel caches listings while they are fresh.</summary>
    public bool CacheDirectories { get; init; } = true;

    /// <summary>Most memory for what open directories hold of their listings, in bytes; the one that is read holds up to 2,000 names at least.</summary>
    public long MaxDirectoryBytes { get; init; } = 32 << 20;

    /// <summary>Files of a directory up to this size are brought in together when the first of them are read, in bytes; 0 for never.</summary>
    public long PrefetchFileBytes { get; init; } = 1 << 20;

    /// <summary>Most bytes brought in that way for one directory.</summary>
    public long PrefetchDirectoryBytes { get; init; } = 512L << 20;

    /// <summary>Files brought in that way at the same time, 1–256.</summary>
    public int PrefetchParallelism { get; init; } = 64;

    /// <summary>Reads that wait for bytes at the same time, 1–4,096; each has a buffer of up to 1 MiB. More wait for their turn.</summary>
    public int MaxWaitingReads { get; init; } = 128;

    /// <summary>Longest time for one request of the kernel; then it fails with EIO.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(120);
}

/// <summary>Whether headers of objects (<c>x-amz-meta-mode</c>, <c>-uid</c>, <c>-gid</c>, <c>-mtime</c>, as s3fs, ossfs and rclone write them) count.</summary>
public enum ObjectAttributes
{
    /// <summary>Never: every file has the mount's mode and owner and the object's time. No links.</summary>
    Ignore,

    /// <summary>
    /// As the source needs: the first 16 files that are looked up or listed with attributes are asked for them. Unless one of them names a mode, owner or group, files are asked for
    /// no more (where headers are known for another reason they count); the first file that does turns it to <see cref="Always"/>.
    /// </summary>
    Auto,

    /// <summary>Always: each file costs a question, also in listings.</summary>
    Always,
}
