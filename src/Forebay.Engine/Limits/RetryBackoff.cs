using Forebay.Engine.Options;

namespace Forebay.Engine.Limits;

/// <summary>How long to wait before another attempt: exponential with full jitter, never shorter than the store asked for.</summary>
/// <remarks>"Full jitter" as in Brooker, Exponential Backoff And Jitter (2015): uniform between 0 and the bound.</remarks>
public sealed class RetryBackoff
{
    private readonly FillOptions _options;
    private readonly Func<double> _random;

    /// <summary>Creates the rule.</summary>
    /// <param name="options">Base and longest delay.</param>
    /// <param name="random">Numbers in [0, 1); null for the shared generator.</param>
    public RetryBackoff(FillOptions options, Func<double>? random = null)
    {
        _options = options;
        _random = random ?? Random.Shared.NextDouble;
    }

    /// <summary>Delay after a failed attempt.</summary>
    /// <param name="failedAttempts">Attempts that failed so far, ≥ 1.</param>
    /// <param name="retryAfter">What the store asked for; null when it said nothing.</param>
    public TimeSpan DelayAfter(int failedAttempts, TimeSpan? retryAfter)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(failedAttempts);
        double bound = Math.Min(_options.RetryMaxDelay.Ticks, _options.RetryBaseDelay.Ticks * Math.Pow(2, Math.Min(failedAttempts - 1, 40)));
        TimeSpan jittered = TimeSpan.FromTicks((long)(bound * _random()));

        // Jitter on top: everybody was told the same Retry-After.
        return retryAfter is { } asked ? asked + jittered : jittered;
    }
}
