using Forebay.Core;

namespace Forebay.Engine.Limits;

/// <summary>Holds bytes and requests to an under-store at a rate; bytes are charged as they stream. Owns the inner store.</summary>
public sealed class RateLimitedUnderStore : IUnderStore
{
    // Requests are few and uneven (a page of misses arrives at once): a tenth of a second's worth may go out together.
    private static readonly TimeSpan RequestBurst = TimeSpan.FromMilliseconds(100);

    private readonly IUnderStore _inner;
    private readonly TokenBucket? _bytes;
    private readonly TokenBucket? _requests;

    /// <summary>Puts rates before a store.</summary>
    /// <param name="inner">The store; disposed with this.</param>
    /// <param name="bytesPerSecond">Most bytes a second; null for no bound.</param>
    /// <param name="requestsPerSecond">Most requests a second, retries counted one by one; null for no bound.</param>
    /// <param name="time">Clock and timers.</param>
    public RateLimitedUnderStore(IUnderStore inner, long? bytesPerSecond, int? requestsPerSecond, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        _bytes = bytesPerSecond is { } bytes ? new TokenBucket(bytes, time) : null;
        _requests = requestsPerSecond is { } requests ? new TokenBucket(requests, RequestBurst, maxGrant: 1, time) : null;
    }

    /// <inheritdoc/>
    public UnderStoreId Id => _inner.Id;

    /// <inheritdoc/>
    public string DisplayName => _inner.DisplayName;

    /// <inheritdoc/>
    public bool HasDirectories => _inner.HasDirectories;

    /// <inheritdoc/>
    public async Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        await TakeRequestAsync(cancellationToken);
        return await _inner.StatAsync(key, requestId, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        await TakeRequestAsync(cancellationToken);
        UnderStoreRead read = await _inner.ReadAsync(key, range, expected, requestId, cancellationToken);
        return _bytes is null ? read : new LimitedRead(read, _bytes) { Stat = read.Stat, Range = read.Range };
    }

    /// <inheritdoc/>
    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        await TakeRequestAsync(cancellationToken);
        return await _inner.ListAsync(query, requestId, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private async ValueTask TakeRequestAsync(CancellationToken cancellationToken)
    {
        if (_requests is not null)
        {
            await _requests.AcquireAsync(1, cancellationToken);
        }
    }

    private sealed class LimitedRead(UnderStoreRead inner, TokenBucket bytes) : UnderStoreRead
    {
        public override bool IsProvisional => inner.IsProvisional;

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            if (destination.IsEmpty)
            {
                return await inner.ReadAsync(destination, cancellationToken);
            }

            int granted = (int)await bytes.AcquireAsync(destination.Length, cancellationToken);
            int read = 0;
            try
            {
                read = await inner.ReadAsync(destination[..granted], cancellationToken);
                return read;
            }
            finally
            {
                bytes.Return(granted - read);
            }
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
