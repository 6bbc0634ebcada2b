using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Forebay.S3.Addressing;

/// <summary>Percent-encoding of request targets (RFC 3986) and its canonical form in signatures and listings.</summary>
internal static class PercentCoding
{
    private const string UpperHex = "0123456789ABCDEF";

    private static readonly SearchValues<char> Unreserved
        = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

    private static readonly SearchValues<char> UnreservedOrSlash
        = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/");

    /// <summary>Decodes a piece of a raw target to text.</summary>
    /// <param name="raw">Piece between delimiters, as it came.</param>
    /// <param name="plusIsSpace">True in a query, where <c>+</c> stands for a space.</param>
    /// <param name="value">The text; empty on failure.</param>
    /// <returns>False for a malformed escape, a character no target may hold, or bytes that are not UTF-8.</returns>
    public static bool TryDecode(ReadOnlySpan<char> raw, bool plusIsSpace, out string value)
    {
        value = "";
        if (!raw.ContainsAny('%', '+') && !raw.ContainsAnyExceptInRange('!', '~'))
        {
            value = raw.ToString();
            return true;
        }

        byte[]? rented = null;
        Span<byte> bytes = raw.Length <= 512 ? stackalloc byte[512] : (rented = ArrayPool<byte>.Shared.Rent(raw.Length));
        try
        {
            int count = 0;
            for (int i = 0; i < raw.Length; i++, count++)
            {
                int b = DecodeAt(raw, ref i, plusIsSpace);
                if (b < 0)
                {
                    return false;
                }

                bytes[count] = (byte)b;
            }

            bytes = bytes[..count];
            if (!Utf8.IsValid(bytes))
            {
                return false;
            }

            value = Encoding.UTF8.GetString(bytes);
            return true;
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    /// <summary>
    /// Writes a raw piece in the canonical form of Signature Version 4: decoded, then every byte outside
    /// <c>A-Z a-z 0-9 - . _ ~</c> (and <c>/</c> in a path) as <c>%XX</c>. So it does not matter which optional characters the client escaped.
    /// </summary>
    /// <returns>False for a malformed escape.</returns>
    public static bool TryAppendCanonical(ref ByteBuilder output, ReadOnlySpan<char> raw, bool isPath)
    {
        if (!raw.ContainsAnyExcept(isPath ? UnreservedOrSlash : Unreserved))
        {
            output.AppendAscii(raw);
            return true;
        }

        Span<byte> destination = output.Reserve(raw.Length * 3);
        int count = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            int b = DecodeAt(raw, ref i, plusIsSpace: !isPath);
            if (b < 0)
            {
                return false;
            }

            count += Encode((byte)b, destination[count..], isPath);
        }

        output.Commit(count);
        return true;
    }

    /// <summary>Encodes text for <c>encoding-type=url</c> and <c>x-amz-*</c> values; <c>/</c> stays, a space becomes <c>%20</c>.</summary>
    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExcept(UnreservedOrSlash))
        {
            return text;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte[] encoded = new byte[bytes.Length * 3];
        int count = 0;
        foreach (byte b in bytes)
        {
            count += Encode(b, encoded.AsSpan(count), keepSlash: true);
        }

        return Encoding.ASCII.GetString(encoded, 0, count);
    }

    private static int Encode(byte b, Span<byte> destination, bool keepSlash)
    {
        if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~' || (keepSlash && b == '/'))
        {
            destination[0] = b;
            return 1;
        }

        destination[0] = (byte)'%';
        destination[1] = (byte)UpperHex[b >> 4];
        destination[2] = (byte)UpperHex[b & 15];
        return 3;
    }

    private static int DecodeAt(ReadOnlySpan<char> raw, ref int index, bool plusIsSpace)
    {
        char c = raw[index];
        if (c == '%')
        {
            if (index + 2 >= raw.Length || !char.IsAsciiHexDigit(raw[index + 1]) || !char.IsAsciiHexDigit(raw[index + 2]))
            {
                return -1;
            }

            int b = (HexValue(raw[index + 1]) << 4) | HexValue(raw[index + 2]);
            index += 2;
            return b;
        }

        if (c == '+' && plusIsSpace)
        {
            return ' ';
        }

        return c is < '!' or > '~' ? -1 : c;
    }

    private static int HexValue(char digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
