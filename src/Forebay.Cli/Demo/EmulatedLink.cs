using Forebay.Core;

namespace Forebay.Cli.Demo;

/// <summary>
/// A store behind a slow link: each request waits for a first byte, and each running read has a connection of its own with a
/// bounded rate. Thread-safe as the store it stands before, which it owns.
/// </summary>
internal sealed class EmulatedLink : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly TimeSpan _firstByte;
    private readonly long _bytesPerSecond;
    private readonly TimeProvider _time;

    /// <summary>Puts a link before a store.</summary>
    /// <param name="inner">The store; disposed with the link.</param>
    /// <param name="firstByte">Time from a request to its first byte, for every kind of request.</param>
    /// <param name="bytesPerSecond">Most bytes a second of one read, &gt; 0.</param>
    /// <param name="time">Clock of the waits.</param>
    public EmulatedLink(IUnderStore inner, TimeSpan firstByte, long bytesPerSecond, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytesPerSecond);
        _inner = inner;
        _firstByte = firstByte;
        _bytesPerSecond = bytesPerSecond;
        _time = time;
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
        await Task.Delay(_firstByte, _time, cancellationToken);
        return await _inner.StatAsync(key, requestId, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        await Task.Delay(_firstByte, _time, cancellationToken);
        UnderStoreRead read = await _inner.ReadAsync(key, range, expected, requestId, cancellationToken);
        return new PacedRead(read, _bytesPerSecond, _time) { Stat = read.Stat, Range = read.Range };
    }

    /// <inheritdoc/>
    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        await Task.Delay(_firstByte, _time, cancellationToken);
        return await _inner.ListAsync(query, requestId, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    /// <summary>Gives bytes no earlier than a connection of this rate would have brought them.</summary>
    private sealed class PacedRead(UnderStoreRead inner, long bytesPerSecond, TimeProvider time) : UnderStoreRead
    {
        // Small enough that a reader sees a stream and not one late lump.
        private const int LargestStep = 256 << 10;

        private readonly long _started = time.GetTimestamp();
        private long _sent;

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            int read = await inner.ReadAsync(destination.Length > LargestStep ? destination[..LargestStep] : destination, cancellationToken);
            _sent += read;

            // Against the whole read, not this step: a timer that fires late is made up for by the next step.
            TimeSpan early = TimeSpan.FromSeconds((double)_sent / bytesPerSecond) - time.GetElapsedTime(_started);
            if (read > 0 && early > TimeSpan.Zero)
            {
                await Task.Delay(early, time, cancellationToken);
            }

            return read;
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
