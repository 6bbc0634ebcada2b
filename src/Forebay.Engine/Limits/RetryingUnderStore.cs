using Forebay.Core;
using Forebay.Engine.Options;

namespace Forebay.Engine.Limits;

/// <summary>
/// Repeats stats, listing pages and the opening of reads that failed for a passing reason, on one deadline over all attempts.
/// A body that breaks in the middle is the reader's to continue: only it knows which bytes it has. Owns the inner store.
/// </summary>
public sealed class RetryingUnderStore : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly FillOptions _options;
    private readonly RetryBackoff _backoff;
    private readonly TimeProvider _time;

    /// <summary>Puts retries before a store.</summary>
    /// <param name="inner">The store; disposed with this.</param>
    /// <param name="options">Attempts, delays and the deadline over all.</param>
    /// <param name="time">Clock and timers.</param>
    /// <param name="random">Numbers in [0, 1) for jitter; null for the shared generator.</param>
    public RetryingUnderStore(IUnderStore inner, FillOptions options, TimeProvider time, Func<double>? random = null)
    {
        _inner = inner;
        _options = options;
        _time = time;
        _backoff = new RetryBackoff(options, random);
    }

    /// <inheritdoc/>
    public UnderStoreId Id => _inner.Id;

    /// <inheritdoc/>
    public string DisplayName => _inner.DisplayName;

    /// <inheritdoc/>
    public bool HasDirectories => _inner.HasDirectories;

    /// <summary>
    /// The whole stack for one mount point. From the outside in: retries, rates, counters, deadlines, store. Every attempt is
    /// charged and counted; waiting for a rate is not a slow store.
    /// </summary>
    public static RetryingUnderStore Compose(
        IUnderStore store, MountPointOptions mountPoint, FillOptions fill, UnderStoreCounters counters, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(mountPoint);
        ArgumentNullException.ThrowIfNull(fill);
        var bounded = new DeadlineUnderStore(store, fill.FirstByteTimeout, fill.IdleTimeout, time);
        var metered = new MeteredUnderStore(bounded, counters);
        var limited = new RateLimitedUnderStore(metered, mountPoint.UnderStoreBytesPerSecond, mountPoint.UnderStoreRequestsPerSecond, time);
        return new RetryingUnderStore(limited, fill, time);
    }

    /// <inheritdoc/>
    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
        => RetryAsync("stat", static (store, args, token) => store.StatAsync(args.key, args.requestId, token), (key, requestId), cancellationToken);

    /// <inheritdoc/>
    public Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
        => RetryAsync(
            "read",
            static (store, args, token) => store.ReadAsync(args.key, args.range, args.expected, args.requestId, token),
            (key, range, expected, requestId),
            cancellationToken);

    /// <inheritdoc/>
    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => RetryAsync("list", static (store, args, token) => store.ListAsync(args.query, args.requestId, token), (query, requestId), cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private async Task<T> RetryAsync<T, TArgs>(
        string what, Func<IUnderStore, TArgs, CancellationToken, Task<T>> call, TArgs args, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        using var deadline = new CancellationTokenSource(_options.OperationTimeout, _time);
        using CancellationTokenRegistration link = cancellationToken.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), deadline);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await call(_inner, args, deadline.Token);
            }
            catch (OperationCanceledException cause) when (deadline.IsCancellationRequested)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw new ForebayException(
                    ErrorKind.Timeout,
                    $"{DisplayName} did not finish a {what} within {_options.OperationTimeout.TotalSeconds:0.###} s and {attempt} attempts (operationTimeout).",
                    cause);
            }
            catch (ForebayException error) when (error.IsTransient && attempt < _options.MaxAttempts)
            {
                TimeSpan delay = _backoff.DelayAfter(attempt, error.RetryAfter);
                if (_time.GetElapsedTime(start) + delay >= _options.OperationTimeout)
                {
                    throw;
                }

                await Task.Delay(delay, _time, cancellationToken);
            }
        }
    }
}
