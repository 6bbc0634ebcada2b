using System.Collections.Concurrent;
using Forebay.Engine.Limits;

namespace Forebay.S3;

/// <summary>
/// Bounds how often one access key may refresh: each refresh walks what is cached, and makes the next uses ask the source. Thread-safe; one bucket per
/// configured key.
/// </summary>
internal sealed class RefreshRate(TimeProvider time)
{
    /// <summary>Refreshes per second that may go on for ever.</summary>
    internal const int PerSecond = 20;

    private static readonly TimeSpan Burst = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, TokenBucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>False when the key must wait.</summary>
    public bool TryTake(string accessKeyId)
        => _buckets.GetOrAdd(accessKeyId, static (_, time) => new TokenBucket(PerSecond, Burst, maxGrant: 1, time), time).TryAcquire();
}
