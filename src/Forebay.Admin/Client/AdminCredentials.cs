namespace Forebay.Admin.Client;

/// <summary>What a client shows to the admin API: a bearer token, else a key pair, else nothing.</summary>
/// <param name="Token">Bearer token; null for none.</param>
/// <param name="AccessKeyId">Access key; null for none.</param>
/// <param name="SecretAccessKey">Its secret; null for none.</param>
public sealed record AdminCredentials(string? Token, string? AccessKeyId, string? SecretAccessKey)
{
    /// <summary>Nothing.</summary>
    public static AdminCredentials None { get; } = new(null, null, null);

    /// <summary>Takes FOREBAY_ADMIN_TOKEN, FOREBAY_ACCESS_KEY_ID and FOREBAY_SECRET_ACCESS_KEY.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    public static AdminCredentials FromEnvironment(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        return new AdminCredentials(
            NullIfEmpty(variable("FOREBAY_ADMIN_TOKEN")),
            NullIfEmpty(variable("FOREBAY_ACCESS_KEY_ID")),
            NullIfEmpty(variable("FOREBAY_SECRET_ACCESS_KEY")));
    }

    /// <summary>Tells which credentials there are, never what they are.</summary>
    public override string ToString() => Token is not null ? "bearer token" : AccessKeyId is not null ? $"key pair {AccessKeyId}" : "none";

    private static string? NullIfEmpty(string? value) => string.IsNullOrEmpty(value) ? null : value;
}
