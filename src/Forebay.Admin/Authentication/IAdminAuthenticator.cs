using Microsoft.AspNetCore.Http;

namespace Forebay.Admin.Authentication;

/// <summary>Decides whether a caller of the admin API is who it may be. Thread-safe.</summary>
/// <remarks>The seam for other kinds of credentials, for instance the S3 endpoint's own verifier and key store.</remarks>
public interface IAdminAuthenticator
{
    /// <summary>Looks at a request's credentials.</summary>
    /// <param name="request">The request; its body has been read already.</param>
    /// <param name="body">The whole body; empty for GET.</param>
    /// <param name="cancellationToken">Ends the check.</param>
    ValueTask<AdminAuthentication> AuthenticateAsync(HttpRequest request, ReadOnlyMemory<byte> body, CancellationToken cancellationToken);
}

/// <summary>What an authenticator found.</summary>
public enum AdminAuthenticationOutcome
{
    /// <summary>No credentials of its kind: another one may decide.</summary>
    NotMine,

    /// <summary>Good.</summary>
    Accepted,

    /// <summary>Credentials of its kind, but not good.</summary>
    Rejected,
}

/// <summary>Result of a check.</summary>
/// <param name="Outcome">What was found.</param>
/// <param name="Reason">Why it was rejected, in one sentence without secrets; null otherwise.</param>
public readonly record struct AdminAuthentication(AdminAuthenticationOutcome Outcome, string? Reason = null)
{
    /// <summary>No credentials of this kind.</summary>
    public static AdminAuthentication NotMine => new(AdminAuthenticationOutcome.NotMine);

    /// <summary>Good.</summary>
    public static AdminAuthentication Accepted => new(AdminAuthenticationOutcome.Accepted);

    /// <summary>Not good.</summary>
    public static AdminAuthentication Rejected(string reason) => new(AdminAuthenticationOutcome.Rejected, reason);
}
