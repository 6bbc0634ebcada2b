namespace Forebay.Fuse;

/// <summary>Error numbers of Linux as positive numbers (those of x86-64 and arm64). They are negated in one place, where a reply is sent.</summary>
public static class Errno
{
    /// <summary>EPERM: Operation not permitted.</summary>
    public const int EPERM = 1;

    /// <summary>ENOENT: No such file or directory.</summary>
    public const int ENOENT = 2;

    /// <summary>EINTR: Interrupted.</summary>
    public const int EINTR = 4;

    /// <summary>EIO: Input/output error.</summary>
    public const int EIO = 5;

    /// <summary>ENXIO: No such device or address; LSEEK beyond the end.</summary>
    public const int ENXIO = 6;

    /// <summary>E2BIG: Argument list too long.</summary>
    public const int E2BIG = 7;

    /// <summary>EBADF: Bad descriptor.</summary>
    public const int EBADF = 9;

    /// <summary>EAGAIN: Try again.</summary>
    public const int EAGAIN = 11;

    /// <summary>ENOMEM: Out of memory.</summary>
    public const int ENOMEM = 12;

    /// <summary>EACCES: Permission denied.</summary>
    public const int EACCES = 13;

    /// <summary>EBUSY: In use.</summary>
    public const int EBUSY = 16;

    /// <summary>EEXIST: Exists.</summary>
    public const int EEXIST = 17;

    /// <summary>EXDEV: Another device.</summary>
    public const int EXDEV = 18;

    /// <summary>ENODEV: No such device; the file system was unmounted.</summary>
    public const int ENODEV = 19;

    /// <summary>ENOTDIR: Not a directory.</summary>
    public const int ENOTDIR = 20;

    /// <summary>EISDIR: Is a directory.</summary>
    public const int EISDIR = 21;

    /// <summary>EINVAL: Invalid argument.</summary>
    public const int EINVAL = 22;

    /// <summary>ENOTTY: Not for this kind of file.</summary>
    public const int ENOTTY = 25;

    /// <summary>EFBIG: File too large.</summary>
    public const int EFBIG = 27;

    /// <summary>ENOSPC: No space.</summary>
    public const int ENOSPC = 28;

    /// <summary>EROFS: Read-only file system.</summary>
    public const int EROFS = 30;

    /// <summary>ERANGE: Result does not fit.</summary>
    public const int ERANGE = 34;

    /// <summary>ENAMETOOLONG: Name too long.</summary>
    public const int ENAMETOOLONG = 36;

    /// <summary>ENOSYS: Never implemented; for optional operations the kernel remembers it for the life of the mount.</summary>
    public const int ENOSYS = 38;

    /// <summary>ENOTEMPTY: Directory not empty.</summary>
    public const int ENOTEMPTY = 39;

    /// <summary>ELOOP: Too many links, or stacked too deep.</summary>
    public const int ELOOP = 40;

    /// <summary>ENODATA: No such extended attribute.</summary>
    public const int ENODATA = 61;

    /// <summary>EPROTO: Protocol error.</summary>
    public const int EPROTO = 71;

    /// <summary>EOVERFLOW: Value too large.</summary>
    public const int EOVERFLOW = 75;

    /// <summary>EOPNOTSUPP: Not supported on this file.</summary>
    public const int EOPNOTSUPP = 95;

    /// <summary>ECONNABORTED: The connection was aborted.</summary>
    public const int ECONNABORTED = 103;

    /// <summary>ENOTCONN: The server of the mount is gone.</summary>
    public const int ENOTCONN = 107;

    /// <summary>ETIMEDOUT: Timed out.</summary>
    public const int ETIMEDOUT = 110;

    /// <summary>ESTALE: The inode stands for a version that is gone; the kernel looks the name up anew.</summary>
    public const int ESTALE = 116;
}
