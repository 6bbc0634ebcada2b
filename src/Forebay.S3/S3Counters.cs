using System.Collections.Concurrent;

namespace Forebay.S3;

/// <summary>Figures of the S3 endpoint since process start. Written by requests, read by whoever reports; thread-safe and never reset.</summary>
public sealed class S3Counters
{
    private static readonly double[] Bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    private const int StatusClasses = 6;
    private readonly long[] _requests = new long[Enum.GetValues<S3OperationKind>().Length * StatusClasses];
    private readonly long[] _latencyBuckets = new long[Bounds.Length + 1];

    // Codes come from our own table, so the number of entries is bounded by it.
    private readonly ConcurrentDictionary<string, long> _authenticationFailures = new(StringComparer.Ordinal);
    private long _activeRequests;
    private long _activeConnections;
    private long _bytesSent;
    private long _bodiesAborted;
    private long _latencyTicks;

    /// <summary>Upper bounds of the latency buckets in seconds; one more bucket holds what is above the last.</summary>
    public static IReadOnlyList<double> LatencyBoundsSeconds => Bounds;

    /// <summary>Requests being worked on now.</summary>
    public long ActiveRequests => Interlocked.Read(ref _activeRequests);

    /// <summary>Open connections, if the server counts them.</summary>
    public long ActiveConnections => Interlocked.Read(ref _activeConnections);

    /// <summary>Bytes of object bodies handed to connections.</summary>
    public long BytesSentTotal => Interlocked.Read(ref _bytesSent);

    /// <summary>Bodies that had to be cut off after their first byte.</summary>
    public long BodiesAborted => Interlocked.Read(ref _bodiesAborted);

    /// <summary>Sum of the time of all ended requests.</summary>
    public TimeSpan LatencySum => TimeSpan.FromTicks(Interlocked.Read(ref _latencyTicks));

    /// <summary>Ended requests of one operation.</summary>
    /// <param name="operation">Which operation.</param>
    /// <param name="statusClass">2 for 200–299, 4 for 400–499, and so on; 1–5.</param>
    public long Requests(S3OperationKind operation, int statusClass)
        => Interlocked.Read(ref _requests[((int)operation * StatusClasses) + statusClass]);

    /// <summary>Ended requests whose time fell into one bucket (not cumulative).</summary>
    /// <param name="index">0 to the count of <see cref="LatencyBoundsSeconds"/>, which is the bucket above the last bound.</param>
    public long LatencyBucket(int index) => Interlocked.Read(ref _latencyBuckets[index]);

    /// <summary>Refused signatures by error code.</summary>
    public IReadOnlyDictionary<string, long> AuthenticationFailures => _authenticationFailures;

    internal void RequestStarted() => Interlocked.Increment(ref _activeRequests);

    internal void RequestEnded(S3OperationKind operation, int status, TimeSpan elapsed)
    {
        Interlocked.Decrement(ref _activeRequests);
        Interlocked.Add(ref _latencyTicks, elapsed.Ticks);
        Interlocked.Increment(ref _requests[((int)operation * StatusClasses) + Math.Clamp(status / 100, 1, StatusClasses - 1)]);
        double seconds = elapsed.TotalSeconds;
        int bucket = 0;
        while (bucket < Bounds.Length && seconds > Bounds[bucket])
        {
            bucket++;
        }

        Interlocked.Increment(ref _latencyBuckets[bucket]);
    }

    internal void BytesSent(long count) => Interlocked.Add(ref _bytesSent, count);

    internal void BodyAborted() => Interlocked.Increment(ref _bodiesAborted);

    internal void ConnectionOpened() => Interlocked.Increment(ref _activeConnections);

    internal void ConnectionClosed() => Interlocked.Decrement(ref _activeConnections);

    internal void AuthenticationFailed(string code) => _authenticationFailures.AddOrUpdate(code, 1, static (_, count) => count + 1);
}

/// <summary>Operations as counters and the table name them.</summary>
public enum S3OperationKind
{
    /// <summary>A target that could not be read, or a request refused before its operation was known.</summary>
    Unknown,

    /// <summary>GET /.</summary>
    ListBuckets,

    /// <summary>HEAD of a bucket.</summary>
    HeadBucket,

    /// <summary>Descriptions of a bucket: location, versioning, ACL, and configurations that are absent here.</summary>
    GetBucketConfiguration,

    /// <summary>Listing, version 1 and 2.</summary>
    ListObjects,

    /// <summary>Listing of versions.</summary>
    ListObjectVersions,

    /// <summary>GET of an object.</summary>
    GetObject,

    /// <summary>HEAD of an object.</summary>
    HeadObject,

    /// <summary>ACL, tags and the like of an object.</summary>
    GetObjectDescription,

    /// <summary>Forgetting cached metadata.</summary>
    Refresh,

    /// <summary>A write, refused.</summary>
    Write,

    /// <summary>Known to S3, not to this endpoint.</summary>
    NotImplemented,
}
