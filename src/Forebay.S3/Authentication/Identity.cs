namespace Forebay.S3.Authentication;

/// <summary>Who asks, and what they may do.</summary>
internal sealed class Identity
{
    /// <summary>A request without a signature where that is allowed.</summary>
    public static readonly Identity Anonymous = new(null, [new AccessGrant(Right: AccessRight.ReadOnly)]);

    private readonly IReadOnlyList<AccessGrant> _grants;

    public Identity(string? accessKeyId, IReadOnlyList<AccessGrant> grants)
    {
        AccessKeyId = accessKeyId;
        _grants = grants;
    }

    /// <summary>Null for anonymous.</summary>
    public string? AccessKeyId { get; }

    public bool IsAnonymous => AccessKeyId is null;

    /// <summary>True when something of the bucket may be read.</summary>
    public bool MaySee(string bucket)
    {
        for (int i = 0; i < _grants.Count; i++)
        {
            if (Covers(_grants[i], bucket))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when the key, or every key that begins with this prefix, may be read.</summary>
    public bool MayRead(string bucket, string keyOrPrefix)
    {
        for (int i = 0; i < _grants.Count; i++)
        {
            if (Covers(_grants[i], bucket) && keyOrPrefix.StartsWith(_grants[i].Prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Covers(AccessGrant grant, string bucket)
        => string.Equals(grant.Bucket, "*", StringComparison.Ordinal) || string.Equals(grant.Bucket, bucket, StringComparison.Ordinal);
}
