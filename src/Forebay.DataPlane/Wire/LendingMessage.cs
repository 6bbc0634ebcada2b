using System.Buffers.Binary;
using System.Text;

namespace Forebay.DataPlane.Wire;

/// <summary>What node and mount tell each other; the numbers are part of the protocol.</summary>
internal enum LendingMessageKind : ushort
{
    /// <summary>Node → mount, first: who the node is, and a challenge.</summary>
    Hello = 1,

    /// <summary>Mount → node, once: whose rights it has, proved by the challenge, and which mount point it reads.</summary>
    Attach = 2,

    /// <summary>Node → mount: whether it may.</summary>
    Attached = 3,

    /// <summary>Mount → node: lend the file of this version.</summary>
    Borrow = 4,

    /// <summary>Node → mount: here it is, with its descriptor, or why not.</summary>
    Lent = 5,

    /// <summary>Mount → node: it is not needed any more.</summary>
    Return = 6,
}

/// <summary>Answer to a wish to borrow.</summary>
internal enum LendingOutcome : uint
{
    /// <summary>The descriptor comes with the message.</summary>
    Lent = 0,

    /// <summary>Not all of its bytes are there and verified.</summary>
    NotWhole = 1,

    /// <summary>The node would serve another version now, or none.</summary>
    OtherVersion = 2,

    /// <summary>As much is lent as may be.</summary>
    Full = 3,

    /// <summary>These rights do not reach so far; also the answer to an <see cref="LendingMessageKind.Attach"/> that is refused.</summary>
    Refused = 4,

    /// <summary>The node failed.</summary>
    Failed = 5,
}

/// <summary>A message that cannot be read; the connection it came from is given up.</summary>
internal sealed class MalformedLendingException(string what) : Exception(what);

/// <summary>One message to send.</summary>
/// <remarks>
/// All little-endian: 4 bytes magic "FBYL", 2 bytes protocol version, 2 bytes kind, then
/// <code>
/// Hello     id of the node (16), challenge (32)
/// Attach    proof (32), access key id (text, empty: unsigned), name of the mount point (text)
/// Attached  outcome (4)
/// Borrow    number of the loan (8), length of the object (8), key below the mount point (text), ETag (text)
/// Lent      number of the loan (8), outcome (4); the descriptor when lent
/// Return    number of the loan (8)
/// </code>
/// A text is its length in bytes (2) and UTF-8. A message ends with its last field.
/// </remarks>
internal ref struct LendingMessage
{
    internal const uint Magic = 0x4C59_4246;
    internal const ushort ProtocolVersion = 1;
    internal const int HeaderBytes = 8;

    /// <summary>Largest message; a key has at most 1,024 bytes.</summary>
    internal const int MaxBytes = 4096;

    /// <summary>Longest text, bytes.</summary>
    internal const int MaxTextBytes = 1024;

    internal const int ChallengeBytes = 32;
    internal const int ProofBytes = 32;

    private readonly Span<byte> _bytes;
    private int _length;

    /// <summary>Begins a message.</summary>
    /// <param name="buffer">Its place, <see cref="MaxBytes"/> long where it holds texts.</param>
    /// <param name="kind">Its kind.</param>
    public LendingMessage(Span<byte> buffer, LendingMessageKind kind)
    {
        _bytes = buffer;
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(buffer[4..], ProtocolVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(buffer[6..], (ushort)kind);
        _length = HeaderBytes;
    }

    /// <summary>The message so far.</summary>
    public readonly ReadOnlySpan<byte> Bytes => _bytes[.._length];

    /// <summary>True for a text that fits.</summary>
    public static bool Fits(string text) => Encoding.UTF8.GetByteCount(text) <= MaxTextBytes;

    public void Number(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes[_length..], value);
        _length += sizeof(ulong);
    }

    public void Outcome(LendingOutcome value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes[_length..], (uint)value);
        _length += sizeof(uint);
    }

    public void Raw(scoped ReadOnlySpan<byte> value)
    {
        value.CopyTo(_bytes[_length..]);
        _length += value.Length;
    }

    public void Text(string value)
    {
        int bytes = Encoding.UTF8.GetBytes(value, _bytes.Slice(_length + sizeof(ushort), MaxTextBytes));
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes[_length..], (ushort)bytes);
        _length += sizeof(ushort) + bytes;
    }
}

/// <summary>Reads the fields of one message in the order they were written; never past its end.</summary>
internal ref struct LendingReader
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private ReadOnlySpan<byte> _rest;

    /// <summary>Checks the header.</summary>
    /// <exception cref="MalformedLendingException">It is no message, or one of another protocol version.</exception>
    public LendingReader(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < LendingMessage.HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != LendingMessage.Magic)
        {
            throw new MalformedLendingException("what came is no message of this protocol");
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        if (version != LendingMessage.ProtocolVersion)
        {
            throw new MalformedLendingException($"the other side speaks version {version} of the protocol, this one version {LendingMessage.ProtocolVersion}");
        }

        Kind = (LendingMessageKind)BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]);
        _rest = bytes[LendingMessage.HeaderBytes..];
    }

    public LendingMessageKind Kind { get; }

    /// <summary>Checks that the message is of the kind that must come now.</summary>
    public readonly void Expect(LendingMessageKind kind)
    {
        if (Kind != kind)
        {
            throw new MalformedLendingException($"a message of kind {(int)Kind} came where one of kind {(int)kind} was due");
        }
    }

    public ulong Number() => BinaryPrimitives.ReadUInt64LittleEndian(Raw(sizeof(ulong)));

    public LendingOutcome Outcome()
    {
        uint value = BinaryPrimitives.ReadUInt32LittleEndian(Raw(sizeof(uint)));
        return value <= (uint)LendingOutcome.Failed ? (LendingOutcome)value : throw new MalformedLendingException($"an outcome is {value}");
    }

    public string Text()
    {
        int length = BinaryPrimitives.ReadUInt16LittleEndian(Raw(sizeof(ushort)));
        if (length > LendingMessage.MaxTextBytes)
        {
            throw new MalformedLendingException($"a text has {length} bytes");
        }

        try
        {
            return StrictUtf8.GetString(Raw(length));
        }
        catch (DecoderFallbackException)
        {
            throw new MalformedLendingException("a text is not UTF-8");
        }
    }

    public ReadOnlySpan<byte> Raw(int bytes)
    {
        if (bytes > _rest.Length)
        {
            throw new MalformedLendingException($"a message of kind {(int)Kind} ends too early");
        }

        ReadOnlySpan<byte> taken = _rest[..bytes];
        _rest = _rest[bytes..];
        return taken;
    }

    /// <summary>Checks that nothing is left.</summary>
    public readonly void End()
    {
        if (!_rest.IsEmpty)
        {
            throw new MalformedLendingException($"a message of kind {(int)Kind} is {_rest.Length} bytes too long");
        }
    }
}
