using System.Security.Cryptography;
using System.Text;

namespace Forebay.S3.Authentication;

/// <summary>
/// A key pair at work: its rights, and the signing keys derived from its secret. Thread-safe.
/// </summary>
/// <remarks>
/// A signing key depends on date and region only, so it is derived once a day and region. Only requests whose signature held may
/// store one, so that strangers who know an id cannot churn the few slots.
/// </remarks>
internal sealed class AccessKey
{
    /// <summary>Most signing keys kept for one access key.</summary>
    private const int MaxSigningKeys = 8;

    private readonly byte[] _secret;
    private readonly Lock _lock = new();
    private volatile SigningKey[] _signingKeys = [];

    public AccessKey(AccessKeyOptions options)
    {
        Id = options.Id;
        Grants = options.Grants;
        _secret = Encoding.UTF8.GetBytes("AWS4" + options.Secret);
    }

    public string Id { get; }

    public IReadOnlyList<AccessGrant> Grants { get; }

    /// <summary>Gives the signing key of a scope.</summary>
    /// <param name="date"><c>yyyyMMdd</c>, ASCII.</param>
    /// <param name="region">Region of the scope.</param>
    /// <param name="key">32 bytes.</param>
    /// <returns>True when it was kept; otherwise it was derived and <see cref="Keep"/> may store it.</returns>
    public bool GetSigningKey(ReadOnlySpan<char> date, ReadOnlySpan<char> region, Span<byte> key)
    {
        foreach (SigningKey known in _signingKeys)
        {
            if (date.SequenceEqual(known.Date) && region.SequenceEqual(known.Region))
            {
                known.Key.CopyTo(key);
                return true;
            }
        }

        Derive(date, region, key);
        return false;
    }

    public void Keep(ReadOnlySpan<char> date, ReadOnlySpan<char> region, ReadOnlySpan<byte> key)
    {
        var added = new SigningKey(date.ToString(), region.ToString(), key.ToArray());
        lock (_lock)
        {
            SigningKey[] current = _signingKeys;
            int kept = Math.Min(current.Length, MaxSigningKeys - 1);
            var next = new SigningKey[kept + 1];
            next[0] = added;
            Array.Copy(current, 0, next, 1, kept);
            _signingKeys = next;
        }
    }

    private void Derive(ReadOnlySpan<char> date, ReadOnlySpan<char> region, Span<byte> key)
    {
        Span<byte> text = stackalloc byte[64];
        Span<byte> a = stackalloc byte[32];
        Span<byte> b = stackalloc byte[32];
        HMACSHA256.HashData(_secret, text[..Encoding.ASCII.GetBytes(date, text)], a);
        HMACSHA256.HashData(a, text[..Encoding.ASCII.GetBytes(region, text)], b);
        HMACSHA256.HashData(b, "s3"u8, a);
        HMACSHA256.HashData(a, "aws4_request"u8, key);
    }

    private sealed record SigningKey(string Date, string Region, byte[] Key);
}
