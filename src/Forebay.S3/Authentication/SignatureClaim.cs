using System.Globalization;

namespace Forebay.S3.Authentication;

/// <summary>The parts of a Signature Version 4 as the client sent them, in a header or in the query.</summary>
internal ref struct SignatureClaim
{
    /// <summary>The whole credential: <c>ID/yyyyMMdd/region/service/aws4_request</c>.</summary>
    public ReadOnlySpan<char> Credential;

    public ReadOnlySpan<char> AccessKeyId;

    public ReadOnlySpan<char> Date;

    public ReadOnlySpan<char> Region;

    public ReadOnlySpan<char> Service;

    public ReadOnlySpan<char> Terminator;

    /// <summary>Lower-case names separated by <c>;</c>, in the order they were signed.</summary>
    public ReadOnlySpan<char> SignedHeaders;

    /// <summary>64 hexadecimal digits, not checked yet.</summary>
    public ReadOnlySpan<char> Signature;

    /// <summary><c>yyyyMMddTHHmmssZ</c>.</summary>
    public ReadOnlySpan<char> Timestamp;

    /// <summary>Value that the canonical request ends with.</summary>
    public ReadOnlySpan<char> PayloadHash;

    /// <summary>True when the signature is in the query.</summary>
    public bool IsPresigned;

    /// <summary>Scope without the access key id.</summary>
    public readonly ReadOnlySpan<char> Scope => Credential[(AccessKeyId.Length + 1)..];

    /// <summary>Cuts the credential; an id may hold <c>/</c>, so it is read from the right.</summary>
    public bool TryCutCredential()
    {
        ReadOnlySpan<char> rest = Credential;
        return TryCutLast(ref rest, out Terminator)
            && TryCutLast(ref rest, out Service)
            && TryCutLast(ref rest, out Region)
            && TryCutLast(ref rest, out Date)
            && Finish(rest);
    }

    /// <summary>Reads <c>AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…</c>.</summary>
    public bool TryReadAuthorization(ReadOnlySpan<char> value)
    {
        while (!value.IsEmpty)
        {
            int comma = value.IndexOf(',');
            ReadOnlySpan<char> part = (comma < 0 ? value : value[..comma]).Trim(' ');
            value = comma < 0 ? default : value[(comma + 1)..];
            int equals = part.IndexOf('=');
            if (equals < 0)
            {
                return false;
            }

            ReadOnlySpan<char> text = part[(equals + 1)..];
            switch (part[..equals])
            {
                case "Credential":
                    Credential = text;
                    break;
                case "SignedHeaders":
                    SignedHeaders = text;
                    break;
                case "Signature":
                    Signature = text;
                    break;
                default:
                    return false;
            }
        }

        return !Credential.IsEmpty && !SignedHeaders.IsEmpty && !Signature.IsEmpty;
    }

    /// <summary>Reads <see cref="Timestamp"/>.</summary>
    public readonly bool TryReadTime(out DateTimeOffset time)
    {
        if (Timestamp.Length == 16
            && DateTime.TryParseExact(Timestamp, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime parsed))
        {
            time = new DateTimeOffset(parsed, TimeSpan.Zero);
            return true;
        }

        time = default;
        return false;
    }

    private bool Finish(ReadOnlySpan<char> rest)
    {
        AccessKeyId = rest;
        return !rest.IsEmpty && Date.Length == 8 && Region.Length is > 0 and <= 64;
    }

    private static bool TryCutLast(scoped ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> part)
    {
        int slash = rest.LastIndexOf('/');
        if (slash < 0)
        {
            part = default;
            return false;
        }

        part = rest[(slash + 1)..];
        rest = rest[..slash];
        return true;
    }
}
