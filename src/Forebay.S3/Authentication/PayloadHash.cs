using System.Buffers;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Authentication;

/// <summary>Checks a small body against the hash its signature covers.</summary>
internal static class PayloadHash
{
    /// <summary>Reads the body to its end and compares; the body is not kept.</summary>
    /// <param name="request">The request.</param>
    /// <param name="expected">64 lower-case hexadecimal digits.</param>
    /// <param name="maxBytes">Most bytes that are read.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null, or the error to answer.</returns>
    public static async ValueTask<S3Error?> VerifyAsync(HttpRequest request, string expected, int maxBytes, CancellationToken cancellationToken)
    {
        if (request.ContentLength > maxBytes)
        {
            return S3Errors.EntityTooLarge;
        }

        if (!S3Request.HasBody(request))
        {
            return null;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            long total = 0;
            int read;
            while ((read = await request.Body.ReadAsync(buffer, cancellationToken)) > 0)
            {
                total += read;
                if (total > maxBytes)
                {
                    return S3Errors.EntityTooLarge;
                }

                hash.AppendData(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        string actual = Convert.ToHexStringLower(hash.GetHashAndReset());
        return string.Equals(actual, expected, StringComparison.Ordinal)
            ? null
            : S3Errors.ContentSha256Mismatch.With("ClientComputedContentSHA256", expected).With("S3ComputedContentSHA256", actual);
    }
}
