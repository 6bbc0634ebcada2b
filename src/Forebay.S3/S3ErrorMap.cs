using Forebay.Core;

namespace Forebay.S3;

/// <summary>Translates errors of the engine to errors of S3, once and exhaustively (docs/ERRORS.md).</summary>
internal static class S3ErrorMap
{
    /// <summary>The error to answer; null when nobody is left to hear it.</summary>
    /// <remarks><see cref="ErrorKind.NotFound"/> is about the key here: a missing bucket is found before the engine is asked.</remarks>
    public static S3Error? From(ErrorKind kind) => kind switch
    {
        ErrorKind.NotFound => S3Errors.NoSuchKey,
        ErrorKind.StaleVersion => S3Errors.PreconditionFailed,
        ErrorKind.AccessDenied => S3Errors.AccessDenied,
        ErrorKind.ReadOnly => S3Errors.ReadOnly,
        ErrorKind.NotSupported => S3Errors.NotImplemented,
        ErrorKind.InvalidRange => S3Errors.InvalidRange,
        ErrorKind.InvalidArgument => S3Errors.InvalidArgument,
        ErrorKind.Throttled => S3Errors.SlowDown,
        ErrorKind.Timeout or ErrorKind.Unavailable => S3Errors.ServiceUnavailable,
        ErrorKind.Corrupt or ErrorKind.NoSpace => S3Errors.InternalError,
        ErrorKind.Canceled => null,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "An error kind without an S3 error."),
    };

    /// <summary>The error to answer, with the wait the under-store asked for.</summary>
    public static S3Error? From(ForebayException exception)
    {
        S3Error? error = From(exception.Kind);
        if (error?.RetryAfterSeconds is null || exception.RetryAfter is not { } wait)
        {
            return error;
        }

        return error with { RetryAfterSeconds = (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds), 1, 3600) };
    }
}
