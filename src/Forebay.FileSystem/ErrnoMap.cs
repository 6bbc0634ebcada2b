using Forebay.Core;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <summary>What a program is told of a failure below; the table is in docs/ERRORS.md.</summary>
internal static class ErrnoMap
{
    /// <summary>Positive errno of a kind.</summary>
    internal static int Of(ErrorKind kind) => kind switch
    {
        ErrorKind.NotFound => Errno.ENOENT,
        ErrorKind.StaleVersion => Errno.ESTALE,
        ErrorKind.AccessDenied => Errno.EACCES,
        ErrorKind.ReadOnly => Errno.EROFS,
        ErrorKind.NotSupported => Errno.EOPNOTSUPP,
        ErrorKind.InvalidRange => Errno.EINVAL,
        ErrorKind.InvalidArgument => Errno.EINVAL,
        ErrorKind.Throttled => Errno.EAGAIN,
        ErrorKind.Timeout => Errno.EIO,
        ErrorKind.Unavailable => Errno.EIO,
        ErrorKind.Corrupt => Errno.EIO,
        ErrorKind.Canceled => Errno.EINTR,
        ErrorKind.NoSpace => Errno.EIO,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind without an errno."),
    };

    /// <summary>True for what is ours or the source's to answer for, not the program's.</summary>
    internal static bool IsFailure(ErrorKind kind)
        => kind is ErrorKind.Throttled or ErrorKind.Timeout or ErrorKind.Unavailable or ErrorKind.Corrupt or ErrorKind.NoSpace or ErrorKind.AccessDenied;
}
