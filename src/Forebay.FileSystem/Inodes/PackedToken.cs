using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Forebay.FileSystem;

/// <summary>Stores version tokens in few bytes: most are an MD5 in quotes, with or without a number of parts.</summary>
internal static class PackedToken
{
    internal const int MostBytes = 4096;
    private const int HexDigits = 32;
    private static readonly SearchValues<char> LowerHexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>Packs a token.</summary>
    /// <returns>Bytes written.</returns>
    internal static int Pack(string token, Span<byte> destination, out TokenForm form)
    {
        if (TryPackHex(token, destination, out int parts))
        {
            form = parts == 0 ? TokenForm.Md5 : TokenForm.Multipart;
            if (parts == 0)
            {
                return 16;
            }

            BinaryPrimitives.WriteInt32LittleEndian(destination[16..], parts);
            return 20;
        }

        form = TokenForm.Text;
        return Encoding.UTF8.GetBytes(token, destination);
    }

    /// <summary>The token as it was.</summary>
    internal static string Unpack(ReadOnlySpan<byte> packed, TokenForm form) => form switch
    {
        TokenForm.Md5 => $"\"{Convert.ToHexStringLower(packed)}\"",
        TokenForm.Multipart => string.Create(
            CultureInfo.InvariantCulture, $"\"{Convert.ToHexStringLower(packed[..16])}-{BinaryPrimitives.ReadInt32LittleEndian(packed[16..])}\""),
        TokenForm.Text => Encoding.UTF8.GetString(packed),
        _ => "",
    };

    private static bool TryPackHex(string token, Span<byte> destination, out int parts)
    {
        parts = 0;
        if (token.Length < HexDigits + 2 || token[0] != '"' || token[^1] != '"')
        {
            return false;
        }

        ReadOnlySpan<char> hex = token.AsSpan(1, HexDigits);
        ReadOnlySpan<char> rest = token.AsSpan(1 + HexDigits, token.Length - HexDigits - 2);
        if (hex.ContainsAnyExcept(LowerHexDigits) || Convert.FromHexString(hex, destination, out _, out _) != OperationStatus.Done)
        {
            return false;
        }

        // Leading zeros or signs would not come back as they were.
        return rest.IsEmpty
            || (rest[0] == '-' && rest.Length is >= 2 and <= 10 && rest[1] is >= '1' and <= '9'
                && int.TryParse(rest[1..], NumberStyles.None, CultureInfo.InvariantCulture, out parts));
    }
}
