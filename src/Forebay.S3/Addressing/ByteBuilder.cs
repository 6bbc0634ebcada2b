using System.Buffers;
using System.Text;

namespace Forebay.S3.Addressing;

/// <summary>Appends bytes to a stack buffer that moves to the array pool when it is too small. Dispose it.</summary>
internal ref struct ByteBuilder(Span<byte> initial)
{
    private Span<byte> _buffer = initial;
    private byte[]? _rented;
    private int _length;

    /// <summary>What was appended so far; valid until the next append.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    public readonly int Length => _length;

    public void Append(byte value)
    {
        Reserve(1)[0] = value;
        _length++;
    }

    public void Append(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        _length += bytes.Length;
    }

    /// <summary>Appends characters that are known to be ASCII.</summary>
    public void AppendAscii(scoped ReadOnlySpan<char> text)
    {
        _length += Encoding.ASCII.GetBytes(text, Reserve(text.Length));
    }

    public void AppendUtf8(scoped ReadOnlySpan<char> text)
    {
        _length += Encoding.UTF8.GetBytes(text, Reserve(Encoding.UTF8.GetMaxByteCount(text.Length)));
    }

    public void AppendHex(scoped ReadOnlySpan<byte> bytes)
    {
        Convert.TryToHexStringLower(bytes, Reserve(bytes.Length * 2), out int written);
        _length += written;
    }

    /// <summary>Makes room behind the written bytes; <see cref="Commit"/> says how much of it was used.</summary>
    public Span<byte> Reserve(int size)
    {
        if (_buffer.Length - _length < size)
        {
            Grow(size);
        }

        return _buffer[_length..];
    }

    public void Commit(int count) => _length += count;

    public readonly void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
        }
    }

    private void Grow(int size)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + size));
        _buffer[.._length].CopyTo(larger);
        Dispose();
        _rented = larger;
        _buffer = larger;
    }
}
