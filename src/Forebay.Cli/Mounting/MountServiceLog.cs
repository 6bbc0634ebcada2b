using Forebay.Fuse;
using Microsoft.Extensions.Logging;

namespace Forebay.Cli.Mounting;

/// <summary>Events of a mount's worker.</summary>
internal static partial class MountServiceLog
{
    [LoggerMessage(EventId = 4000, Level = LogLevel.Information, Message = "serves {Source} on {Directory}, kernel protocol 7.{Minor}, passthrough {Passthrough}")]
    public static partial void Serving(ILogger log, string source, string directory, int minor, bool passthrough);

    [LoggerMessage(EventId = 4001, Level = LogLevel.Warning, Message = "{Kind}: {What}")]
    public static partial void Faulted(ILogger log, Exception? error, FuseFaultKind kind, string what);

    [LoggerMessage(EventId = 4002, Level = LogLevel.Warning, Message = "the control socket {Path} cannot be opened: commands on this mount do not work until the next worker")]
    public static partial void NoControlSocket(ILogger log, Exception error, string path);

    [LoggerMessage(EventId = 4003, Level = LogLevel.Warning, Message = "{Requests} requests were not answered before the worker ended; the kernel sends them to the next one")]
    public static partial void LeftBehind(ILogger log, int requests);

    [LoggerMessage(EventId = 4004, Level = LogLevel.Warning, Message = "the access log stays off: {Why}")]
    public static partial void NoAccessLog(ILogger log, string why);

    [LoggerMessage(EventId = 4005, Level = LogLevel.Warning, Message = "{Suppressed} more faults of that second are not told")]
    public static partial void MoreFaults(ILogger log, long suppressed);

    [LoggerMessage(EventId = 4006, Level = LogLevel.Warning, Message = "the cache directory cannot be used: this worker serves from the source, without cache. {Why} \"forebay mount --upgrade\" starts a worker that tries again.")]
    public static partial void NoCache(ILogger log, string why);
}
