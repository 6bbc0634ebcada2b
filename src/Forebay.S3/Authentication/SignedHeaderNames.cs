using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Authentication;

/// <summary>Checks that a signature covers what it must: the host and every <c>x-amz-*</c> header that is there.</summary>
internal static class SignedHeaderNames
{
    /// <summary>Most names a signature may list.</summary>
    private const int MaxNames = 64;

    /// <returns>False with the name of a header that should have been signed.</returns>
    public static bool AreComplete(IHeaderDictionary headers, ReadOnlySpan<char> signedHeaders, [NotNullWhen(false)] out string? missing)
    {
        missing = null;
        if (signedHeaders.Count(';') >= MaxNames)
        {
            missing = "more than 64 signed headers";
            return false;
        }

        if (!Contains(signedHeaders, "host"))
        {
            missing = "host";
            return false;
        }

        foreach (KeyValuePair<string, Microsoft.Extensions.Primitives.StringValues> header in headers)
        {
            if (header.Key.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase) && !Contains(signedHeaders, header.Key))
            {
                missing = header.Key.ToLowerInvariant();
                return false;
            }
        }

        return true;
    }

    private static bool Contains(ReadOnlySpan<char> signedHeaders, ReadOnlySpan<char> name)
    {
        while (!signedHeaders.IsEmpty)
        {
            int semicolon = signedHeaders.IndexOf(';');
            ReadOnlySpan<char> candidate = semicolon < 0 ? signedHeaders : signedHeaders[..semicolon];
            if (candidate.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }

            signedHeaders = semicolon < 0 ? default : signedHeaders[(semicolon + 1)..];
        }

        return false;
    }
}
