namespace Forebay.S3.Authentication;

/// <summary>What authentication found: exactly one of identity and error is not null.</summary>
/// <param name="Identity">Who signed.</param>
/// <param name="Error">Why the request is refused.</param>
/// <param name="PayloadHash">Hash of the body the signature covers, 64 lower-case hexadecimal digits; null when it covers none.</param>
internal readonly record struct AuthOutcome(Identity? Identity, S3Error? Error, string? PayloadHash)
{
    public static AuthOutcome Refused(S3Error error) => new(null, error, null);
}
