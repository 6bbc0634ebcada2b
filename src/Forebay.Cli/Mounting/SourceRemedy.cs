using Forebay.Cli.Configuration;
using Forebay.Core;

namespace Forebay.Cli.Mounting;

/// <summary>What to do about a source that cannot be mounted: the error says what happened, this adds the next step.</summary>
internal static class SourceRemedy
{
    /// <summary>The same error with the remedy behind its sentence.</summary>
    /// <param name="error">From the first question to the source.</param>
    /// <param name="source">What is mounted.</param>
    /// <param name="access">How it is reached.</param>
    public static ForebayException Explain(ForebayException error, SourceUrl source, SourceAccess access)
    {
        string? remedy = source.Scheme is "file" ? null : Of(error, source, access);
        return remedy is null ? error : new ForebayException(error.Kind, $"{error.Message.TrimEnd('.', ' ')}. {remedy}", error);
    }

    /// <summary>What an empty prefix may mean; null for a source that is a whole bucket or directory.</summary>
    public static string? OfEmpty(SourceUrl source)
        => source.Prefix.Length == 0 ? null : $"Nothing lies below {source}: it is mounted as an empty directory. Check the prefix, which counts upper and lower case, unless it is still to be filled.";

    private static string? Of(ForebayException error, SourceUrl source, SourceAccess access) => error.Kind switch
    {
        ErrorKind.AccessDenied => OfRefusal(error.Message, source),
        ErrorKind.NotFound => $"Check the bucket's name ({source.Root}) and the service it is asked of ({Address(access)}; -o url=… names another): a mount makes no buckets.",
        ErrorKind.Throttled => "The source limits requests: try again later, or ask for a higher limit.",
        ErrorKind.Timeout or ErrorKind.Unavailable => OfSilence(error, access),
        _ => null,
    };

    private static string OfRefusal(string said, SourceUrl source)
    {
        if (said.Contains("gives no credentials", StringComparison.Ordinal))
        {
            return "For a mount: -o passwd_file=FILE or -o profile=NAME, or -o public_bucket for a bucket that needs none.";
        }

        if (said.Contains("InvalidAccessKeyId", StringComparison.Ordinal))
        {
            return "The service does not know this access key id: check AWS_ACCESS_KEY_ID, the profile, or the first half of the line in passwd_file, and that url= names the service it belongs to.";
        }

        if (said.Contains("SignatureDoesNotMatch", StringComparison.Ordinal))
        {
            return "The secret does not belong to the access key id: check AWS_SECRET_ACCESS_KEY, the profile, or the second half of the line in passwd_file, for lost or added characters.";
        }

        return said.Contains("Expired", StringComparison.Ordinal) || said.Contains("InvalidToken", StringComparison.Ordinal)
            ? "The session has ended: get new temporary credentials and mount again."
            : $"These credentials may not list {source}: give them the rights to list and to read it, use others (AWS_ACCESS_KEY_ID, -o profile=, -o passwd_file=), or -o public_bucket for a bucket that needs none.";
    }

    private static string OfSilence(ForebayException error, SourceAccess access)
    {
        string address = Address(access);
        for (Exception? cause = error; cause is not null; cause = cause.InnerException)
        {
            switch ((cause as HttpRequestException)?.HttpRequestError)
            {
                case HttpRequestError.NameResolutionError:
                    return $"The name does not resolve: check the address ({address}; -o url=… names another) and this machine's DNS; where buckets have no host names of their own, -o use_path_request_style.";
                case HttpRequestError.SecureConnectionError:
                    return $"TLS failed: check http:// or https:// of the address ({address}), and the certificates that this machine trusts.";
                default:
                    break;
            }
        }

        return error.Message.Contains("the store answered", StringComparison.Ordinal)
            ? $"The service at {address} answers but fails: try again later, or look at its log."
            : $"Nothing usable answers there: check the address ({address}; -o url=… names another), that the service runs, and the network between; 'curl -v {address}' from this machine shows more.";
    }

    private static string Address(SourceAccess access) => access.Endpoint ?? "that of the source's scheme and region";
}
