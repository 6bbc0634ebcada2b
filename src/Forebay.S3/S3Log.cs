using Microsoft.Extensions.Logging;

namespace Forebay.S3;

/// <summary>Log lines of the S3 endpoint: what a client caused is Debug, what we caused is Warning.</summary>
internal static partial class S3Log
{
    [LoggerMessage(3001, LogLevel.Information, "{RequestId} {Method} {Path} {Status} {Milliseconds:F1} ms")]
    public static partial void Access(ILogger logger, string requestId, string method, string path, int status, double milliseconds);

    [LoggerMessage(3002, LogLevel.Debug, "{RequestId}: the client is gone")]
    public static partial void ClientGone(ILogger logger, string requestId);

    [LoggerMessage(3003, LogLevel.Debug, "{RequestId} {Method} {Path} refused with {Code}")]
    public static partial void RequestRefused(ILogger logger, string requestId, string method, string path, string code, Exception exception);

    [LoggerMessage(3004, LogLevel.Warning, "{RequestId} {Method} {Path} failed with {Code}: {Reason}")]
    public static partial void RequestFailed(ILogger logger, string requestId, string method, string path, string code, string reason);

    [LoggerMessage(3005, LogLevel.Information, "S3 endpoint listens on {Address}")]
    public static partial void Listening(ILogger logger, string address);

    [LoggerMessage(3006, LogLevel.Warning, "a connection could not be accepted")]
    public static partial void AcceptFailed(ILogger logger, Exception exception);

    [LoggerMessage(3007, LogLevel.Error, "{RequestId} {Method} {Path} failed with {Code}")]
    public static partial void RequestBroken(ILogger logger, string requestId, string method, string path, string code, Exception exception);

    [LoggerMessage(3008, LogLevel.Warning, "{Count} more requests failed and were not logged")]
    public static partial void MoreFailed(ILogger logger, long count);
}
