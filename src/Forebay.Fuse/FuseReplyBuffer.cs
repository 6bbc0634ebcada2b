using System.Buffers;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// Native memory for the data of one reply, aligned to a page, with room for the reply's header before it, so that a reply is one
/// write(2) without a copy. Owned by whoever got it from <see cref="FuseRequest.RentBuffer"/>, until it is given to
/// <see cref="FuseRequest.ReplyBuffer"/> or to <see cref="Return"/>: one of the two, exactly once.
/// </summary>
public sealed unsafe class FuseReplyBuffer : MemoryManager<byte>
{
    /// <summary>The data begins at this place; the header ends there.</summary>
    internal const int HeadBytes = 4096;

    private readonly FuseBufferPool _pool;
    private byte* _memory;
    private int _rented;

    internal FuseReplyBuffer(FuseBufferPool pool, int dataBytes)
    {
        _pool = pool;
        DataBytes = dataBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(HeadBytes + dataBytes), HeadBytes);
    }

    /// <summary>Room for data in bytes.</summary>
    public int DataBytes { get; }

    /// <summary>The room for data; content is undefined at first.</summary>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_memory == null, this);
        return new Span<byte>(_memory + HeadBytes, DataBytes);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)DataBytes);
        ObjectDisposedException.ThrowIf(_memory == null, this);
        return new MemoryHandle(_memory + HeadBytes + elementIndex);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <summary>Gives the buffer back unused.</summary>
    /// <exception cref="InvalidOperationException">It was given back or sent already.</exception>
    public void Return() => _pool.Return(this);

    internal byte* Data => _memory + HeadBytes;

    /// <summary>Header and data as they go out.</summary>
    internal Span<byte> Message(int dataBytes) => new(_memory + HeadBytes - sizeof(FuseOutHeader), sizeof(FuseOutHeader) + dataBytes);

    internal void MarkRented() => Volatile.Write(ref _rented, 1);

    /// <summary>False when it was not rented: given back twice.</summary>
    internal bool MarkReturned() => Interlocked.Exchange(ref _rented, 0) == 1;

    internal void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // Memory<T> owners may be asked to dispose; the pool alone frees.
    }
}

/// <summary>Reply buffers of one size. Thread-safe. Keeps at most <c>capacity</c>; more can be rented and are freed when they come back, as are all after <see cref="Dispose"/>.</summary>
internal sealed class FuseBufferPool : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FuseReplyBuffer[] _free;
    private readonly int _dataBytes;
    private int _count;
    private int _outstanding;
    private bool _disposed;

    internal FuseBufferPool(int dataBytes, int capacity)
    {
        _dataBytes = dataBytes;
        _free = new FuseReplyBuffer[capacity];
    }

    /// <summary>Rented and not returned; 0 when no request is open.</summary>
    internal int Outstanding => Volatile.Read(ref _outstanding);

    internal int DataBytes => _dataBytes;

    internal FuseReplyBuffer Rent()
    {
        Interlocked.Increment(ref _outstanding);
        FuseReplyBuffer? buffer = null;
        lock (_lock)
        {
            if (_count > 0)
            {
                buffer = _free[--_count];
            }
        }

        buffer ??= new FuseReplyBuffer(this, _dataBytes);
        buffer.MarkRented();
        return buffer;
    }

    internal void Return(FuseReplyBuffer buffer)
    {
        if (!buffer.MarkReturned())
        {
            throw new InvalidOperationException("A reply buffer was given back twice.");
        }

        Interlocked.Decrement(ref _outstanding);
#if DEBUG
        buffer.GetSpan().Fill(0xDD);
#endif
        lock (_lock)
        {
            if (!_disposed && _count < _free.Length)
            {
                _free[_count++] = buffer;
                return;
            }
        }

        buffer.Free();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            while (_count > 0)
            {
                _free[--_count].Free();
            }
        }
    }
}
