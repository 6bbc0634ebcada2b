using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.Admin.Authentication;

/// <summary>
/// AWS Signature Version 4 for the small requests of this API: header form, whole body hashed. Used by client and server, so both
/// bring the request into one canonical form. (The S3 endpoint has its own verifier with presigned URLs and streaming bodies.)
/// </summary>
internal static class RequestSignature
{
    public const string Algorithm = "AWS4-HMAC-SHA256";
    public const string Service = "forebay";
    public const string Region = "local";
    public const string DateHeader = "x-amz-date";
    public const string BodyHashHeader = "x-amz-content-sha256";
    public const string DateFormat = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>Headers that our client signs.</summary>
    public static readonly string[] ClientHeaders = ["host", BodyHashHeader, DateHeader];

    /// <summary>Computes the signature in lower-case hexadecimal.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="path">Path of the raw request target.</param>
    /// <param name="query">Query of the raw request target without <c>?</c>.</param>
    /// <param name="headers">Signed headers, lower-case names in order.</param>
    /// <param name="bodyHash">SHA-256 of the body in lower-case hexadecimal.</param>
    /// <param name="date">Value of <c>x-amz-date</c>.</param>
    /// <param name="scope">date/region/service/aws4_request.</param>
    /// <param name="secret">The secret key.</param>
    public static string Compute(
        string method,
        string path,
        string query,
        IReadOnlyList<(string Name, string Value)> headers,
        string bodyHash,
        string date,
        string scope,
        string secret)
    {
        string canonicalHeaders = string.Concat(headers.Select(header => $"{header.Name}:{header.Value.Trim()}\n"));
        string signedHeaders = string.Join(';', headers.Select(header => header.Name));
        string canonical = $"{method}\n{path}\n{CanonicalQuery(query)}\n{canonicalHeaders}\n{signedHeaders}\n{bodyHash}";
        string toSign = $"{Algorithm}\n{date}\n{scope}\n{HashHex(Encoding.UTF8.GetBytes(canonical))}";

        byte[] key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (string part in scope.Split('/'))
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        }

        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)));
    }

    public static string Scope(string date, string region, string service) => $"{date[..8]}/{region}/{service}/aws4_request";

    public static string HashHex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static string FormatDate(DateTimeOffset time) => time.UtcDateTime.ToString(DateFormat, CultureInfo.InvariantCulture);

    private static string CanonicalQuery(string query)
    {
        if (query.Length == 0)
        {
            return "";
        }

        // Decoded and encoded again: whatever way a client library escapes, both sides sign the same.
        IEnumerable<(string Name, string Value)> pairs = query.Split('&').Select(pair =>
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? pair : pair[..equals];
            string value = equals < 0 ? "" : pair[(equals + 1)..];
            return (Uri.EscapeDataString(Uri.UnescapeDataString(name)), Uri.EscapeDataString(Uri.UnescapeDataString(value)));
        });
        return string.Join('&', pairs
            .OrderBy(pair => pair.Name, StringComparer.Ordinal)
            .ThenBy(pair => pair.Value, StringComparer.Ordinal)
            .Select(pair => $"{pair.Name}={pair.Value}"));
    }
}
