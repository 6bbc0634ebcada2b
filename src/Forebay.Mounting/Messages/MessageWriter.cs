using System.Buffers.Binary;
using System.Text;

namespace Forebay.Mounting.Messages;

/// <summary>Builds one message: 4 bytes magic, 2 bytes protocol version, 2 bytes kind, then fields, all little-endian. A text is its length in bytes (4) and UTF-8.</summary>
internal sealed class MessageWriter
{
    internal const uint Magic = 0x4D59_4246; // "FBYM"
    internal const ushort ProtocolVersion = 1;
    internal const int HeaderBytes = 8;

    /// <summary>Largest message; a description with its environment fits.</summary>
    internal const int MaxBytes = 128 << 10;

    private byte[] _bytes = new byte[256];
    private int _length = HeaderBytes;

    public MessageWriter(MessageKind kind)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(4), ProtocolVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(6), (ushort)kind);
    }

    /// <summary>The message so far.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    public MessageWriter Number(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Room(8), value);
        return this;
    }

    public MessageWriter Text(string value)
    {
        int length = Encoding.UTF8.GetByteCount(value);
        BinaryPrimitives.WriteInt32LittleEndian(Room(4), length);
        Encoding.UTF8.GetBytes(value, Room(length));
        return this;
    }

    public MessageWriter Texts(IReadOnlyCollection<string> values)
    {
        Number(values.Count);
        foreach (string value in values)
        {
            Text(value);
        }

        return this;
    }

    public MessageWriter Blob(ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(Room(4), value.Length);
        value.CopyTo(Room(value.Length));
        return this;
    }

    private Span<byte> Room(int bytes)
    {
        if (_length + bytes > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + bytes));
        }

        _length += bytes;
        return _bytes.AsSpan(_length - bytes, bytes);
    }
}
