using Forebay.Core;

namespace Forebay.Engine.Limits;

/// <summary>
/// Bounds how long one request may wait for its first byte and a body for its next one; what is late is <see cref="ErrorKind.Timeout"/>.
/// Owns the inner store.
/// </summary>
/// <remarks>It stands below the rates, so that waiting for one's turn never counts as a slow store.</remarks>
public sealed class DeadlineUnderStore : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly TimeSpan _firstByte;
    private readonly TimeSpan _idle;
    private readonly TimeProvider _time;

    /// <summary>Puts deadlines before a store.</summary>
    /// <param name="inner">The store; disposed with this.</param>
    /// <param name="firstByte">Longest time of a stat, a listing page, or to the first byte of a read.</param>
    /// <param name="idle">Longest time without a byte of a body.</param>
    /// <param name="time">Clock and timers.</param>
    public DeadlineUnderStore(IUnderStore inner, TimeSpan firstByte, TimeSpan idle, TimeProvider time)
    {
        _inner = inner;
        _firstByte = firstByte;
        _idle = idle;
        _time = time;
    }

    /// <inheritdoc/>
    public UnderStoreId Id => _inner.Id;

    /// <inheritdoc/>
    public string DisplayName => _inner.DisplayName;

    /// <inheritdoc/>
    public bool HasDirectories => _inner.HasDirectories;

    /// <inheritdoc/>
    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
        => BoundAsync("stat", static (store, args, token) => store.StatAsync(args.key, args.requestId, token), (key, requestId), cancellationToken);

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        UnderStoreRead read = await BoundAsync(
            "read",
            static (store, args, token) => store.ReadAsync(args.key, args.range, args.expected, args.requestId, token),
            (key, range, expected, requestId),
            cancellationToken);
        return new BoundRead(read, DisplayName, _idle, _time) { Stat = read.Stat, Range = read.Range };
    }

    /// <inheritdoc/>
    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
        => BoundAsync("list", static (store, args, token) => store.ListAsync(args.query, args.requestId, token), (query, requestId), cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private async Task<T> BoundAsync<T, TArgs>(
        string what, Func<IUnderStore, TArgs, CancellationToken, Task<T>> call, TArgs args, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(_firstByte, _time);
        using CancellationTokenRegistration link = cancellationToken.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), deadline);
        try
        {
            return await call(_inner, args, deadline.Token);
        }
        catch (OperationCanceledException cause) when (deadline.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ForebayException(
                ErrorKind.Timeout, $"{DisplayName} did not answer a {what} within {_firstByte.TotalSeconds:0.###} s (firstByteTimeout).", cause);
        }
    }

    private sealed class BoundRead(UnderStoreRead inner, string store, TimeSpan idle, TimeProvider time) : UnderStoreRead
    {
        // One source for the whole body: armed while a read waits, disarmed between reads.
        private readonly CancellationTokenSource _deadline = new(Timeout.InfiniteTimeSpan, time);

        public override bool IsProvisional => inner.IsProvisional;

        public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            // Registered before the read begins, so that a read that waits can be ended; a read that finishes at once arms no timer.
            CancellationTokenRegistration link = cancellationToken.UnsafeRegister(
                static state => ((CancellationTokenSource)state!).Cancel(), _deadline);
            ValueTask<int> pending;
            try
            {
                pending = inner.ReadAsync(destination, _deadline.Token);
            }
            catch
            {
                link.Dispose();
                throw;
            }

            if (pending.IsCompletedSuccessfully)
            {
                link.Dispose();
                return pending;
            }

            return AwaitAsync(pending, link, cancellationToken);
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            _deadline.Dispose();
        }

        private async ValueTask<int> AwaitAsync(ValueTask<int> pending, CancellationTokenRegistration link, CancellationToken cancellationToken)
        {
            _deadline.CancelAfter(idle);
            try
            {
                return await pending;
            }
            catch (OperationCanceledException cause) when (_deadline.IsCancellationRequested)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw new ForebayException(
                    ErrorKind.Timeout, $"{store} sent no byte of '{Stat.Key}' for {idle.TotalSeconds:0.###} s (idleTimeout).", cause);
            }
            finally
            {
                await link.DisposeAsync();
                _deadline.CancelAfter(Timeout.InfiniteTimeSpan);
            }
        }
    }
}
