using System.Buffers.Binary;
using System.Text;

namespace Forebay.Mounting.Messages;

/// <summary>A message that cannot be read; the connection it came from is given up.</summary>
internal sealed class MalformedMessageException(string what) : Exception(what);

/// <summary>Reads the fields of one message in the order they were written; never past its end.</summary>
internal ref struct MessageReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    /// <summary>Checks the header.</summary>
    /// <exception cref="MalformedMessageException">It is no message, or one of another protocol version.</exception>
    public MessageReader(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < MessageWriter.HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != MessageWriter.Magic)
        {
            throw new MalformedMessageException("what came is not a message of a mount");
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        if (version != MessageWriter.ProtocolVersion)
        {
            throw new MalformedMessageException($"the other process speaks version {version} of the protocol of mounts, this one version {MessageWriter.ProtocolVersion}");
        }

        int kind = BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]);
        Kind = kind is >= (int)MessageKind.Launch and <= (int)MessageKind.Alive ? (MessageKind)kind : throw new MalformedMessageException($"a message of unknown kind {kind}");
        _bytes = bytes;
        _position = MessageWriter.HeaderBytes;
    }

    public MessageKind Kind { get; }

    public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    /// <summary>A number that must lie between bounds, both included.</summary>
    public int Number(int min, int max)
    {
        long value = Number();
        return value >= min && value <= max ? (int)value : throw new MalformedMessageException($"a number of a message is {value}, outside {min} to {max}");
    }

    public string Text()
    {
        ReadOnlySpan<byte> bytes = Blob();
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new MalformedMessageException("a text of a message is not UTF-8");
        }
    }

    public string[] Texts()
    {
        // A text takes 4 bytes at least, so that a hostile count cannot make a large array.
        string[] values = new string[Number(0, (_bytes.Length - _position) / 4)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Text();
        }

        return values;
    }

    public ReadOnlySpan<byte> Blob()
    {
        int length = BinaryPrimitives.ReadInt32LittleEndian(Take(4));
        return Take(length);
    }

    /// <summary>Checks that nothing is left.</summary>
    public readonly void End()
    {
        if (_position != _bytes.Length)
        {
            throw new MalformedMessageException($"a message of kind {Kind} is {_bytes.Length - _position} bytes too long");
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> Take(int bytes)
    {
        if (bytes < 0 || bytes > _bytes.Length - _position)
        {
            throw new MalformedMessageException($"a message of kind {Kind} ends too early");
        }

        _position += bytes;
        return _bytes.Slice(_position - bytes, bytes);
    }
}
