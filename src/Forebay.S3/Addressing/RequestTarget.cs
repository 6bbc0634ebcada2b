using System.Text;

namespace Forebay.S3.Addressing;

/// <summary>
/// What a request addresses, read from the raw request target. The decoded path of the server cannot be used: it folds <c>..</c> and
/// <c>//</c>, which are parts of keys here.
/// </summary>
/// <param name="RawPath">Path with its escapes, beginning with <c>/</c>; what a signature covers.</param>
/// <param name="Query">The query.</param>
/// <param name="Bucket">Bucket; empty for the service itself.</param>
/// <param name="Key">Key; empty for the bucket itself.</param>
internal sealed record RequestTarget(string RawPath, QueryParameters Query, string Bucket, string Key)
{
    /// <summary>Longest key in bytes of UTF-8.</summary>
    public const int MaxKeyBytes = 1024;

    /// <summary>Reads the target.</summary>
    /// <param name="rawTarget">As it stood in the request line.</param>
    /// <param name="virtualHostBucket">Bucket named by the host; null for path style.</param>
    /// <param name="target">The result; null on failure.</param>
    /// <returns>Null, or the error to answer.</returns>
    public static S3Error? TryParse(string rawTarget, string? virtualHostBucket, out RequestTarget? target)
    {
        target = null;
        if (!rawTarget.StartsWith('/') && !TryCutAuthority(ref rawTarget))
        {
            return S3Errors.InvalidUri;
        }

        int question = rawTarget.IndexOf('?', StringComparison.Ordinal);
        QueryParameters query = QueryParameters.Empty;
        if (question >= 0 && (!QueryParameters.TryParse(rawTarget, question + 1, out query) || !query.AllValuesDecode()))
        {
            return S3Errors.InvalidUri;
        }

        string path = question < 0 ? rawTarget : rawTarget[..question];
        ReadOnlySpan<char> rawBucket = default;
        ReadOnlySpan<char> rawKey = path.AsSpan(1);
        if (virtualHostBucket is null)
        {
            int slash = rawKey.IndexOf('/');
            rawBucket = slash < 0 ? rawKey : rawKey[..slash];
            rawKey = slash < 0 ? default : rawKey[(slash + 1)..];
        }

        if (!PercentCoding.TryDecode(rawBucket, plusIsSpace: false, out string bucket)
            || !PercentCoding.TryDecode(rawKey, plusIsSpace: false, out string key))
        {
            return S3Errors.InvalidUri;
        }

        if (virtualHostBucket is null && bucket.Length == 0 && key.Length > 0)
        {
            return S3Errors.InvalidBucketName;
        }

        // One character takes at most 3 bytes here (surrogate pairs: 4 for 2), so short keys need no count.
        if (key.Length > MaxKeyBytes / 3 && Encoding.UTF8.GetByteCount(key) > MaxKeyBytes)
        {
            return S3Errors.KeyTooLong;
        }

        if (key.Contains('\0', StringComparison.Ordinal))
        {
            return S3Errors.InvalidArgument with { Message = "A key cannot hold the character U+0000." };
        }

        target = new RequestTarget(path, query, virtualHostBucket ?? bucket, key);
        return null;
    }

    /// <summary>The absolute form <c>http://host/path</c>, which every server must accept (RFC 9112 §3.2.2), is cut to its path.</summary>
    private static bool TryCutAuthority(ref string rawTarget)
    {
        int scheme = rawTarget.IndexOf("://", StringComparison.Ordinal);
        if (scheme is not (4 or 5) || !rawTarget.StartsWith("http", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        int path = rawTarget.AsSpan(scheme + 3).IndexOfAny('/', '?');
        if (path < 0)
        {
            rawTarget = "/";
            return true;
        }

        rawTarget = rawTarget[(scheme + 3 + path)..];
        if (rawTarget[0] == '?')
        {
            rawTarget = "/" + rawTarget;
        }

        return true;
    }
}
