using System.Buffers;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Measuring;

/// <summary>What was received for one object.</summary>
internal readonly record struct ReceivedObject(long Length, uint Checksum);

/// <summary>
/// A client of the S3 endpoint as the world sees it: HTTP with Signature Version 4 and unsigned payload. It only reads, and knows nothing of the node's inside.
/// </summary>
internal sealed class SignedS3Client : IDisposable
{
    private const string Region = "us-east-1";

    private readonly HttpMessageInvoker _http;
    private readonly Uri _endpoint;
    private readonly string _accessKeyId;
    private readonly Secret _secret;
    private readonly TimeProvider _time;

    public SignedS3Client(string endpoint, KeyConfiguration key, int connections, TimeProvider time)
    {
        _endpoint = new Uri(endpoint);
        _accessKeyId = key.AccessKeyId;
        _secret = key.SecretAccessKey!;
        _time = time;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            MaxConnectionsPerServer = connections,
            ConnectTimeout = TimeSpan.FromSeconds(5),
        });
    }

    /// <summary>Reads a whole object and sums it up.</summary>
    /// <param name="bucket">Bucket.</param>
    /// <param name="key">Key as it is; escaped here.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the endpoint answered something else than 200.</exception>
    public async Task<ReceivedObject> GetAsync(string bucket, string key, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, AddressOf(bucket, key));
        Sign(request);
        using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"GET /{bucket}/{key} was answered with {(int)response.StatusCode}.");
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 << 10);
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            long length = 0;
            uint checksum = 0;
            for (int read; (read = await body.ReadAsync(buffer, cancellationToken)) > 0; length += read)
            {
                checksum = Crc32C.Append(checksum, buffer.AsSpan(0, read));
            }

            return new ReceivedObject(length, checksum);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private Uri AddressOf(string bucket, string key)
    {
        string path = string.Join('/', key.Split('/').Select(Uri.EscapeDataString));

        // A key such as "a/../b" is a name, not a way to go.
        UriCreationOptions asWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };
        return new Uri($"{_endpoint.GetLeftPart(UriPartial.Authority)}/{bucket}/{path}", asWritten);
    }

    private void Sign(HttpRequestMessage request)
    {
        const string payload = "UNSIGNED-PAYLOAD";
        string now = _time.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string day = now[..8];
        string scope = $"{day}/{Region}/s3/aws4_request";
        string canonical = $"GET\n{request.RequestUri!.AbsolutePath}\n\nhost:{request.RequestUri.Authority}\nx-amz-content-sha256:{payload}\nx-amz-date:{now}\n\n"
            + $"host;x-amz-content-sha256;x-amz-date\n{payload}";
        string toSign = $"AWS4-HMAC-SHA256\n{now}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";

        byte[] derived = Encoding.UTF8.GetBytes("AWS4" + _secret.Reveal());
        foreach (string part in (ReadOnlySpan<string>)[day, Region, "s3", "aws4_request"])
        {
            derived = HMACSHA256.HashData(derived, Encoding.UTF8.GetBytes(part));
        }

        string signature = Convert.ToHexStringLower(HMACSHA256.HashData(derived, Encoding.UTF8.GetBytes(toSign)));
        request.Headers.TryAddWithoutValidation("x-amz-date", now);
        request.Headers.TryAddWithoutValidation("x-amz-content-sha256", payload);
        request.Headers.TryAddWithoutValidation(
            "Authorization", $"AWS4-HMAC-SHA256 Credential={_accessKeyId}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}");
    }
}
