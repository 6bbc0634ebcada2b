using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>One request before it is addressed and signed, so that it can be sent again with a corrected region or clock.</summary>
internal readonly record struct S3Request
{
    public required HttpMethod Method { get; init; }

    /// <summary>Full key, not encoded; null for the bucket itself.</summary>
    public string? Key { get; init; }

    /// <summary>Encoded query, sorted; empty for none.</summary>
    public string Query { get; init; }

    public ByteRange? Range { get; init; }

    public string? IfMatch { get; init; }

    public string? RequestId { get; init; }

    /// <summary>The listed prefix, for people.</summary>
    public string? Listed { get; init; }

    public static S3Request ForKey(HttpMethod method, string key, string? requestId) => new() { Method = method, Key = key, Query = "", RequestId = requestId };

    public static S3Request ForBucket(string query, string listed, string? requestId)
        => new() { Method = HttpMethod.Get, Query = query, Listed = listed, RequestId = requestId };

    /// <summary>What was asked, for an error's sentence.</summary>
    public string Describe(string store)
        => Key is null ? $"listing '{Listed}' in {store}" : $"{(Method == HttpMethod.Head ? "stat of" : "reading")} '{Key}' in {store}";
}
