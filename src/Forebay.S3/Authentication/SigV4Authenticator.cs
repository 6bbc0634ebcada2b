using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Forebay.S3.Addressing;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Authentication;

/// <summary>
/// Checks Signature Version 4, in the <c>Authorization</c> header or in the query (presigned), over the raw request target.
/// Thread-safe; a request that holds allocates its identity's lookups only.
/// </summary>
internal sealed class SigV4Authenticator
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private const string UnsignedPayload = "UNSIGNED-PAYLOAD";
    private const string EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const int MaxPresignSeconds = 604_800;

    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");

    private readonly S3Options _options;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, KeyHolder>.AlternateLookup<ReadOnlySpan<char>> _keys;

    public SigV4Authenticator(S3Options options, TimeProvider time)
    {
        _options = options;
        _time = time;
        var keys = new Dictionary<string, KeyHolder>(StringComparer.Ordinal);
        foreach (AccessKeyOptions key in options.AccessKeys)
        {
            keys.Add(key.Id, new KeyHolder(new AccessKey(key), new Identity(key.Id, key.Grants)));
        }

        _keys = keys.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public AuthOutcome Authenticate(HttpRequest request, RequestTarget target)
    {
        string? authorization = request.Headers.Authorization;
        bool isPresigned = target.Query.Contains("X-Amz-Algorithm") || target.Query.Contains("X-Amz-Signature") || target.Query.Contains("X-Amz-Credential");
        bool isVersion2 = target.Query.Contains("AWSAccessKeyId");
        if (authorization is null && !isPresigned && !isVersion2)
        {
            return _options.AllowAnonymous ? new AuthOutcome(Identity.Anonymous, null, null) : AuthOutcome.Refused(S3Errors.AccessDenied);
        }

        if (authorization is not null && (isPresigned || isVersion2))
        {
            return AuthOutcome.Refused(S3Errors.InvalidArgument with
            {
                Message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
            });
        }

        if (isVersion2 || (authorization?.StartsWith("AWS ", StringComparison.Ordinal) ?? false))
        {
            return AuthOutcome.Refused(S3Errors.SignatureVersionNotSupported);
        }

        return isPresigned ? CheckPresigned(request, target) : CheckHeader(request, target, authorization!);
    }

    private AuthOutcome CheckHeader(HttpRequest request, RequestTarget target, string authorization)
    {
        int space = authorization.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !authorization.AsSpan(0, space).SequenceEqual(Algorithm))
        {
            return AuthOutcome.Refused(authorization.StartsWith("AWS4-", StringComparison.Ordinal)
                ? S3Errors.SignatureVersionNotSupported
                : S3Errors.InvalidArgument with { Message = "Unsupported Authorization Type: use AWS4-HMAC-SHA256." });
        }

        var claim = default(SignatureClaim);
        if (!claim.TryReadAuthorization(authorization.AsSpan(space + 1)) || !claim.TryCutCredential())
        {
            return AuthOutcome.Refused(S3Errors.AuthorizationHeaderMalformed);
        }

        if (CheckScope(in claim) is { } scopeError)
        {
            return AuthOutcome.Refused(scopeError);
        }

        // The date comes as x-amz-date, or as the usual Date header where a client cannot set the other.
        string? timestamp = request.Headers["x-amz-date"];
        if (timestamp is null && DateTimeOffset.TryParseExact(request.Headers.Date, "r", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTimeOffset date))
        {
            timestamp = date.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        }

        claim.Timestamp = timestamp;
        if (!claim.TryReadTime(out DateTimeOffset signedAt))
        {
            return AuthOutcome.Refused(S3Errors.AccessDenied with { Message = "AWS authentication requires a valid Date or x-amz-date header" });
        }

        if (!claim.Timestamp[..8].SequenceEqual(claim.Date))
        {
            return AuthOutcome.Refused(S3Errors.AuthorizationHeaderMalformed with { Message = "The authorization header is malformed; Invalid credential date: it is not the date of x-amz-date." });
        }

        DateTimeOffset now = _time.GetUtcNow();
        if ((now - signedAt).Duration() > _options.MaxClockSkew)
        {
            return AuthOutcome.Refused(S3Errors.RequestTimeTooSkewed
                .With("RequestTime", timestamp!)
                .With("ServerTime", now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture))
                .With("MaxAllowedSkewMilliseconds", ((long)_options.MaxClockSkew.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)));
        }

        string? payloadHash = request.Headers["x-amz-content-sha256"];
        if (payloadHash is null && S3Request.HasBody(request))
        {
            return AuthOutcome.Refused(S3Errors.InvalidRequest with { Message = "Missing required header for this request: x-amz-content-sha256" });
        }

        payloadHash ??= EmptyHash;
        if (!IsPayloadHash(payloadHash))
        {
            return AuthOutcome.Refused(S3Errors.InvalidArgument with { Message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value." });
        }

        claim.PayloadHash = payloadHash;
        return CheckSignature(request, target, in claim, payloadHash);
    }

    private AuthOutcome CheckPresigned(HttpRequest request, RequestTarget target)
    {
        QueryParameters query = target.Query;
        string? algorithm = query.Get("X-Amz-Algorithm");
        string? expires = query.Get("X-Amz-Expires");
        string? signature = query.Get("X-Amz-Signature");
        var claim = new SignatureClaim
        {
            IsPresigned = true,
            Credential = query.Get("X-Amz-Credential"),
            SignedHeaders = query.Get("X-Amz-SignedHeaders"),
            Timestamp = query.Get("X-Amz-Date"),
            Signature = signature,
        };
        if (algorithm is null || expires is null || signature is null || claim.Credential.IsEmpty || claim.SignedHeaders.IsEmpty || claim.Timestamp.IsEmpty)
        {
            return AuthOutcome.Refused(S3Errors.AuthorizationQueryParametersError);
        }

        if (!string.Equals(algorithm, Algorithm, StringComparison.Ordinal))
        {
            return RefusedQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
        }

        if (!claim.TryCutCredential())
        {
            return RefusedQuery("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
        }

        if (CheckScope(in claim) is { } scopeError)
        {
            return AuthOutcome.Refused(scopeError);
        }

        if (!claim.TryReadTime(out DateTimeOffset signedAt) || !claim.Timestamp[..8].SequenceEqual(claim.Date))
        {
            return RefusedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\" and of the credential's date");
        }

        if (!int.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) || seconds is < 1 or > MaxPresignSeconds)
        {
            return RefusedQuery("X-Amz-Expires must be a number of seconds from 1 to 604800 (a week)");
        }

        // Clock before signature: an expired link says so, whoever asks.
        DateTimeOffset now = _time.GetUtcNow();
        if (signedAt - now > _options.MaxClockSkew)
        {
            return AuthOutcome.Refused(S3Errors.NotYetValid);
        }

        if (now > signedAt.AddSeconds(seconds))
        {
            return AuthOutcome.Refused(S3Errors.RequestExpired
                .With("X-Amz-Expires", expires)
                .With("Expires", signedAt.AddSeconds(seconds).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture))
                .With("ServerTime", now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)));
        }

        string payloadHash = (string?)request.Headers["x-amz-content-sha256"] ?? query.Get("X-Amz-Content-Sha256") ?? UnsignedPayload;
        if (!IsPayloadHash(payloadHash))
        {
            return RefusedQuery("X-Amz-Content-Sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value.");
        }

        claim.PayloadHash = payloadHash;
        return CheckSignature(request, target, in claim, payloadHash);

        static AuthOutcome RefusedQuery(string message)
            => AuthOutcome.Refused(S3Errors.AuthorizationQueryParametersError with { Message = message });
    }

    /// <summary>Checks what the scope names besides the date.</summary>
    private S3Error? CheckScope(in SignatureClaim claim)
    {
        S3Error kind = claim.IsPresigned ? S3Errors.AuthorizationQueryParametersError : S3Errors.AuthorizationHeaderMalformed;
        string lead = claim.IsPresigned ? "Error parsing the X-Amz-Credential parameter" : "The authorization header is malformed";
        if (!claim.Terminator.SequenceEqual("aws4_request"))
        {
            return kind with { Message = $"{lead}; incorrect terminal \"{claim.Terminator}\". This endpoint uses \"aws4_request\"." };
        }

        if (!claim.Service.SequenceEqual("s3"))
        {
            return kind with { Message = $"{lead}; incorrect service \"{claim.Service}\". This endpoint belongs to \"s3\"." };
        }

        if (_options.Region is { } region && !claim.Region.SequenceEqual(region))
        {
            return (kind with { Message = $"{lead}; the region '{claim.Region}' is wrong; expecting '{region}'" }).With("Region", region);
        }

        return null;
    }

    private AuthOutcome CheckSignature(HttpRequest request, RequestTarget target, in SignatureClaim claim, string payloadHash)
    {
        if (!_keys.TryGetValue(claim.AccessKeyId, out KeyHolder? holder))
        {
            return AuthOutcome.Refused(S3Errors.InvalidAccessKeyId.With("AWSAccessKeyId", claim.AccessKeyId.ToString()));
        }

        if (!SignedHeaderNames.AreComplete(request.Headers, claim.SignedHeaders, out string? missing))
        {
            return AuthOutcome.Refused(S3Errors.HeadersNotSigned.With("HeadersNotSigned", missing));
        }

        var canonical = new ByteBuilder(stackalloc byte[2048]);
        var toSign = new ByteBuilder(stackalloc byte[256]);
        try
        {
            if (!CanonicalRequest.TryAppend(ref canonical, request, target, in claim))
            {
                return AuthOutcome.Refused(S3Errors.InvalidUri);
            }

            AppendStringToSign(ref toSign, canonical.Written, in claim);
            if (Matches(holder.Key, toSign.Written, in claim))
            {
                return new AuthOutcome(holder.Identity, null, IsHash(payloadHash) ? payloadHash : null);
            }

            // Both texts hold only what the client sent; they are what a person needs to find the difference.
            return AuthOutcome.Refused(S3Errors.SignatureDoesNotMatch
                .With("AWSAccessKeyId", claim.AccessKeyId.ToString())
                .With("StringToSign", Encoding.UTF8.GetString(toSign.Written))
                .With("SignatureProvided", claim.Signature.ToString())
                .With("CanonicalRequest", Encoding.UTF8.GetString(canonical.Written)));
        }
        finally
        {
            canonical.Dispose();
            toSign.Dispose();
        }
    }

    private static void AppendStringToSign(ref ByteBuilder output, ReadOnlySpan<byte> canonical, in SignatureClaim claim)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(canonical, hash);
        output.Append("AWS4-HMAC-SHA256\n"u8);
        output.AppendAscii(claim.Timestamp);
        output.Append((byte)'\n');
        output.AppendUtf8(claim.Scope);
        output.Append((byte)'\n');
        output.AppendHex(hash);
    }

    private static bool Matches(AccessKey key, ReadOnlySpan<byte> toSign, in SignatureClaim claim)
    {
        Span<byte> signingKey = stackalloc byte[32];
        Span<byte> expected = stackalloc byte[32];
        Span<byte> provided = stackalloc byte[32];
        provided.Clear();
        bool isWellFormed = claim.Signature.Length == 64
            && Convert.FromHexString(claim.Signature, provided, out _, out _) == OperationStatus.Done;
        bool wasKept = key.GetSigningKey(claim.Date, claim.Region, signingKey);
        HMACSHA256.HashData(signingKey, toSign, expected);
        bool holds = CryptographicOperations.FixedTimeEquals(expected, provided) && isWellFormed;
        if (holds && !wasKept)
        {
            key.Keep(claim.Date, claim.Region, signingKey);
        }

        return holds;
    }

    private static bool IsPayloadHash(string value)
        => IsHash(value)
            || value is UnsignedPayload
                or "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" or "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" or "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

    private static bool IsHash(string value)
        => value.Length == 64 && !value.AsSpan().ContainsAnyExcept(LowerHex);

    private sealed record KeyHolder(AccessKey Key, Identity Identity);
}
