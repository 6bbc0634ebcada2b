using Forebay.Core;

namespace Forebay.Engine.Limits;

/// <summary>Counts what goes to and comes from an under-store. Owns the inner store.</summary>
public sealed class MeteredUnderStore : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly UnderStoreCounters _counters;

    /// <summary>Puts counters before a store.</summary>
    public MeteredUnderStore(IUnderStore inner, UnderStoreCounters counters)
    {
        _inner = inner;
        _counters = counters;
    }

    /// <inheritdoc/>
    public UnderStoreId Id => _inner.Id;

    /// <inheritdoc/>
    public string DisplayName => _inner.DisplayName;

    /// <inheritdoc/>
    public bool HasDirectories => _inner.HasDirectories;

    /// <inheritdoc/>
    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
        => CountAsync(_inner.StatAsync(key, requestId, cancellationToken));

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        UnderStoreRead read = await CountAsync(_inner.ReadAsync(key, range, expected, requestId, cancellationToken));
        return new MeteredRead(read, _counters) { Stat = read.Stat, Range = read.Range };
    }

    /// <inheritdoc/>
    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => CountAsync(_inner.ListAsync(query, requestId, cancellationToken));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private async Task<T> CountAsync<T>(Task<T> request)
    {
        _counters.CountRequest();
        try
        {
            return await request;
        }
        catch (ForebayException error)
        {
            _counters.CountError(error);
            throw;
        }
    }

    private sealed class MeteredRead(UnderStoreRead inner, UnderStoreCounters counters) : UnderStoreRead
    {
        public override bool IsProvisional => inner.IsProvisional;

        public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            ValueTask<int> pending = inner.ReadAsync(destination, cancellationToken);
            if (!pending.IsCompletedSuccessfully)
            {
                return AwaitAsync(pending);
            }

            int read = pending.Result;
            counters.CountBytes(read);
            return new ValueTask<int>(read);
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();

        private async ValueTask<int> AwaitAsync(ValueTask<int> pending)
        {
            try
            {
                int read = await pending;
                counters.CountBytes(read);
                return read;
            }
            catch (ForebayException error)
            {
                counters.CountError(error);
                throw;
            }
        }
    }
}
