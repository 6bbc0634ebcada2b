using Microsoft.Extensions.Logging;

namespace Forebay.Admin;

internal static partial class AdminLog
{
    [LoggerMessage(EventId = 5001, Level = LogLevel.Warning, Message = "{RequestId} {Method} {Path} failed with {Status}: {Reason}")]
    public static partial void Failed(ILogger logger, string requestId, string method, string path, int status, string reason);

    [LoggerMessage(EventId = 5002, Level = LogLevel.Debug, Message = "{RequestId} {Method} {Path} refused with {Status}: {Reason}")]
    public static partial void Refused(ILogger logger, string requestId, string method, string path, int status, string reason);

    [LoggerMessage(EventId = 5004, Level = LogLevel.Warning, Message = "{Count} more requests failed and were not logged")]
    public static partial void MoreFailed(ILogger logger, long count);

    [LoggerMessage(EventId = 5003, Level = LogLevel.Error, Message = "{RequestId} {Method} {Path} failed")]
    public static partial void Broken(ILogger logger, Exception error, string requestId, string method, string path);
}
