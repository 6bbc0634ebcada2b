using Forebay.Cli.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Forebay.Cli.Serve;

/// <summary>Logs of a node: to the standard error, one line an event.</summary>
internal static class NodeLogging
{
    public static ILoggerFactory Create(LogConfiguration log) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(log.Level switch
        {
            LogDetail.Debug => LogLevel.Debug,
            LogDetail.Info => LogLevel.Information,
            LogDetail.Warning => LogLevel.Warning,
            _ => LogLevel.Error,
        });
        builder.AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<ConsoleLoggerOptions>(options =>
        {
            options.LogToStandardErrorThreshold = LogLevel.Trace;

            // A terminal that is halted, or a pipe that nobody reads, must not hold up who logs: lines are dropped, and told.
            options.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
        if (log.Format == LogFormat.Json)
        {
            builder.AddJsonConsole(options => options.UseUtcTimestamp = true);
            return;
        }

        builder.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            options.UseUtcTimestamp = true;
        });
    });
}
