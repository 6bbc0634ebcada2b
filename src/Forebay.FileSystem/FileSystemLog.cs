using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>Log lines of mounted file systems.</summary>
internal static partial class FileSystemLog
{
    [LoggerMessage(6001, LogLevel.Warning, "{Operation} of '{Path}' failed with errno {Errno}: {Reason}")]
    public static partial void Failed(ILogger logger, string operation, string path, int errno, string reason);

    [LoggerMessage(6002, LogLevel.Warning, "{Suppressed} more requests failed in the last second")]
    public static partial void MoreFailed(ILogger logger, long suppressed);

    [LoggerMessage(6003, LogLevel.Warning, "'{Key}' cannot be shown in the mount: {Reason}. Such keys stay reachable through the S3 endpoint; the status counts them.")]
    public static partial void NotShown(ILogger logger, string key, string reason);

    [LoggerMessage(6004, LogLevel.Warning, "The inode table is full at {Capacity} inodes: names cannot be opened until the kernel forgets some. Raise max_inodes.")]
    public static partial void TableFull(ILogger logger, int capacity);

    [LoggerMessage(6005, LogLevel.Information, "Files are not handed to the kernel (errno {Errno}): they are read through this process. Passthrough needs CAP_SYS_ADMIN, and a cache directory that is not on overlayfs.")]
    public static partial void NoPassthrough(ILogger logger, int errno);

    [LoggerMessage(6006, LogLevel.Information, "Took over {Inodes} inodes, {Handles} open handles and {Backings} files the kernel reads itself")]
    public static partial void TookOver(ILogger logger, int inodes, int handles, int backings);

    [LoggerMessage(6007, LogLevel.Debug, "{Operation} of '{Path}' ended with errno {Errno}: {Reason}")]
    public static partial void Ended(ILogger logger, string operation, string path, int errno, string reason);

    [LoggerMessage(6008, LogLevel.Error, "{Operation} of '{Path}' failed by a fault of this program")]
    public static partial void Broken(ILogger logger, string operation, string path, Exception exception);
}
