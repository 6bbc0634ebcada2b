using System.Buffers;
using System.Runtime.InteropServices;

namespace Forebay.S3.Transport;

/// <summary>
/// Bytes written and not yet sent, in rented arrays. An empty one holds no array, so that idle connections cost nothing.
/// Not thread-safe.
/// </summary>
internal sealed class OutgoingBuffers
{
    private const int FirstArrayBytes = 4096;
    private const int NextArrayBytes = 16384;
    private const int MaxVectors = 16;

    private readonly List<Piece> _pieces = new(4);
    private int _first;

    /// <summary>Bytes not yet sent.</summary>
    internal long Count { get; private set; }

    internal Memory<byte> GetMemory(int sizeHint)
    {
        if (_pieces.Count > 0)
        {
            Piece last = _pieces[^1];
            int free = last.Array.Length - last.End;
            if (free >= Math.Max(sizeHint, 1))
            {
                return last.Array.AsMemory(last.End);
            }
        }

        int size = Math.Max(sizeHint, _pieces.Count == 0 ? FirstArrayBytes : NextArrayBytes);
        byte[] array = ArrayPool<byte>.Shared.Rent(size);
        _pieces.Add(new Piece(array));
        return array;
    }

    internal void Advance(int bytes)
    {
        if (bytes == 0)
        {
            return;
        }

        ref Piece last = ref CollectionsMarshal.AsSpan(_pieces)[^1];
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)(last.Array.Length - last.End), nameof(bytes));
        last.End += bytes;
        Count += bytes;
    }

    /// <summary>The first bytes not yet sent; only when <see cref="Count"/> &gt; 0.</summary>
    internal ReadOnlyMemory<byte> First
    {
        get
        {
            SkipEmpty();
            Piece piece = _pieces[_first];
            return piece.Array.AsMemory(piece.Start, piece.End - piece.Start);
        }
    }

    /// <summary>Marks bytes as sent.</summary>
    internal void Consume(long bytes)
    {
        Count -= bytes;
        Span<Piece> pieces = CollectionsMarshal.AsSpan(_pieces);
        while (bytes > 0)
        {
            ref Piece piece = ref pieces[_first];
            int taken = (int)Math.Min(bytes, piece.End - piece.Start);
            piece.Start += taken;
            bytes -= taken;
            if (piece.Start == piece.End && bytes > 0)
            {
                _first++;
            }
        }

        if (Count == 0)
        {
            Clear();
        }
    }

    /// <summary>Drops what is not sent and gives the arrays back.</summary>
    internal void Clear()
    {
        foreach (Piece piece in _pieces)
        {
            ArrayPool<byte>.Shared.Return(piece.Array);
        }

        _pieces.Clear();
        _first = 0;
        Count = 0;
    }

    /// <summary>Sends as much as the socket takes now, by as few system calls as it can.</summary>
    /// <returns>Bytes the kernel took, or -1 with errno in <see cref="Marshal.GetLastPInvokeError"/>.</returns>
    internal nint SendTo(SafeHandle socket, bool more)
    {
        SkipEmpty();
        Span<Piece> pieces = CollectionsMarshal.AsSpan(_pieces)[_first..];
        return pieces.Length == 1 ? SendOne(socket, pieces[0], more) : SendMany(socket, pieces, more);
    }

    private static unsafe nint SendOne(SafeHandle socket, in Piece piece, bool more)
    {
        fixed (byte* start = piece.Array)
        {
            Native.IoVector vector = new() { Base = start + piece.Start, Length = (nuint)(piece.End - piece.Start) };
            return Send(socket, &vector, 1, more);
        }
    }

    private static unsafe nint SendMany(SafeHandle socket, Span<Piece> pieces, bool more)
    {
        int count = Math.Min(pieces.Length, MaxVectors);
        Native.IoVector* vectors = stackalloc Native.IoVector[MaxVectors];
        GCHandle[] pins = ArrayPool<GCHandle>.Shared.Rent(MaxVectors);
        try
        {
            for (int i = 0; i < count; i++)
            {
                pins[i] = GCHandle.Alloc(pieces[i].Array, GCHandleType.Pinned);
                vectors[i].Base = (byte*)pins[i].AddrOfPinnedObject() + pieces[i].Start;
                vectors[i].Length = (nuint)(pieces[i].End - pieces[i].Start);
            }

            return Send(socket, vectors, count, more || count < pieces.Length);
        }
        finally
        {
            int error = Marshal.GetLastPInvokeError();
            for (int i = 0; i < count; i++)
            {
                pins[i].Free();
            }

            ArrayPool<GCHandle>.Shared.Return(pins);
            Marshal.SetLastPInvokeError(error);
        }
    }

    private static unsafe nint Send(SafeHandle socket, Native.IoVector* vectors, int count, bool more)
    {
        Native.MessageHeader message = new() { Vectors = vectors, VectorCount = (nuint)count };
        return Native.SendMessage(socket, &message, Native.MSG_DONTWAIT | Native.MSG_NOSIGNAL | (more ? Native.MSG_MORE : 0));
    }

    private void SkipEmpty()
    {
        while (_first < _pieces.Count - 1 && _pieces[_first].Start == _pieces[_first].End)
        {
            _first++;
        }
    }

    private struct Piece(byte[] array)
    {
        internal readonly byte[] Array = array;
        internal int Start;
        internal int End;
    }
}
