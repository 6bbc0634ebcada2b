using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Forebay.Admin.Authentication;

/// <summary>Accepts requests signed with a key pair of the endpoint (AWS4-HMAC-SHA256 in the Authorization header, service <c>forebay</c> or <c>s3</c>).</summary>
public sealed class SignatureAuthenticator : IAdminAuthenticator
{
    /// <summary>How far the caller's clock may be off: 15 minutes, as for S3. A recorded request can be replayed that long by who can read the wire.</summary>
    public static readonly TimeSpan MaxSkew = TimeSpan.FromMinutes(15);

    private const int MaxSignedHeaders = 32;

    private readonly Func<string, string?> _secretOf;
    private readonly TimeProvider _time;

    /// <summary>Creates the check.</summary>
    /// <param name="secretOf">Secret key of an access key that may administrate; null for others.</param>
    /// <param name="time">Clock.</param>
    public SignatureAuthenticator(Func<string, string?> secretOf, TimeProvider time)
    {
        _secretOf = secretOf;
        _time = time;
    }

    /// <inheritdoc/>
    public ValueTask<AdminAuthentication> AuthenticateAsync(HttpRequest request, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        string? header = request.Headers.Authorization;
        return new ValueTask<AdminAuthentication>(
            header is null || !header.StartsWith(RequestSignature.Algorithm, StringComparison.Ordinal)
                ? AdminAuthentication.NotMine
                : Check(request, header, body.Span));
    }

    private AdminAuthentication Check(HttpRequest request, string header, ReadOnlySpan<byte> body)
    {
        if (!TryParse(header, out SignedRequest signed))
        {
            return AdminAuthentication.Rejected("The Authorization header is not a complete AWS4-HMAC-SHA256 one.");
        }

        string date = request.Headers[RequestSignature.DateHeader].ToString();
        if (!DateTimeOffset.TryParseExact(
                date, RequestSignature.DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at)
            || (at - _time.GetUtcNow()).Duration() > MaxSkew)
        {
            return AdminAuthentication.Rejected($"x-amz-date is missing or more than {MaxSkew.TotalMinutes:0} minutes off the node's clock.");
        }

        if (signed.Service is not ("forebay" or "s3") || !string.Equals(signed.Day, date[..8], StringComparison.Ordinal))
        {
            return AdminAuthentication.Rejected("The credential scope must be DATE/REGION/forebay/aws4_request with the date of x-amz-date.");
        }

        string bodyHash = RequestSignature.HashHex(body);
        if (!string.Equals(request.Headers[RequestSignature.BodyHashHeader].ToString(), bodyHash, StringComparison.OrdinalIgnoreCase))
        {
            return AdminAuthentication.Rejected("x-amz-content-sha256 is not the hash of the body.");
        }

        if (!RequestSignature.ClientHeaders.All(name => signed.Headers.Contains(name, StringComparer.Ordinal)))
        {
            return AdminAuthentication.Rejected("host, x-amz-content-sha256 and x-amz-date must be signed.");
        }

        // An unknown key costs the same work as a wrong secret.
        string? secret = _secretOf(signed.AccessKey);
        string target = request.HttpContext.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        int question = target.IndexOf('?', StringComparison.Ordinal);
        string expected = RequestSignature.Compute(
            request.Method,
            question < 0 ? target : target[..question],
            question < 0 ? "" : target[(question + 1)..],
            [.. signed.Headers.Select(name => (name, request.Headers[name].ToString()))],
            bodyHash,
            date,
            RequestSignature.Scope(date, signed.Region, signed.Service),
            secret ?? "unknown");
        bool same = CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(signed.Signature));
        return same && secret is not null
            ? AdminAuthentication.Accepted
            : AdminAuthentication.Rejected("The access key is unknown or the signature does not match.");
    }

    private static bool TryParse(string header, out SignedRequest signed)
    {
        signed = default;
        string? credential = null;
        string? headers = null;
        string? signature = null;
        foreach (string part in header[RequestSignature.Algorithm.Length..].Split(',', StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string value = equals < 0 ? "" : part[(equals + 1)..];
            switch (equals < 0 ? "" : part[..equals])
            {
                case "Credential":
                    credential = value;
                    break;
                case "SignedHeaders":
                    headers = value;
                    break;
                case "Signature":
                    signature = value;
                    break;
                default:
                    return false;
            }
        }

        string[] scope = credential?.Split('/') ?? [];
        string[] names = headers?.Split(';') ?? [];
        if (scope is not [var accessKey, var day, var region, var service, "aws4_request"] || names.Length is 0 or > MaxSignedHeaders || signature is null)
        {
            return false;
        }

        signed = new SignedRequest(accessKey, day, region, service, names, signature);
        return true;
    }

    private readonly record struct SignedRequest(string AccessKey, string Day, string Region, string Service, string[] Headers, string Signature);
}
