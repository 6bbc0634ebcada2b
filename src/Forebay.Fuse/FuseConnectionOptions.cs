namespace Forebay.Fuse;

/// <summary>What a session asks for in INIT. What the kernel does not offer is left out; <see cref="FuseConnection"/> tells what was agreed.</summary>
public sealed record FuseConnectionOptions
{
    /// <summary>Oldest minor version that is served (Linux 5.4).</summary>
    public const int OldestMinor = 31;

    /// <summary>Newest minor version that is spoken (Linux 6.18); a newer kernel speaks this one.</summary>
    public const int NewestMinor = 45;

    /// <summary>Most bytes of a WRITE, 4,096–1,048,576. Every thread has a buffer of this size, so a mount that only reads keeps it small.</summary>
    public int MaxWriteBytes { get; init; } = 128 * 1024;

    /// <summary>Most pages of 4 KiB of a request, 1–65,535; above 256 only with the sysctl <c>fs.fuse.max_pages_limit</c>. 256 allows READs of 1 MiB.</summary>
    public int MaxPages { get; init; } = 256;

    /// <summary>Most bytes the kernel reads ahead; it takes the smaller of this and its own (128 KiB).</summary>
    public int MaxReadAheadBytes { get; init; } = 1024 * 1024;

    /// <summary>Asynchronous requests (read-ahead, direct I/O) under way at most, 1–65,535. The kernel counts them over the whole mount: those that wait
    /// for a slow source hold up the others beyond it.</summary>
    public int MaxBackground { get; init; } = 512;

    /// <summary>Asks for passthrough with stack depth 1: the backing file must lie on a file system that is not itself stacked.</summary>
    public bool Passthrough { get; init; } = true;

    /// <summary>When listings come with attributes.</summary>
    public ReadDirectoryPlusMode ReadDirectoryPlus { get; init; } = ReadDirectoryPlusMode.Auto;

    /// <summary>Targets of symbolic links are cached in the kernel.</summary>
    public bool CacheSymlinks { get; init; } = true;

    /// <summary>LOOKUP of "." and ".." by nodeid works, so that the mount can be exported by NFS.</summary>
    public bool ExportSupport { get; init; }

    /// <summary>ENOSYS to OPEN ends all OPEN messages; excludes passthrough for the whole mount.</summary>
    public bool ZeroMessageOpen { get; init; }

    /// <summary>ENOSYS to OPENDIR ends all OPENDIR messages.</summary>
    public bool ZeroMessageOpenDirectory { get; init; }

    /// <summary>Cached pages of a file are dropped on request only, not when its size or mtime changes. Right where a nodeid stands for one version for ever.</summary>
    public bool ExplicitInvalidation { get; init; }

    /// <summary>Features asked for besides those that the options above stand for.</summary>
    public FuseInitFlags AlsoAskFor { get; init; }
}

/// <summary>When the kernel asks for listings with attributes.</summary>
public enum ReadDirectoryPlusMode
{
    /// <summary>Never.</summary>
    Off,

    /// <summary>When the program that lists also looks names up.</summary>
    Auto,

    /// <summary>Always.</summary>
    Always,
}
