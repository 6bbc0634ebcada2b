using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.UnderStores.S3;

/// <summary>One header that takes part in a signature.</summary>
/// <param name="Name">Lower case.</param>
/// <param name="Value">As sent, without space around it.</param>
internal readonly record struct SignedHeader(string Name, string Value);

/// <summary>
/// AWS Signature Version 4 for requests without a body, in the Authorization header. Thread-safe; the derived key is kept per
/// day, region and secret.
/// </summary>
/// <remarks>Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header".</remarks>
internal sealed class SigV4Signer
{
    /// <summary>SHA-256 of nothing: the payload hash of every GET and HEAD.</summary>
    public const string EmptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private const int HashBytes = SHA256.HashSizeInBytes;

    private DerivedKey? _derived;

    /// <summary>Makes the value of the Authorization header.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="path">Encoded path exactly as sent.</param>
    /// <param name="query">Encoded query exactly as sent, parameters sorted, every one with '='; empty for none.</param>
    /// <param name="headers">Signed headers, sorted by name.</param>
    /// <param name="region">Region of the scope.</param>
    /// <param name="credentials">Key pair.</param>
    /// <param name="timestamp">Value of x-amz-date: <c>yyyyMMddTHHmmssZ</c>.</param>
    public string Authorize(
        string method, string path, string query, ReadOnlySpan<SignedHeader> headers, string region, UnderStoreCredentials credentials, string timestamp)
    {
        ReadOnlySpan<char> day = timestamp.AsSpan(0, 8);
        Span<byte> hash = stackalloc byte[HashBytes];
        HashCanonicalRequest(method, path, query, headers, hash);

        Span<char> hex = stackalloc char[2 * HashBytes];
        Convert.TryToHexStringLower(hash, hex, out _);
        Span<char> text = stackalloc char[512];
        text.TryWrite(CultureInfo.InvariantCulture, $"AWS4-HMAC-SHA256\n{timestamp}\n{day}/{region}/s3/aws4_request\n{hex}", out int written);
        Span<byte> toSign = stackalloc byte[512];
        int length = Encoding.ASCII.GetBytes(text[..written], toSign);
        HMACSHA256.HashData(KeyOf(day, region, credentials.SecretAccessKey), toSign[..length], hash);
        Convert.TryToHexStringLower(hash, hex, out _);

        Span<char> names = stackalloc char[256];
        names = names[..JoinNames(headers, names)];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"AWS4-HMAC-SHA256 Credential={credentials.AccessKeyId}/{day}/{region}/s3/aws4_request, SignedHeaders={names}, Signature={hex}");
    }

    private static void HashCanonicalRequest(string method, string path, string query, ReadOnlySpan<SignedHeader> headers, Span<byte> hash)
    {
        int bound = method.Length + path.Length + query.Length + (2 * HashBytes) + 16;
        foreach (SignedHeader header in headers)
        {
            bound += (2 * header.Name.Length) + Encoding.UTF8.GetMaxByteCount(header.Value.Length) + 3;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(bound);
        int at = 0;
        Put(buffer, ref at, method, '\n');
        Put(buffer, ref at, path, '\n');
        Put(buffer, ref at, query, '\n');
        foreach (SignedHeader header in headers)
        {
            Put(buffer, ref at, header.Name, ':');
            Put(buffer, ref at, header.Value, '\n');
        }

        buffer[at++] = (byte)'\n';
        Span<char> names = stackalloc char[256];
        Put(buffer, ref at, names[..JoinNames(headers, names)], '\n');
        at += Encoding.ASCII.GetBytes(EmptyPayloadHash, buffer.AsSpan(at));
        SHA256.HashData(buffer.AsSpan(0, at), hash);
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private static void Put(byte[] buffer, ref int at, ReadOnlySpan<char> text, char end)
    {
        at += Encoding.UTF8.GetBytes(text, buffer.AsSpan(at));
        buffer[at++] = (byte)end;
    }

    private static int JoinNames(ReadOnlySpan<SignedHeader> headers, Span<char> destination)
    {
        int at = 0;
        foreach (SignedHeader header in headers)
        {
            if (at > 0)
            {
                destination[at++] = ';';
            }

            header.Name.CopyTo(destination[at..]);
            at += header.Name.Length;
        }

        return at;
    }

    private byte[] KeyOf(ReadOnlySpan<char> day, string region, string secret)
    {
        DerivedKey? derived = Volatile.Read(ref _derived);
        if (derived is not null && day.SequenceEqual(derived.Day) && string.Equals(derived.Region, region, StringComparison.Ordinal)
            && string.Equals(derived.Secret, secret, StringComparison.Ordinal))
        {
            return derived.Key;
        }

        byte[] key = HMACSHA256.HashData(Encoding.UTF8.GetBytes("AWS4" + secret), Encoding.ASCII.GetBytes(day.ToString()));
        key = HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(region));
        key = HMACSHA256.HashData(key, "s3"u8);
        key = HMACSHA256.HashData(key, "aws4_request"u8);
        Volatile.Write(ref _derived, new DerivedKey(day.ToString(), region, secret, key));
        return key;
    }

    private sealed class DerivedKey(string day, string region, string secret, byte[] key)
    {
        public string Day => day;

        public string Region => region;

        public string Secret => secret;

        public byte[] Key => key;
    }
}
