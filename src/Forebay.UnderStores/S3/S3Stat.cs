using System.Globalization;
using System.Net.Http.Headers;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>Makes stats out of response headers and listings.</summary>
internal static class S3Stat
{
    private const string MetadataPrefix = "x-amz-meta-";

    /// <summary>The stat that a HEAD or GET answer carries.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="length">Length of the whole object.</param>
    /// <param name="response">The answer.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the answer names no version, as the page of a proxy does.</exception>
    public static ObjectStat FromResponse(string key, long length, HttpResponseMessage response)
    {
        HttpHeadersNonValidated headers = response.Headers.NonValidated;
        HttpHeadersNonValidated content = response.Content.Headers.NonValidated;
        string? eTag = Get(headers, "ETag");
        string? lastModified = Get(content, "Last-Modified");
        if (string.IsNullOrEmpty(eTag) && lastModified is null)
        {
            throw new ForebayException(
                ErrorKind.Unavailable,
                $"reading '{key}': the answer has neither ETag nor Last-Modified, so it is not an object of S3. Check that the endpoint is the S3 service and not a proxy or a page before it.");
        }

        DateTimeOffset modified = DateTimeOffset.TryParse(lastModified, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time
            : DateTimeOffset.UnixEpoch;
        return Create(key, length, eTag, modified) with
        {
            Headers = new ObjectHeaders
            {
                ContentType = Get(content, "Content-Type"),
                ContentEncoding = Get(content, "Content-Encoding"),
                ContentLanguage = Get(content, "Content-Language"),
                ContentDisposition = Get(content, "Content-Disposition"),
                Expires = Get(content, "Expires"),
                CacheControl = Get(headers, "Cache-Control"),
                StorageClass = Get(headers, "x-amz-storage-class"),
                VersionId = Get(headers, "x-amz-version-id"),
                UserMetadata = MetadataOf(headers),
            },
        };
    }

    /// <summary>A stat without headers.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="length">Length in bytes.</param>
    /// <param name="etag">As sent; null or empty where the store has none.</param>
    /// <param name="modified">Only its whole seconds count: listings are finer than headers and must give the same token.</param>
    public static ObjectStat Create(string key, long length, string? etag, DateTimeOffset modified)
    {
        DateTimeOffset seconds = DateTimeOffset.FromUnixTimeSeconds(modified.ToUnixTimeSeconds());
        if (string.IsNullOrEmpty(etag))
        {
            string token = string.Create(CultureInfo.InvariantCulture, $"{length}-{seconds.ToUnixTimeSeconds()}");
            return new ObjectStat(key, length, new VersionToken(token), seconds) { ETag = $"\"{token}\"" };
        }

        // Some stores leave the quotes out, in headers or in listings only.
        string quoted = etag.EndsWith('"') ? etag : $"\"{etag}\"";
        return new ObjectStat(key, length, new VersionToken(quoted), seconds) { ETag = quoted };
    }

    /// <summary>True when the store can compare this token itself: <c>If-Match</c> compares strongly, so a weak tag never matches.</summary>
    public static bool IsETag(VersionToken token) => token.Value.EndsWith('"') && !token.Value.StartsWith("W/", StringComparison.Ordinal);

    private static string? Get(HttpHeadersNonValidated headers, string name)
        => headers.TryGetValues(name, out HeaderStringValues values) ? values.ToString() : null;

    private static IReadOnlyDictionary<string, string> MetadataOf(HttpHeadersNonValidated headers)
    {
        Dictionary<string, string>? metadata = null;
        foreach (KeyValuePair<string, HeaderStringValues> header in headers)
        {
            if (header.Key.StartsWith(MetadataPrefix, StringComparison.OrdinalIgnoreCase))
            {
                metadata ??= new Dictionary<string, string>(StringComparer.Ordinal);
                metadata[header.Key[MetadataPrefix.Length..].ToLowerInvariant()] = header.Value.ToString();
            }
        }

        return metadata ?? ObjectHeaders.Empty.UserMetadata;
    }
}
