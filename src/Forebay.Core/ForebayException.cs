namespace Forebay.Core;

/// <summary>A broken promise of an under-store, a tier or a peer, with a kind that edges translate exhaustively.</summary>
public sealed class ForebayException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="kind">Machine-readable kind.</param>
    /// <param name="what">One sentence that names the thing and, where there is one, the remedy. Never holds a secret.</param>
    /// <param name="inner">The cause, or null.</param>
    public ForebayException(ErrorKind kind, string what, Exception? inner = null)
        : base(what, inner)
    {
        Kind = kind;
    }

    /// <summary>Machine-readable kind.</summary>
    public ErrorKind Kind { get; }

    /// <summary>How long the under-store asked the caller to wait before trying again; null when it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>True for one that wraps what nobody foresaw, at a place that lets nothing else through: a log shows its trace.</summary>
    public bool IsUnforeseen { get; init; }

    /// <summary>True when the same call may succeed later without any change (throttled, timed out, unreachable).</summary>
    public bool IsTransient => Kind is ErrorKind.Throttled or ErrorKind.Timeout or ErrorKind.Unavailable;
}
