namespace Forebay.Core;

/// <summary>What an under-store says about one object.</summary>
/// <param name="Key">Full key in the under-store.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Token">Names this version; equal tokens mean equal bytes.</param>
/// <param name="LastModified">When the object was last changed, as the under-store says; whole seconds for S3.</param>
public sealed record ObjectStat(string Key, long Length, VersionToken Token, DateTimeOffset LastModified)
{
    /// <summary>ETag with its quotes, as clients of the S3 endpoint see it. Never empty.</summary>
    public required string ETag { get; init; }

    /// <summary>
    /// Headers that only a HEAD or GET tells (content type, user metadata); null when this stat comes from a listing.
    /// </summary>
    public ObjectHeaders? Headers { get; init; }
}

/// <summary>Descriptive headers of an object; null members were not sent by the under-store.</summary>
public sealed record ObjectHeaders
{
    // Before Empty: static members are made in the order of the text.
    private static readonly IReadOnlyDictionary<string, string> EmptyMetadata
        = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>An object without any of them.</summary>
    public static ObjectHeaders Empty { get; } = new();

    /// <summary><c>Content-Type</c>.</summary>
    public string? ContentType { get; init; }

    /// <summary><c>Content-Encoding</c>.</summary>
    public string? ContentEncoding { get; init; }

    /// <summary><c>Content-Language</c>.</summary>
    public string? ContentLanguage { get; init; }

    /// <summary><c>Content-Disposition</c>.</summary>
    public string? ContentDisposition { get; init; }

    /// <summary><c>Cache-Control</c>.</summary>
    public string? CacheControl { get; init; }

    /// <summary><c>Expires</c>.</summary>
    public string? Expires { get; init; }

    /// <summary><c>x-amz-storage-class</c>.</summary>
    public string? StorageClass { get; init; }

    /// <summary><c>x-amz-version-id</c>.</summary>
    public string? VersionId { get; init; }

    /// <summary>User metadata: names without <c>x-amz-meta-</c>, lower case; values as sent. At most 2 KiB on S3.</summary>
    public IReadOnlyDictionary<string, string> UserMetadata { get; init; } = EmptyMetadata;
}
