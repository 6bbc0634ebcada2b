using System.Buffers;
using System.Text;
using Forebay.Core;

namespace Forebay.UnderStores;

/// <summary>Percent-encoding exactly as S3 signs it (RFC 3986 unreserved characters stay, all other bytes become upper-case %XX).</summary>
internal static class PercentEncoding
{
    private static readonly SearchValues<char> Unreserved
        = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

    private static readonly SearchValues<char> UnreservedOrSlash
        = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/");

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Encodes a key as a path: slashes stay, dots and double slashes are not folded.</summary>
    public static string EncodePath(string key) => Encode(key, UnreservedOrSlash);

    /// <summary>Encodes a query value.</summary>
    public static string EncodeQuery(string value) => Encode(value, Unreserved);

    /// <summary>Undoes percent-encoding in place; returns the new length, or -1 for a broken escape.</summary>
    public static int Decode(Span<byte> text, bool plusIsSpace)
    {
        int to = 0;
        for (int from = 0; from < text.Length; from++)
        {
            byte b = text[from];
            if (b == '%')
            {
                if (from + 2 >= text.Length || !TryHex(text[from + 1], text[from + 2], out b))
                {
                    return -1;
                }

                from += 2;
            }
            else if (b == '+' && plusIsSpace)
            {
                b = (byte)' ';
            }

            text[to++] = b;
        }

        return to;
    }

    private static bool TryHex(byte high, byte low, out byte value)
    {
        bool valid = char.IsAsciiHexDigit((char)high) && char.IsAsciiHexDigit((char)low);
        value = valid ? (byte)((Value(high) << 4) | Value(low)) : (byte)0;
        return valid;

        static int Value(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
    }

    private static string Encode(string text, SearchValues<char> kept)
    {
        if (text.AsSpan().IndexOfAnyExcept(kept) < 0)
        {
            return text;
        }

        byte[] utf8 = ArrayPool<byte>.Shared.Rent(StrictUtf8.GetMaxByteCount(text.Length));
        try
        {
            int length = StrictUtf8.GetBytes(text, utf8);
            StringBuilder encoded = new(length + 32);
            foreach (byte b in utf8.AsSpan(0, length))
            {
                if (b < 0x80 && kept.Contains((char)b))
                {
                    encoded.Append((char)b);
                }
                else
                {
                    encoded.Append('%').Append(Digit(b >> 4)).Append(Digit(b & 15));
                }
            }

            return encoded.ToString();
        }
        catch (EncoderFallbackException error)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "the key holds a lone surrogate and has no UTF-8 form", error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(utf8);
        }
    }

    private static char Digit(int value) => (char)(value < 10 ? '0' + value : 'A' + value - 10);
}
