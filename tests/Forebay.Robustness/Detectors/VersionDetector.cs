using System.Collections.Concurrent;
using Forebay.Robustness.Nodes;

namespace Forebay.Robustness.Detectors;

/// <summary>
/// Judges responses for objects that are overwritten all the time: each complete response is the bytes of exactly the version that its
/// ETag names, of an object of its length, and no request is answered with a version older than one that was answered before it began. Thread-safe.
/// </summary>
internal sealed class VersionDetector(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, long> _byETag = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Key, long Version), long> _addedAt = new();
    private readonly ConcurrentDictionary<(string Key, long Version), long> _lengths = new();
    private readonly ConcurrentDictionary<(string Key, string ETag), long> _learned = new();
    private readonly ConcurrentDictionary<string, long> _answered = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<long, bool> _seen = new();
    private readonly ConcurrentQueue<string> _violations = new();
    private long _latest;
    private long _stalestTicks;
    private int _complete;
    private int _refused;
    private string _lastRefusal = "none";

    /// <summary>Longest time from the replacing of a version to the beginning of a request that was answered with it.</summary>
    public TimeSpan Stalest => time.GetElapsedTime(0, Interlocked.Read(ref _stalestTicks));

    public bool HasViolation => !_violations.IsEmpty;

    /// <summary>There were so many complete responses, of so many versions.</summary>
    public bool HasSeen(int responses, int versions) => Volatile.Read(ref _complete) >= responses && _seen.Count >= versions;

    /// <summary>A version is at the source from now on.</summary>
    /// <param name="eTag">With its quotes; null for sources whose ETags are not known beforehand.</param>
    /// <param name="key">Key.</param>
    /// <param name="version">Rises by one.</param>
    /// <param name="length">Bytes of the object.</param>
    public void Put(string? eTag, string key, long version, long length)
    {
        _lengths[(key, version)] = length;
        if (eTag is not null)
        {
            _byETag[key + eTag] = version;
        }

        _addedAt.TryAdd((key, version), time.GetTimestamp());
        InterlockedMax(ref _latest, version);
    }

    /// <summary>A request begins.</summary>
    public Begun Begin(string key) => new(key, time.GetTimestamp(), _answered.GetValueOrDefault(key, -1));

    /// <summary>It was answered.</summary>
    public void End(Begun request, Answer answer)
    {
        if (!answer.IsSuccess)
        {
            Interlocked.Increment(ref _refused);
            _lastRefusal = $"{answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes";
            if (answer.Status is not (0 or 200 or 206 or 503))
            {
                _violations.Enqueue($"'{request.Key}' was answered with {_lastRefusal}");
            }

            return;
        }

        Interlocked.Increment(ref _complete);
        if (VersionOf(request.Key, answer) is not { } version)
        {
            return;
        }

        long wrong = new PatternContent(request.Key, version).FirstMismatch(answer.Offset, answer.Body);
        if (wrong >= 0)
        {
            _violations.Enqueue($"byte {wrong} of '{request.Key}' is not of version {version}, which the ETag {answer.ETag} names ({answer.Body.Length} bytes from {answer.Offset}; the byte is of version {Owner(request.Key, answer, wrong)})");
            return;
        }

        if (answer.ObjectLength != _lengths[(request.Key, version)])
        {
            _violations.Enqueue($"'{request.Key}' has {answer.ObjectLength} bytes in an answer of version {version}, which has {_lengths[(request.Key, version)]}");
        }

        if (version < request.Floor)
        {
            _violations.Enqueue($"'{request.Key}' went back to version {version}: {request.Floor} had been answered before the request began");
        }

        _seen.TryAdd(version, true);
        _answered.AddOrUpdate(request.Key, version, (_, newest) => Math.Max(newest, version));
        if (_addedAt.TryGetValue((request.Key, version + 1), out long replacedAt) && request.At > replacedAt)
        {
            InterlockedMax(ref _stalestTicks, request.At - replacedAt);
        }
    }

    /// <summary>The verdict on everything so far.</summary>
    /// <param name="leastResponses">Fewer complete responses prove nothing.</param>
    /// <param name="leastVersions">Fewer versions prove nothing.</param>
    /// <param name="stalest">Longest allowed time from an overwrite to a request that is answered with what was there before; null for any.</param>
    public Finding Judge(int leastResponses, int leastVersions, TimeSpan? stalest = null)
    {
        string seen = $"{_complete} complete responses of {_seen.Count} versions, {_refused} refused or cut (the last: {_lastRefusal})";
        return _violations.TryPeek(out string? violation) ? new Finding(Verdict.Violation, $"{violation}; {_violations.Count} violations in {seen}")
            : Stalest > stalest ? new Finding(Verdict.Violation, $"a version was served {Stalest.TotalMilliseconds:0} ms after it was replaced, not {stalest.Value.TotalMilliseconds:0}; {seen}")
            : !HasSeen(leastResponses, leastVersions) ? new Finding(Verdict.Inconclusive, $"only {seen}")
            : new Finding(Verdict.Pass, $"{seen}; the stalest {Stalest.TotalMilliseconds:0} ms after its end");
    }

    private long? VersionOf(string key, Answer answer)
    {
        if (answer.ETag is null)
        {
            _violations.Enqueue($"'{key}' was answered without an ETag");
            return null;
        }

        return _byETag.TryGetValue(key + answer.ETag, out long named) ? named : Recognize(key, answer);
    }

    /// <summary>A directory's ETags are not known beforehand: the first bytes tell the version, and the ETag must stay with it.</summary>
    private long? Recognize(string key, Answer answer)
    {
        long version = Owner(key, answer, answer.Offset);
        if (version < 0)
        {
            _violations.Enqueue($"the first bytes of '{key}' under the ETag {answer.ETag} are of no version at all");
            return null;
        }

        long learned = _learned.GetOrAdd((key, answer.ETag!), version);
        if (learned != version)
        {
            _violations.Enqueue($"the ETag {answer.ETag} of '{key}' stood for version {learned} and now for {version}");
            return null;
        }

        return version;
    }

    /// <summary>The version whose bytes stand at an offset of the object; -1 for none.</summary>
    private long Owner(string key, Answer answer, long offset)
    {
        int at = (int)(offset - answer.Offset);
        for (long version = Interlocked.Read(ref _latest); version >= 0; version--)
        {
            if (new PatternContent(key, version).Matches(offset, answer.Body.AsSpan(at, Math.Min(16, answer.Body.Length - at))))
            {
                return version;
            }
        }

        return -1;
    }

    private static void InterlockedMax(ref long place, long value)
    {
        long seen = Interlocked.Read(ref place);
        while (value > seen && Interlocked.CompareExchange(ref place, value, seen) is var actual && actual != seen)
        {
            seen = actual;
        }
    }

    /// <summary>A request under way.</summary>
    /// <param name="Key">Key.</param>
    /// <param name="At">When it began.</param>
    /// <param name="Floor">Newest version that had been answered before; -1 for none.</param>
    internal readonly record struct Begun(string Key, long At, long Floor);
}
