using Microsoft.Extensions.Logging;

namespace Forebay.DataPlane;

/// <summary>Events of lending and borrowing.</summary>
internal static partial class DataPlaneLog
{
    [LoggerMessage(EventId = 5000, Level = LogLevel.Warning, Message = "user {User} was turned away from the socket that lends cache files: only root and the node's own user may borrow")]
    public static partial void Stranger(ILogger log, string user);

    [LoggerMessage(EventId = 5001, Level = LogLevel.Warning, Message = "a connection that borrows cache files was given up: {Why}")]
    public static partial void Malformed(ILogger log, string why);

    [LoggerMessage(EventId = 5002, Level = LogLevel.Warning, Message = "a mount was not let borrow files of '{Mount}': its key pair is not known here, or there is no such mount point")]
    public static partial void Refused(ILogger log, string mount);

    [LoggerMessage(EventId = 5005, Level = LogLevel.Error, Message = "lending a cache file failed")]
    public static partial void Failed(ILogger log, Exception error);

    [LoggerMessage(EventId = 5006, Level = LogLevel.Warning, Message = "{Count} more mounts were turned away, or their connections given up, and are not told of one by one")]
    public static partial void Suppressed(ILogger log, long count);

    [LoggerMessage(EventId = 5003, Level = LogLevel.Information, Message = "borrows whole cache files from the node at {Path}")]
    public static partial void Borrowing(ILogger log, string path);

    [LoggerMessage(EventId = 5004, Level = LogLevel.Warning, Message = "borrows nothing from the node at {Path}: {Why}")]
    public static partial void NotBorrowing(ILogger log, string path, string why);
}
