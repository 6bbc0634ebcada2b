using Forebay.Core;
using Forebay.S3.Addressing;
using Forebay.S3.Xml;
using Microsoft.Extensions.Logging;

namespace Forebay.S3;

/// <summary>Says in the log why requests failed: ten lines a second, then a count, for an outage fails every request. Thread-safe.</summary>
internal sealed class S3Failures(ILogger logger, TimeProvider time)
{
    internal const int LinesPerSecond = 10;
    private readonly LineBudget _failed = new(time, LinesPerSecond, suppressed => S3Log.MoreFailed(logger, suppressed));

    /// <summary>Of their own: an outage must not hide a bug.</summary>
    private readonly LineBudget _broken = new(time, LinesPerSecond, suppressed => S3Log.MoreFailed(logger, suppressed));

    /// <summary>Where the client is to blame for debugging only; the trace only of what nobody foresaw.</summary>
    internal void Report(string requestId, string method, RequestTarget? target, S3Error answer, Exception error)
    {
        string path = target?.RawPath ?? "-";
        if (answer.Status < 500)
        {
            S3Log.RequestRefused(logger, requestId, method, path, answer.Code, error);
        }
        else if (!FailureText.IsForeseen(error))
        {
            if (_broken.MayLog())
            {
                S3Log.RequestBroken(logger, requestId, method, path, answer.Code, error);
            }
        }
        else if (_failed.MayLog())
        {
            S3Log.RequestFailed(logger, requestId, method, path, answer.Code, error is OperationCanceledException ? "a time-out of the node ended it" : FailureText.Of(error));
        }
    }
}
