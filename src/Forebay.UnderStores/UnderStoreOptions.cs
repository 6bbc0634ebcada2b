using System.Globalization;
using Forebay.Core;

namespace Forebay.UnderStores;

/// <summary>The two families of under-stores.</summary>
public enum UnderStoreKind
{
    /// <summary>S3 and everything that speaks it.</summary>
    S3,

    /// <summary>A directory tree: local disk, NAS, NFS, CPFS.</summary>
    Local,
}

/// <summary>Everything needed to open one under-store. Made by <see cref="UnderStoreUrl"/>; immutable.</summary>
public sealed record UnderStoreOptions
{
    /// <summary>Family.</summary>
    public required UnderStoreKind Kind { get; init; }

    /// <summary>Scheme as written (<c>s3</c>, <c>oss</c>, <c>file</c> …); only <see cref="DisplayName"/> uses it.</summary>
    public required string Scheme { get; init; }

    /// <summary>Bucket, or absolute root directory without a trailing slash (except <c>/</c>).</summary>
    public required string Root { get; init; }

    /// <summary>Canonical endpoint <c>scheme://host[:port]</c> in lower case without default port; null for AWS itself (the
    /// endpoint then follows the region) and for directories.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Region that requests are signed for; a wrong one is corrected when the store names the right one.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>True: <c>endpoint/bucket/key</c>; false: <c>bucket.endpoint/key</c>.</summary>
    public bool PathStyle { get; init; }

    /// <summary>Send unsigned requests.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Profile of the shared AWS configuration; null for the default chain.</summary>
    public string? Profile { get; init; }

    /// <summary>Explicit key pair; null for the AWS chain.</summary>
    public UnderStoreCredentials? Credentials { get; init; }

    /// <summary>Identity of the store: the same for every spelling of it.</summary>
    public UnderStoreId Id => Kind == UnderStoreKind.Local
        ? UnderStoreId.From("file", "", Root)
        : UnderStoreId.From("s3", Endpoint ?? AwsIdentity, Root);

    /// <summary>Where the store is, for people.</summary>
    public string DisplayName => Kind == UnderStoreKind.Local
        ? "file://" + Root
        : Endpoint is null ? $"{Scheme}://{Root}" : $"{Scheme}://{Root} at {Endpoint}";

    /// <summary>Bucket names are unique over all AWS regions, so the region is not part of the identity.</summary>
    private const string AwsIdentity = "https://s3.amazonaws.com";

    /// <summary>Where it leads and how it signs; no secret.</summary>
    public override string ToString() => Kind == UnderStoreKind.Local
        ? DisplayName
        : string.Create(CultureInfo.InvariantCulture, $"{DisplayName} (region {Region}, {(PathStyle ? "path" : "virtual-host")} style, {HowSigned})");

    private string HowSigned => Anonymous ? "anonymous" : Credentials is not null ? "own key pair" : Profile is not null ? $"profile {Profile}" : "AWS credential chain";
}
