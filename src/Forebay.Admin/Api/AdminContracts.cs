using Forebay.Engine;

namespace Forebay.Admin.Api;

/// <summary>Answer of <c>GET version</c>.</summary>
/// <param name="Version">Product version.</param>
/// <param name="Api">Version of this API.</param>
public sealed record VersionInfo(string Version, string Api);

/// <summary>Answer of <c>GET endpoints</c>: how to come to this node's data. It tells addresses only; whoever uses them signs.</summary>
/// <param name="NodeId">Drawn when the node starts: tells it from another at the same address.</param>
/// <param name="S3">URL of the S3 endpoint. Where that listens on all addresses, its host is the name by which this node was asked.</param>
/// <param name="Socket">Path of the local socket that hands out cache files; null when there is none.</param>
public sealed record NodeEndpoints(string NodeId, string S3, string? Socket);

/// <summary>One page of <c>GET ls</c>.</summary>
/// <param name="Path">What was listed.</param>
/// <param name="Entries">Names in UTF-8 byte order.</param>
/// <param name="Next">Give this as <c>after</c> for the next page; null on the last.</param>
public sealed record Listing(string Path, IReadOnlyList<ListingEntry> Entries, string? Next);

/// <summary>One name of a listing.</summary>
/// <param name="Path">Path in the namespace; ends with <c>/</c> for mounts and prefixes.</param>
/// <param name="Type"><c>mount</c>, <c>prefix</c> or <c>object</c>.</param>
/// <param name="Bytes">Length of an object; null for others.</param>
/// <param name="LastModified">When an object was last changed; null for others.</param>
/// <param name="Etag">ETag of an object with its quotes; null for others.</param>
public sealed record ListingEntry(string Path, string Type, long? Bytes, DateTimeOffset? LastModified, string? Etag);

/// <summary>Answer of <c>GET stat</c>.</summary>
public sealed record ObjectInfo
{
    /// <summary>Path in the namespace.</summary>
    public required string Path { get; init; }

    /// <summary>Key in the under-store.</summary>
    public required string Key { get; init; }

    /// <summary>Length in bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>ETag with its quotes.</summary>
    public required string Etag { get; init; }

    /// <summary>What names this version.</summary>
    public required string Version { get; init; }

    /// <summary>When it was last changed.</summary>
    public required DateTimeOffset LastModified { get; init; }

    /// <summary>Content type; null when the under-store said none.</summary>
    public string? ContentType { get; init; }

    /// <summary>Storage class; null when the under-store said none.</summary>
    public string? StorageClass { get; init; }

    /// <summary>User metadata, names in lower case.</summary>
    public IReadOnlyDictionary<string, string>? UserMetadata { get; init; }

    /// <summary>Bytes of this version in the cache.</summary>
    public required long CachedBytes { get; init; }

    /// <summary>Tier directories that hold them.</summary>
    public required IReadOnlyList<string> Tiers { get; init; }

    /// <summary>Eviction is forbidden.</summary>
    public required bool Pinned { get; init; }

    internal static ObjectInfo From(PathDescription description) => new()
    {
        Path = description.Path,
        Key = description.Stat.Key,
        Bytes = description.Stat.Length,
        Etag = description.Stat.ETag,
        Version = description.Stat.Token.Value,
        LastModified = description.Stat.LastModified,
        ContentType = description.Stat.Headers?.ContentType,
        StorageClass = description.Stat.Headers?.StorageClass,
        UserMetadata = description.Stat.Headers?.UserMetadata,
        CachedBytes = description.CachedBytes,
        Tiers = description.Tiers,
        Pinned = description.Pinned,
    };
}

/// <summary>Body of <c>POST load</c>.</summary>
public sealed record LoadBody
{
    /// <summary>One or more paths.</summary>
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>Pin what is loaded.</summary>
    public bool Pin { get; init; }

    /// <summary>Objects fetched at the same time, 1–256; null for the default.</summary>
    public int? Parallelism { get; init; }
}

/// <summary>Body of <c>POST free</c>.</summary>
public sealed record FreeBody
{
    /// <summary>What to drop from the cache.</summary>
    public string? Path { get; init; }

    /// <summary>Drop pinned objects as well.</summary>
    public bool PinnedToo { get; init; }

    /// <summary>Only say what would be dropped.</summary>
    public bool DryRun { get; init; }
}

/// <summary>Body of <c>POST pin</c>, <c>unpin</c> and <c>refresh</c>.</summary>
public sealed record PathBody
{
    /// <summary>What it is about.</summary>
    public string? Path { get; init; }
}

/// <summary>Body of <c>POST access-log</c>.</summary>
public sealed record AccessLogBody
{
    /// <summary>Switch it on or off.</summary>
    public bool? On { get; init; }

    /// <summary>Absolute path of the file; null for the usual one.</summary>
    public string? File { get; init; }
}

/// <summary>Answer of <c>DELETE loads/{id}</c> and <c>POST refresh</c>: it was done.</summary>
/// <param name="Done">True.</param>
public sealed record Acknowledgement(bool Done);

/// <summary>Body of every answer that is not 2xx.</summary>
/// <param name="Error">What went wrong.</param>
public sealed record ErrorBody(ErrorDetail Error);

/// <summary>An error for machines and people.</summary>
/// <param name="Kind">Stable word: an <see cref="Forebay.Core.ErrorKind"/> in camelCase, or <c>unauthenticated</c>, <c>methodNotAllowed</c>, <c>forbiddenHost</c>, <c>internal</c>.</param>
/// <param name="Message">One sentence with the remedy where there is one.</param>
/// <param name="RequestId">Also in the header <c>x-request-id</c> and in the node's log.</param>
public sealed record ErrorDetail(string Kind, string Message, string? RequestId);
