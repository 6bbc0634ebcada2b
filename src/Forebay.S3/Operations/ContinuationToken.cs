using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Forebay.S3.Operations;

/// <summary>
/// The token of ListObjectsV2: base64url of a format byte and the last name of the page. It holds no secret and no state: any node answers it.
/// </summary>
internal static class ContinuationToken
{
    private const byte Format = 1;

    public static string From(string lastName)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(lastName) + 1];
        bytes[0] = Format;
        Encoding.UTF8.GetBytes(lastName, bytes.AsSpan(1));
        return Base64Url.EncodeToString(bytes);
    }

    public static bool TryRead(string token, out string? lastName)
    {
        lastName = null;
        byte[] bytes = new byte[Base64Url.GetMaxDecodedLength(token.Length)];
        if (!Base64Url.IsValid(token)
            || !Base64Url.TryDecodeFromChars(token, bytes, out int count)
            || count < 2
            || bytes[0] != Format
            || !Utf8.IsValid(bytes.AsSpan(1, count - 1)))
        {
            return false;
        }

        lastName = Encoding.UTF8.GetString(bytes, 1, count - 1);
        return true;
    }
}
