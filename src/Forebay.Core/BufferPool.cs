using System.Collections.Concurrent;

namespace Forebay.Core;

/// <summary>
/// Buffers of one size with explicit ownership: rent, use, return exactly once. Thread-safe. Buffers are pinned for life, so
/// that they can be handed to the kernel. At most <c>capacity</c> buffers are kept; more can be rented, and are then left to the collector.
/// </summary>
public sealed class BufferPool
{
    private readonly ConcurrentQueue<byte[]> _free = new();
    private readonly int _capacity;
    private int _kept;
    private int _outstanding;

    /// <summary>Creates an empty pool.</summary>
    /// <param name="bufferBytes">Size of each buffer, &gt; 0.</param>
    /// <param name="capacity">Most buffers kept while not in use, ≥ 0.</param>
    public BufferPool(int bufferBytes, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bufferBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        BufferBytes = bufferBytes;
        _capacity = capacity;
    }

    /// <summary>Size of each buffer in bytes.</summary>
    public int BufferBytes { get; }

    /// <summary>Buffers rented and not yet returned; 0 when nothing runs.</summary>
    public int Outstanding => Volatile.Read(ref _outstanding);

    /// <summary>Hands out a buffer with undefined content; the caller owns it until <see cref="Return"/>.</summary>
    public byte[] Rent()
    {
        Interlocked.Increment(ref _outstanding);
        if (_free.TryDequeue(out byte[]? buffer))
        {
            Interlocked.Decrement(ref _kept);
            return buffer;
        }

        return GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    }

    /// <summary>Takes a buffer back.</summary>
    /// <exception cref="InvalidOperationException">More buffers were returned than rented: a bug in the caller.</exception>
    public void Return(byte[] buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (Interlocked.Decrement(ref _outstanding) < 0)
        {
            throw new InvalidOperationException("A buffer was returned twice.");
        }

#if DEBUG
        buffer.AsSpan().Fill(0xDD);
#endif
        if (Interlocked.Increment(ref _kept) <= _capacity)
        {
            _free.Enqueue(buffer);
            return;
        }

        Interlocked.Decrement(ref _kept);
    }
}
