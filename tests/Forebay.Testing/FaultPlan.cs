using Forebay.Core;

namespace Forebay.Testing;

/// <summary>The calls of an under-store.</summary>
public enum UnderStoreCall
{
    Stat,
    Read,
    List,
}

/// <summary>What a faulty call does. Members combine; all of them empty is no fault.</summary>
public sealed record Fault
{
    /// <summary>The call throws this.</summary>
    public ForebayException? Error { get; init; }

    /// <summary>The call waits for this before it goes on (a stall until the test releases it, or for good). Cancellation ends the wait.</summary>
    public Task? Until { get; init; }

    /// <summary>The call takes this long by the store's clock.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Each read of bytes takes this long by the store's clock.</summary>
    public TimeSpan LatencyPerRead { get; init; }

    /// <summary>The stat of the answer carries this ETag instead.</summary>
    public string? ETag { get; init; }

    /// <summary>Bytes that are delivered before <see cref="ThenRun"/>, <see cref="ThenUntil"/> and <see cref="ThenError"/>; for reads only.</summary>
    public long AfterBytes { get; init; }

    /// <summary>Runs once after <see cref="AfterBytes"/>, for instance an overwrite of the object.</summary>
    public Action? ThenRun { get; init; }

    /// <summary>The read stalls after <see cref="AfterBytes"/> until this completes.</summary>
    public Task? ThenUntil { get; init; }

    /// <summary>The read throws this after <see cref="AfterBytes"/>.</summary>
    public ForebayException? ThenError { get; init; }

    /// <summary>The read ends after <see cref="AfterBytes"/> as if nothing were missing.</summary>
    public bool ThenEnd { get; init; }

    /// <summary>From <see cref="AfterBytes"/> on, bytes are flipped: what a broken store or network would deliver.</summary>
    public bool ThenCorrupt { get; init; }

    /// <summary>The read is of a store that compares versions only behind the last byte.</summary>
    public bool IsProvisional { get; init; }

    public static Fault Fail(ErrorKind kind, TimeSpan? retryAfter = null)
        => new() { Error = new ForebayException(kind, $"injected {kind}") { RetryAfter = retryAfter } };

    public static Fault StallUntil(Task release) => new() { Until = release };

    public static Fault Slow(TimeSpan latency) => new() { Latency = latency };

    /// <summary>The connection breaks after so many bytes.</summary>
    public static Fault TruncateAfter(long bytes) => new() { AfterBytes = bytes, ThenError = new ForebayException(ErrorKind.Unavailable, $"injected end after {bytes} bytes") };

    /// <summary>The store notices after so many bytes that the object changed.</summary>
    public static Fault StaleAfter(long bytes) => new() { AfterBytes = bytes, ThenError = new ForebayException(ErrorKind.StaleVersion, $"injected change after {bytes} bytes") };

    /// <summary>Something happens to the store after so many bytes; the read goes on.</summary>
    public static Fault RunAfter(long bytes, Action action) => new() { AfterBytes = bytes, ThenRun = action };
}

/// <summary>A script of faults, one per test. Rules are asked in the order they were added; the first that matches is used.</summary>
public sealed class FaultPlan
{
    private readonly Lock _lock = new();
    private readonly List<Rule> _rules = [];
    private readonly int[] _calls = new int[3];

    /// <summary>The <paramref name="nth"/> call of a kind (from 1, counted from the start of the plan) is faulty.</summary>
    public FaultPlan On(UnderStoreCall call, int nth, Fault fault) => Add(new Rule(call, (n, _) => n == nth, fault));

    /// <summary>Every call of a kind is faulty.</summary>
    public FaultPlan OnEvery(UnderStoreCall call, Fault fault) => Add(new Rule(call, (_, _) => true, fault));

    /// <summary>Calls that the test chooses by key (prefix for a listing) and range are faulty, each matching time.</summary>
    public FaultPlan When(UnderStoreCall call, Func<string, ByteRange, bool> matches, Fault fault)
        => Add(new Rule(call, (_, target) => matches(target.Key, target.Range), fault));

    /// <summary>As <see cref="When"/>, only the first matching time.</summary>
    public FaultPlan Once(UnderStoreCall call, Func<string, ByteRange, bool> matches, Fault fault)
        => Add(new Rule(call, (_, target) => matches(target.Key, target.Range), fault) { IsOnce = true });

    /// <summary>Forgets all rules: the store is healthy again.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rules.Clear();
        }
    }

    /// <summary>Calls of a kind so far.</summary>
    public int Calls(UnderStoreCall call) => Volatile.Read(ref _calls[(int)call]);

    internal Fault? Next(UnderStoreCall call, string key, ByteRange range)
    {
        lock (_lock)
        {
            int nth = ++_calls[(int)call];
            Rule? rule = _rules.Find(rule => rule.Call == call && rule.Matches(nth, (key, range)));
            if (rule is { IsOnce: true })
            {
                _rules.Remove(rule);
            }

            return rule?.Fault;
        }
    }

    private FaultPlan Add(Rule rule)
    {
        lock (_lock)
        {
            _rules.Add(rule);
        }

        return this;
    }

    private sealed record Rule(UnderStoreCall Call, Func<int, (string Key, ByteRange Range), bool> Matches, Fault Fault)
    {
        public bool IsOnce { get; init; }
    }
}
