using System.Collections.Frozen;
using Forebay.S3.Addressing;

namespace Forebay.S3.Operations;

/// <summary>
/// Which operation a request means: method, what it addresses, and the subresource in its query. Adding an operation is adding a row.
/// </summary>
internal static class OperationTable
{
    public static readonly Operation Unknown = new RefusedOperation(S3OperationKind.Unknown, S3Errors.MethodNotAllowed);

    private static readonly Operation NotImplemented = new RefusedOperation(S3OperationKind.NotImplemented, S3Errors.NotImplemented);
    private static readonly Operation ReadOnly = new RefusedOperation(S3OperationKind.Write, S3Errors.ReadOnly);
    private static readonly Operation CreateBucket = new RefusedOperation(S3OperationKind.Write, S3Errors.ReadOnly, needsBucket: false);
    private static readonly Operation Cors = new RefusedOperation(S3OperationKind.Unknown, S3Errors.CorsForbidden, needsIdentity: false);

    /// <summary>Query names that S3 uses to choose an operation. Other names are parameters, or mean nothing and are ignored.</summary>
    private static readonly FrozenSet<string> Subresources = FrozenSet.Create(
        StringComparer.Ordinal,
        "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "forebay-refresh", "intelligent-tiering", "inventory",
        "legal-hold", "lifecycle", "location", "logging", "metadataTable", "metadataConfiguration", "metrics", "notification", "object-lock",
        "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "rename", "renameObject", "replication", "requestPayment", "restore",
        "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website");

    private static readonly FrozenSet<string> Parameters = FrozenSet.Create(
        StringComparer.Ordinal,
        "prefix", "delimiter", "marker", "max-keys", "encoding-type", "list-type", "start-after", "continuation-token", "fetch-owner",
        "key-marker", "version-id-marker", "partNumber", "versionId", "x-id");

    private static readonly Row[] Rows =
    [
        new("GET", Scope.Object, null, new GetObject(S3OperationKind.GetObject)),
        new("HEAD", Scope.Object, null, new GetObject(S3OperationKind.HeadObject)),
        new("GET", Scope.Bucket, null, new ListObjects()),
        new("HEAD", Scope.Bucket, null, new HeadBucket()),
        new("GET", Scope.Service, null, new ListBuckets()),
        new("GET", Scope.Bucket, "versions", new ListObjectVersions()),
        new("POST", Scope.Bucket, "forebay-refresh", new Refresh()),
        new("POST", Scope.Object, "forebay-refresh", new Refresh()),
        new("GET", Scope.Bucket, "location", new GetBucketLocation()),
        new("GET", Scope.Bucket, "versioning", new GetBucketVersioning()),
        new("GET", Scope.Bucket, "acl", new GetAcl(S3OperationKind.GetBucketConfiguration)),
        new("GET", Scope.Bucket, "requestPayment", new GetBucketRequestPayment()),
        new("GET", Scope.Bucket, "logging", new GetBucketLogging()),
        new("GET", Scope.Bucket, "uploads", new ListMultipartUploads()),
        Absent("policy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
        Absent("policyStatus", "NoSuchBucketPolicy", "The bucket policy does not exist"),
        Absent("tagging", "NoSuchTagSet", "The TagSet does not exist"),
        Absent("cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        Absent("lifecycle", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        Absent("website", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
        Absent("encryption", "ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"),
        Absent("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
        Absent("object-lock", "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
        Absent("replication", "ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
        Absent("ownershipControls", "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
        new("GET", Scope.Object, "acl", new GetAcl(S3OperationKind.GetObjectDescription)),
        new("GET", Scope.Object, "tagging", new GetObjectTagging()),
        new("GET", Scope.Object, "uploadId", new RefusedOperation(S3OperationKind.GetObjectDescription, S3Errors.NoSuchUpload)),
        new("PUT", Scope.Service, null, Unknown),
        new("POST", Scope.Service, null, Unknown),
        new("DELETE", Scope.Service, null, Unknown),
        new("HEAD", Scope.Service, null, Unknown),
        new("PUT", Scope.Bucket, null, CreateBucket),
    ];

    /// <summary>What a request addresses.</summary>
    private enum Scope
    {
        Service,
        Bucket,
        Object,
    }

    /// <summary>Finds the operation; never null.</summary>
    public static Operation Find(string method, RequestTarget target)
    {
        Scope scope = target.Key.Length > 0 ? Scope.Object : target.Bucket.Length > 0 ? Scope.Bucket : Scope.Service;
        string? subresource = FindSubresource(target.Query, out bool isUnknown);
        if (!isUnknown)
        {
            foreach (Row row in Rows)
            {
                if (row.Scope == scope
                    && string.Equals(row.Method, method, StringComparison.Ordinal)
                    && string.Equals(row.Subresource, subresource, StringComparison.Ordinal))
                {
                    return row.Operation;
                }
            }
        }

        return method switch
        {
            "GET" or "HEAD" => NotImplemented,
            "PUT" or "POST" or "DELETE" => isUnknown || scope == Scope.Service ? NotImplemented : ReadOnly,
            "OPTIONS" => Cors,
            _ => Unknown,
        };
    }

    /// <summary>The first subresource of the query. A bare unknown name has the form of one and is reported as unknown.</summary>
    private static string? FindSubresource(QueryParameters query, out bool isUnknown)
    {
        isUnknown = false;
        for (int i = 0; i < query.Count; i++)
        {
            string name = query.NameAt(i);
            if (Subresources.Contains(name))
            {
                return name;
            }

            isUnknown |= !query.HasEqualsAt(i) && !Parameters.Contains(name) && !name.StartsWith("X-Amz-", StringComparison.OrdinalIgnoreCase);
        }

        return null;
    }

    private static Row Absent(string subresource, string code, string message)
        => new("GET", Scope.Bucket, subresource, new RefusedOperation(S3OperationKind.GetBucketConfiguration, new S3Error(code, 404, message)));

    private sealed record Row(string Method, Scope Scope, string? Subresource, Operation Operation);
}
