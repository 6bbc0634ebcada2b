using Forebay.Core;

namespace Forebay.Engine.Limits;

/// <summary>What went to and came from one under-store through one mount point since the start. Thread-safe.</summary>
public sealed class UnderStoreCounters
{
    private readonly TimeProvider _time;
    private long _requests;
    private long _bytesRead;
    private long _errors;
    private UnderStoreError? _lastError;

    /// <summary>Creates counters at 0.</summary>
    public UnderStoreCounters(TimeProvider time) => _time = time;

    /// <summary>Requests sent, retries counted one by one.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Body bytes received.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>Requests and bodies that failed. "Does not exist", "changed" and "outside the object" are answers, not failures.</summary>
    public long Errors => Interlocked.Read(ref _errors);

    /// <summary>The last failure; null when there was none.</summary>
    public UnderStoreError? LastError => Volatile.Read(ref _lastError);

    internal void CountRequest() => Interlocked.Increment(ref _requests);

    internal void CountBytes(int bytes) => Interlocked.Add(ref _bytesRead, bytes);

    internal void CountError(ForebayException error)
    {
        if (error.Kind is ErrorKind.NotFound or ErrorKind.StaleVersion or ErrorKind.InvalidRange or ErrorKind.InvalidArgument or ErrorKind.Canceled)
        {
            return;
        }

        Interlocked.Increment(ref _errors);
        Volatile.Write(ref _lastError, new UnderStoreError(_time.GetUtcNow(), error.Kind, error.Message));
    }
}

/// <summary>A failure of an under-store.</summary>
/// <param name="At">When.</param>
/// <param name="Kind">What kind.</param>
/// <param name="Message">One sentence, without secrets.</param>
public sealed record UnderStoreError(DateTimeOffset At, ErrorKind Kind, string Message)
{
    /// <summary>Time and sentence, as status shows them.</summary>
    public override string ToString() => $"{At:yyyy-MM-ddTHH:mm:ssZ} {Message}";
}
