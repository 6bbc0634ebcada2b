namespace Forebay.Mounting.Options;

/// <summary>Whether mode, owner, group and time in headers of objects count.</summary>
public enum MountAttributes
{
    /// <summary>If the first files name a mode or owner.</summary>
    Auto,

    /// <summary>For every file.</summary>
    Always,

    /// <summary>Never.</summary>
    Ignore,
}

/// <summary>How much the processes of a mount log; the names are those of the usual log levels.</summary>
public enum MountLogLevel
{
    /// <summary>Something was lost.</summary>
    Error,

    /// <summary>Temporary trouble.</summary>
    Warning,

    /// <summary>Rare and useful events.</summary>
    Info,

    /// <summary>Every common operation.</summary>
    Debug,
}

/// <summary>What <c>-o</c> can say about one mount, checked. Defaults live here and in docs/MOUNT.md, nowhere else.</summary>
public sealed record MountOptions
{
    /// <summary>Permission bits of a file when nothing else says them.</summary>
    public const int DefaultFileMode = 0x1A0; // 0640

    /// <summary>Permission bits of a directory when nothing else says them.</summary>
    public const int DefaultDirectoryMode = 0x1E8; // 0750

    private const int AllPermissions = 0x1FF; // 0777

    /// <summary><c>rw</c> was asked for; the mount is read-only all the same while there are no writes.</summary>
    public bool WriteAsked { get; init; }

    /// <summary>Other users may use the mount.</summary>
    public bool AllowOther { get; init; }

    /// <summary>Root may use the mount too; without meaning where root mounts.</summary>
    public bool AllowRoot { get; init; }

    /// <summary>The kernel checks permission bits; else everybody who may use the mount may read everything.</summary>
    public bool DefaultPermissions { get; init; }

    /// <summary>Set-user-id bits count.</summary>
    public bool Suid { get; init; }

    /// <summary>Device files count.</summary>
    public bool Devices { get; init; }

    /// <summary>Files may be executed.</summary>
    public bool Execute { get; init; } = true;

    /// <summary>Reads change no access time. On by nature: an object has none.</summary>
    public bool NoAccessTime { get; init; } = true;

    /// <summary>The mount point may hold files, which are hidden while it is mounted.</summary>
    public bool NonEmpty { get; init; }

    /// <summary>Largest read the kernel sends, bytes; null for what the kernel and this build agree on.</summary>
    public int? MaxReadBytes { get; init; }

    /// <summary>Reads go past the kernel's page cache.</summary>
    public bool DirectIo { get; init; }

    /// <summary>Whole cached files are handed to the kernel, where it can take them.</summary>
    public bool Passthrough { get; init; } = true;

    /// <summary>The kernel opens files without asking the worker, and reads them through its page cache only.</summary>
    public bool SmallFiles { get; init; }

    /// <summary>Owner of everything; null for who mounts.</summary>
    public uint? UserId { get; init; }

    /// <summary>Group of everything; null for that of who mounts.</summary>
    public uint? GroupId { get; init; }

    /// <summary>Permission bits taken away from 0777 (or from the modes, when they are given); null for not given.</summary>
    public int? Umask { get; init; }

    /// <summary>Permission bits of files; null for not given.</summary>
    public int? FileMode { get; init; }

    /// <summary>Permission bits of directories; null for not given.</summary>
    public int? DirectoryMode { get; init; }

    /// <summary>Longest time the kernel keeps attributes; null for as long as the metadata behind them is believed.</summary>
    public TimeSpan? AttributeTimeout { get; init; }

    /// <summary>Longest time the kernel keeps names; null for as long as the metadata behind them is believed.</summary>
    public TimeSpan? EntryTimeout { get; init; }

    /// <summary>Longest time the kernel keeps "does not exist"; null for as long as the metadata behind it is believed.</summary>
    public TimeSpan? NegativeTimeout { get; init; }

    /// <summary>Ranges of one file fetched at the same time, 1–256.</summary>
    public int ParallelCount { get; init; } = 20;

    /// <summary>Requests to the source at the same time, ≥ <see cref="ParallelCount"/>, at most 1,024.</summary>
    public int MaxRequests { get; init; } = 20;

    /// <summary>Objects whose stat is kept; 0 keeps none.</summary>
    public int MaxStatCacheSize { get; init; } = 1000;

    /// <summary>How long a stat or listing is believed.</summary>
    public TimeSpan StatCacheExpire { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Objects are never overwritten: what was seen once is believed until <c>refresh</c>.</summary>
    public bool Immutable { get; init; }

    /// <summary>Largest range fetched at once, bytes.</summary>
    public long MultipartBytes { get; init; } = 10L << 20;

    /// <summary>Directory below which the cache lies; null for the user's cache folder.</summary>
    public string? CacheParent { get; init; }

    /// <summary>Bytes of their disks that the cache directories leave free, at all times.</summary>
    public long EnsureDiskFreeBytes { get; init; }

    /// <summary>Bound of the cache on its disk, bytes; null for one that follows from the disk.</summary>
    public long? CacheSizeBytes { get; init; }

    /// <summary>Unit of validity of a new cache directory, bytes.</summary>
    public int PageSizeBytes { get; init; } = 256 << 10;

    /// <summary>Address of the S3 service; null for what the source says.</summary>
    public string? Url { get; init; }

    /// <summary>Region that requests are signed for; null for what the source or the environment says.</summary>
    public string? Region { get; init; }

    /// <summary>Bucket in the path, not in the host name; null for what suits the service.</summary>
    public bool? PathStyle { get; init; }

    /// <summary>Requests are not signed.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Profile of the AWS configuration files.</summary>
    public string? Profile { get; init; }

    /// <summary>File with the key pair; its content never leaves it but for the worker's environment.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>Whether attributes in headers of objects count.</summary>
    public MountAttributes ObjectAttributes { get; init; } = MountAttributes.Auto;

    /// <summary>How much is logged.</summary>
    public MountLogLevel LogLevel { get; init; } = MountLogLevel.Warning;

    /// <summary>File that the processes of the mount log to; null for one in the runtime directory.</summary>
    public string? LogFile { get; init; }

    /// <summary>File that each request is logged to from the beginning; null for none.</summary>
    public string? AccessLogFile { get; init; }

    /// <summary>Resident memory of the worker, bytes.</summary>
    public long MemoryLimitBytes { get; init; } = 1L << 30;

    /// <summary>Files and directories that the kernel may know at the same time.</summary>
    public int MaxInodes { get; init; } = 4_000_000;

    /// <summary>Small files that are fetched ahead of their readers at the same time, besides <see cref="MaxRequests"/>.</summary>
    public int MaxPrefetch { get; init; } = 64;

    /// <summary>Threads that read requests of the kernel.</summary>
    public int Threads { get; init; } = 2;

    /// <summary>Longest time one of them asks for a request without sleeping, µs; 0 for never.</summary>
    public int SpinMicroseconds { get; init; } = 50;

    /// <summary>A second worker waits, started and warm, to take over.</summary>
    public bool Standby { get; init; } = true;

    /// <summary>Permission bits of files, all options taken together.</summary>
    public int EffectiveFileMode => (FileMode ?? (Umask is null ? DefaultFileMode : AllPermissions)) & ~(Umask ?? 0) & AllPermissions;

    /// <summary>Permission bits of directories, all options taken together.</summary>
    public int EffectiveDirectoryMode => (DirectoryMode ?? (Umask is null ? DefaultDirectoryMode : AllPermissions)) & ~(Umask ?? 0) & AllPermissions;
}
