using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.S3.Tests.Fakes;

/// <summary>Signs requests the SDK has no call for; written from the specification, apart from the code under test.</summary>
internal static class HeaderSigner
{
    public static Task<HttpResponseMessage> SendAsync(TestServer server, HttpMethod method, string target, string keyId, byte[]? body = null, string? claimedHash = null)
    {
        string now = DateTime.UtcNow.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string hash = claimedHash ?? Convert.ToHexStringLower(SHA256.HashData(body ?? []));
        string[] parts = target.Split('?');
        string query = parts.Length == 1 ? "" : parts[1].Contains('=', StringComparison.Ordinal) ? parts[1] : parts[1] + "=";
        string canonical = $"{method}\n{parts[0]}\n{query}\nhost:{server.Uri.Authority}\nx-amz-content-sha256:{hash}\nx-amz-date:{now}\n\nhost;x-amz-content-sha256;x-amz-date\n{hash}";
        string scope = $"{now[..8]}/eu-anywhere-9/s3/aws4_request";
        string toSign = $"AWS4-HMAC-SHA256\n{now}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + TestServer.Secret);
        foreach (string part in scope.Split('/'))
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        }

        string signature = Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)));
        var request = new HttpRequestMessage(method, target) { Content = body is null ? null : new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation("x-amz-date", now);
        request.Headers.TryAddWithoutValidation("x-amz-content-sha256", hash);
        request.Headers.TryAddWithoutValidation(
            "Authorization", $"AWS4-HMAC-SHA256 Credential={keyId}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}");
        return server.Http.SendAsync(request);
    }
}
