using Microsoft.Extensions.Logging;

namespace Forebay.Admin;

internal static partial class AdminLog
{
    [LoggerMessage(EventId = 5001, Level = LogLevel.Warning, Message = "{RequestId} {Method} {Path} failed with {Status}")]
    public static partial void Failed(ILogger logger, Exception error, string requestId, string method, string path, int status);

    [LoggerMessage(EventId = 5002, Level = LogLevel.Debug, Message = "{RequestId} {Method} {Path} refused with {Status}")]
    public static partial void Refused(ILogger logger, Exception error, string requestId, string method, string path, int status);
}
