using Forebay.Core;
using Forebay.Fuse;
using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>Turns failures into what programs are told, and says why in the log: ten lines a second, then a count. Thread-safe.</summary>
internal sealed class FileSystemFailures(ILogger logger, TimeProvider time)
{
    private const int LinesPerSecond = 10;
    private readonly LineBudget _budget = new(time, LinesPerSecond, suppressed => FileSystemLog.MoreFailed(logger, suppressed));
    private long _count;

    /// <summary>Failures that are ours or the source's.</summary>
    internal long Count => Interlocked.Read(ref _count);

    /// <summary>Says why in the log where somebody should know.</summary>
    /// <param name="operation">What was done.</param>
    /// <param name="path">To what.</param>
    /// <param name="error">What happened.</param>
    /// <param name="isInterrupted">The program does not wait any more.</param>
    /// <returns>Positive errno.</returns>
    internal int Report(string operation, string path, Exception error, bool isInterrupted)
    {
        switch (error)
        {
            case OperationCanceledException when isInterrupted:
                return Errno.EINTR;
            case OperationCanceledException:
                Warn(operation, path, Errno.EIO, error);
                return Errno.EIO;
            case ForebayException known when !ErrnoMap.IsFailure(known.Kind):
                FileSystemLog.Ended(logger, operation, path, ErrnoMap.Of(known.Kind), known.Message);
                return ErrnoMap.Of(known.Kind);
            case ForebayException known when FailureText.IsForeseen(known):
                Warn(operation, path, ErrnoMap.Of(known.Kind), known);
                return ErrnoMap.Of(known.Kind);
            default:
                Interlocked.Increment(ref _count);
                if (_budget.MayLog())
                {
                    FileSystemLog.Broken(logger, operation, path, error);
                }

                return error is ForebayException wrapped ? ErrnoMap.Of(wrapped.Kind) : Errno.EIO;
        }
    }

    private void Warn(string operation, string path, int errno, Exception error)
    {
        Interlocked.Increment(ref _count);
        if (_budget.MayLog())
        {
            string reason = error is OperationCanceledException ? "it took longer than the request timeout" : FailureText.Of(error);
            FileSystemLog.Failed(logger, operation, path, errno, reason);
        }
    }
}
