using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Xml;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>An answer that is not a success: status, and what the XML body says, if there is one.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">S3 error code, or null.</param>
/// <param name="Message">The store's sentence, cut at 200 characters, or null.</param>
/// <param name="Region">The bucket's region, if the store names it.</param>
/// <param name="Date">The store's clock, if sent.</param>
/// <param name="RetryAfter">How long the store asks to wait, or null.</param>
internal sealed record S3Failure(HttpStatusCode Status, string? Code, string? Message, string? Region, DateTimeOffset? Date, TimeSpan? RetryAfter)
{
    private const int MaxBodyBytes = 64 << 10;

    private const int MaxMessageLength = 200;

    /// <summary>Reads at most 64 KiB of the body; a body that breaks or is not XML only leaves the code out.</summary>
    public static async Task<S3Failure> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        string? code = null, message = null, region = null;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MaxBodyBytes);
        try
        {
            using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            int length = await body.ReadAtLeastAsync(buffer.AsMemory(0, MaxBodyBytes), MaxBodyBytes, throwOnEndOfStream: false, cancellationToken);
            (code, message, region) = ParseBody(buffer, length);
        }
        catch (Exception error) when (error is IOException or HttpRequestException or XmlException)
        {
            // The status alone still tells the kind.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (response.Headers.TryGetValues("x-amz-bucket-region", out IEnumerable<string>? values))
        {
            region = values.FirstOrDefault();
        }

        region = region is not null && UnderStoreUrl.IsRegion(region) ? region : null;
        return new S3Failure(response.StatusCode, code, message, region, response.Headers.Date, RetryAfterOf(response.Headers));
    }

    /// <summary>Translates into the error every edge understands. The one place where S3 codes and statuses get their meaning.</summary>
    /// <param name="what">What was asked, for people: operation, store and key.</param>
    public ForebayException ToException(string what)
    {
        string said = Code is null ? "" : Message is null ? $" {Code}" : $" {Code} ({Message})";
        return new ForebayException(Kind, string.Create(CultureInfo.InvariantCulture, $"{what}: the store answered {(int)Status}{said}")) { RetryAfter = RetryAfter };
    }

    private ErrorKind Kind => (Code, (int)Status) switch
    {
        ("SlowDown" or "Throttling" or "ThrottlingException" or "RequestLimitExceeded" or "TooManyRequests" or "QpsLimitExceeded", _) => ErrorKind.Throttled,
        ("RequestTimeout", _) => ErrorKind.Timeout,
        ("InternalError" or "ServiceUnavailable" or "OperationAborted", _) => RetryAfter is not null && (int)Status == 503 ? ErrorKind.Throttled : ErrorKind.Unavailable,
        ("ExpiredToken" or "InvalidToken" or "TokenRefreshRequired" or "AuthorizationHeaderMalformed" or "InvalidAccessKeyId" or "SignatureDoesNotMatch", _) => ErrorKind.AccessDenied,
        (_, 401 or 403) => ErrorKind.AccessDenied,
        (_, 404 or 410) => ErrorKind.NotFound,
        (_, 405 or 501) => ErrorKind.NotSupported,
        (_, 408) => ErrorKind.Timeout,
        (_, 412) => ErrorKind.StaleVersion,
        (_, 416) => ErrorKind.InvalidRange,
        (_, 429) => ErrorKind.Throttled,
        (_, 503) => RetryAfter is not null ? ErrorKind.Throttled : ErrorKind.Unavailable,
        (_, 400 or 414 or 431) => ErrorKind.InvalidArgument,
        _ => ErrorKind.Unavailable,
    };

    private static (string? Code, string? Message, string? Region) ParseBody(byte[] body, int length)
    {
        string? code = null, message = null, region = null;
        using XmlReader reader = S3Xml.OpenReader(new MemoryStream(body, 0, length, writable: false));
        while (!reader.EOF)
        {
            // ReadElementContentAsString leaves the reader on the next node, so only the other branch moves on.
            if (reader.NodeType == XmlNodeType.Element && reader.Depth == 1 && reader.LocalName is "Code" or "Message" or "Region")
            {
                string name = reader.LocalName;
                string value = Clean(reader.ReadElementContentAsString());
                switch (name)
                {
                    case "Code":
                        code = value;
                        break;
                    case "Message":
                        message = value;
                        break;
                    default:
                        region = value;
                        break;
                }

                continue;
            }

            if (!reader.Read())
            {
                break;
            }
        }

        return (code, message, region);
    }

    private static string Clean(string text)
        => string.Create(Math.Min(text.Length, MaxMessageLength), text, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) ? ' ' : source[i];
            }
        });

    private static TimeSpan? RetryAfterOf(HttpResponseHeaders headers)
    {
        TimeSpan? delta = headers.RetryAfter switch
        {
            { Delta: { } seconds } => seconds,
            { Date: { } date } when headers.Date is { } now => date - now,
            _ => null,
        };
        return delta is { } wait && wait < TimeSpan.Zero ? TimeSpan.Zero : delta;
    }
}
