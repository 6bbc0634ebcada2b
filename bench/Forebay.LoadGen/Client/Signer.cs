using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.LoadGen.Client;

/// <summary>AWS Signature Version 4 for GET requests without a body. Written apart from the product's own, so that each checks the other.</summary>
internal sealed class Signer(string host, string accessKey, string secretKey)
{
    private const string Region = "us-east-1";
    private const string Unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    private readonly DateTimeOffset _now = DateTimeOffset.UtcNow;

    private string Time => _now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    private string Scope => $"{Time[..8]}/{Region}/s3/aws4_request";

    /// <summary>Header lines to put after Host, beginning with a line end and without one at the end.</summary>
    public string Headers(string path, string query)
    {
        const string Signed = "host;x-amz-content-sha256;x-amz-date";
        string canonical = $"GET\n{path}\n{Canonical(query)}\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{Time}\n\n{Signed}\nUNSIGNED-PAYLOAD";
        return $"\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: {Time}\r\n"
            + $"Authorization: AWS4-HMAC-SHA256 Credential={accessKey}/{Scope}, SignedHeaders={Signed}, Signature={Sign(canonical)}";
    }

    /// <summary>The whole query string of a presigned URL.</summary>
    public string Presign(string path, string query)
    {
        string all = Canonical((query.Length > 0 ? query + "&" : "")
            + $"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={Encode($"{accessKey}/{Scope}")}&X-Amz-Date={Time}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host");
        return $"{all}&X-Amz-Signature={Sign($"GET\n{path}\n{all}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD")}";
    }

    public static string EncodePath(string key) => string.Join('/', key.Split('/').Select(Encode));

    public static string Encode(string text)
    {
        StringBuilder encoded = new();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            _ = Unreserved.Contains((char)b, StringComparison.Ordinal) ? encoded.Append((char)b) : encoded.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return encoded.ToString();
    }

    private static string Canonical(string query)
        => string.Join('&', query.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Contains('=', StringComparison.Ordinal) ? pair : pair + "=").Order(StringComparer.Ordinal));

    private string Sign(string canonical)
    {
        string text = $"AWS4-HMAC-SHA256\n{Time}\n{Scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + secretKey);
        foreach (string step in (string[])[Time[..8], Region, "s3", "aws4_request"])
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(step));
        }

        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));
    }
}
