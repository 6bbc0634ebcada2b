namespace Forebay.FileSystem;

/// <summary>Figures of a mounted file system at one moment; counters since this process serves it.</summary>
public sealed record FileSystemStatus
{
    /// <summary>Inodes the kernel may ask for.</summary>
    public required int Inodes { get; init; }

    /// <summary>Most inodes.</summary>
    public required int MaxInodes { get; init; }

    /// <summary>Memory of the inode table.</summary>
    public required long InodeBytes { get; init; }

    /// <summary>Open files and directories.</summary>
    public required int Handles { get; init; }

    /// <summary>Files the kernel reads itself, those kept ready included.</summary>
    public required int Backings { get; init; }

    /// <summary>True when the kernel takes files to read itself.</summary>
    public required bool Passthrough { get; init; }

    /// <summary>Opens that the kernel reads itself.</summary>
    public required long PassthroughOpens { get; init; }

    /// <summary>Opens that are read through this process.</summary>
    public required long CachedOpens { get; init; }

    /// <summary>Opens of a version that was not the current one any more.</summary>
    public required long StaleOpens { get; init; }

    /// <summary>Reads answered from verified cache files at once.</summary>
    public required long HotReads { get; init; }

    /// <summary>Reads that waited for bytes.</summary>
    public required long ColdReads { get; init; }

    /// <summary>Bytes of both.</summary>
    public required long ReadBytes { get; init; }

    /// <summary>Files brought in because others of their directory were read.</summary>
    public required long PrefetchedFiles { get; init; }

    /// <summary>Those of them that were opened afterwards.</summary>
    public required long PrefetchedFilesUsed { get; init; }

    /// <summary>Bytes of all of them.</summary>
    public required long PrefetchedBytes { get; init; }

    /// <summary>Keys met that are no path (<c>//</c>, <c>.</c>, <c>..</c>, over 255 bytes); a key counts each time it is listed.</summary>
    public required long UnshowableKeys { get; init; }

    /// <summary>Objects met that a directory of the same name hides; likewise.</summary>
    public required long HiddenObjects { get; init; }

    /// <summary>Requests that failed with EIO, EAGAIN or EACCES.</summary>
    public required long Failures { get; init; }
}
