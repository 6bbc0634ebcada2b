namespace Forebay.UnderStores;

/// <summary>A key pair for an S3 under-store. Given in code or configuration, never in a URL; printing it shows no secret.</summary>
public sealed class UnderStoreCredentials
{
    /// <summary>Creates a key pair.</summary>
    /// <param name="accessKeyId">Access key id, not empty.</param>
    /// <param name="secretAccessKey">Secret access key, not empty.</param>
    /// <param name="sessionToken">Session token of temporary credentials, or null.</param>
    public UnderStoreCredentials(string accessKeyId, string secretAccessKey, string? sessionToken = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(accessKeyId);
        ArgumentException.ThrowIfNullOrEmpty(secretAccessKey);
        AccessKeyId = accessKeyId;
        SecretAccessKey = secretAccessKey;
        SessionToken = string.IsNullOrEmpty(sessionToken) ? null : sessionToken;
    }

    /// <summary>Access key id.</summary>
    public string AccessKeyId { get; }

    /// <summary>Secret access key.</summary>
    public string SecretAccessKey { get; }

    /// <summary>Session token of temporary credentials; null for permanent ones.</summary>
    public string? SessionToken { get; }

    /// <summary>A fixed text: neither id nor secret.</summary>
    public override string ToString() => "(credentials)";
}
