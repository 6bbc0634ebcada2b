namespace Forebay.FileSystem;

/// <summary>What an inode is.</summary>
internal enum InodeKind : byte
{
    /// <summary>A prefix that keys lie below.</summary>
    Directory = 1,

    /// <summary>One version of an object.</summary>
    File = 2,

    /// <summary>One version of an object that holds the path it leads to.</summary>
    SymbolicLink = 3,
}

/// <summary>How the kernel reads the handles of an inode; all of them share one.</summary>
internal enum OpenMode : byte
{
    /// <summary>Nothing is open.</summary>
    None,

    /// <summary>Through this process and the kernel's page cache.</summary>
    Cached,

    /// <summary>From the cache file, without this process.</summary>
    Passthrough,

    /// <summary>Through this process, round the page cache.</summary>
    Direct,
}

/// <summary>How a version token is stored.</summary>
internal enum TokenForm : byte
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>16 bytes: an MD5 in quotes.</summary>
    Md5,

    /// <summary>16 bytes and a number of parts of 4: the ETag of a multipart upload.</summary>
    Multipart,

    /// <summary>UTF-8.</summary>
    Text,
}

/// <summary>Attributes that an object may carry in its headers.</summary>
/// <param name="Mode">Permission bits, or <see cref="Unknown"/>.</param>
/// <param name="Uid">Owner, or <see cref="Unknown"/>.</param>
/// <param name="Gid">Group, or <see cref="Unknown"/>.</param>
/// <param name="ModifiedTicks">Time of change, 100 ns since 1970.</param>
/// <param name="AreFromHeaders">The headers were known; otherwise a listing told size and time only.</param>
internal readonly record struct InodeAttributes(uint Mode, uint Uid, uint Gid, long ModifiedTicks, bool AreFromHeaders = false)
{
    /// <summary>The object says nothing: the mount's option holds.</summary>
    internal const uint Unknown = uint.MaxValue;
}

/// <summary>What is known of an inode at one moment.</summary>
internal readonly record struct InodeView(
    ulong NodeId,
    ulong Parent,
    InodeKind Kind,
    ulong Inode,
    long Size,
    InodeAttributes Attributes,
    int Opens,
    OpenMode OpenMode,
    int BackingId,
    bool IsOutdated);

/// <summary>What a handle stands for.</summary>
internal readonly record struct HandleView(ulong Handle, ulong NodeId, bool IsDirectory);
