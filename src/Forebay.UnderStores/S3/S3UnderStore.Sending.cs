using System.Globalization;
using System.Net;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

internal sealed partial class S3UnderStore
{
    private const string RequestIdHeader = "x-forebay-request-id";

    /// <summary>
    /// Sends and returns a success (200, 206), or throws what the answer means. At most one second try each, after the store told the
    /// bucket's region, the right time, or that the credentials have expired.
    /// </summary>
    private async Task<HttpResponseMessage> SendAsync(S3Request request, CancellationToken cancellationToken)
    {
        Correction tried = Correction.None;
        while (true)
        {
            S3Address address = _address;
            UnderStoreCredentials? credentials = await _credentials.GetAsync(cancellationToken);
            HttpResponseMessage response = await SendOnceAsync(Build(request, address, credentials), request, cancellationToken);
            if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent)
            {
                return response;
            }

            using (response)
            {
                S3Failure failure = await S3Failure.ReadAsync(response, cancellationToken);
                Correction correction = Correct(failure, address, credentials, tried);
                if (correction == Correction.None)
                {
                    throw failure.ToException(request.Describe(DisplayName));
                }

                tried |= correction;
            }
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage message, S3Request request, CancellationToken cancellationToken)
    {
        try
        {
            return await _http.SendAsync(message, cancellationToken);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ForebayException(ErrorKind.Timeout, $"{request.Describe(DisplayName)}: no connection within the connect timeout", error);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{request.Describe(DisplayName)}: {error.Message}", error);
        }
    }

    private HttpRequestMessage Build(S3Request request, S3Address address, UnderStoreCredentials? credentials)
    {
        string path = request.Key is null ? address.BucketPath : $"{address.PathPrefix}/{PercentEncoding.EncodePath(request.Key)}";
        string url = request.Query.Length == 0 ? address.BaseUrl + path : $"{address.BaseUrl}{path}?{request.Query}";
        HttpRequestMessage message = new(request.Method, new Uri(url, RawTarget)) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        if (request.Range is { } range)
        {
            message.Headers.TryAddWithoutValidation("Range", string.Create(CultureInfo.InvariantCulture, $"bytes={range.Offset}-{range.End - 1}"));
        }

        if (request.IfMatch is not null)
        {
            message.Headers.TryAddWithoutValidation("If-Match", request.IfMatch);
        }

        if (request.RequestId is not null)
        {
            message.Headers.TryAddWithoutValidation(RequestIdHeader, request.RequestId);
        }

        if (credentials is not null)
        {
            Sign(message, request, address, path, credentials);
        }

        return message;
    }

    private void Sign(HttpRequestMessage message, S3Request request, S3Address address, string path, UnderStoreCredentials credentials)
    {
        DateTimeOffset now = _timeProvider.GetUtcNow().AddTicks(Volatile.Read(ref _clockOffsetTicks));
        string timestamp = now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        SignedHeaders headers = default;
        headers[0] = new SignedHeader("host", address.Host);
        headers[1] = new SignedHeader("x-amz-content-sha256", SigV4Signer.EmptyPayloadHash);
        headers[2] = new SignedHeader("x-amz-date", timestamp);
        headers[3] = new SignedHeader("x-amz-security-token", credentials.SessionToken ?? "");
        int count = credentials.SessionToken is null ? 3 : 4;
        string authorization = _signer.Authorize(request.Method.Method, path, request.Query, headers[..count], address.Region, credentials, timestamp);
        for (int i = 1; i < count; i++)
        {
            message.Headers.TryAddWithoutValidation(headers[i].Name, headers[i].Value);
        }

        message.Headers.TryAddWithoutValidation("Authorization", authorization);
    }

    private Correction Correct(S3Failure failure, S3Address used, UnderStoreCredentials? credentials, Correction tried)
    {
        bool wrongRegion = failure.Region is not null && !string.Equals(failure.Region, used.Region, StringComparison.Ordinal)
            && failure.Status is HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect or HttpStatusCode.BadRequest or HttpStatusCode.Forbidden;
        if (wrongRegion && !tried.HasFlag(Correction.Region))
        {
            _address = used.WithRegion(failure.Region!);
            return Correction.Region;
        }

        if (!tried.HasFlag(Correction.Clock) && IsClockWrong(failure, out TimeSpan offset))
        {
            Volatile.Write(ref _clockOffsetTicks, offset.Ticks);
            return Correction.Clock;
        }

        return !tried.HasFlag(Correction.Credentials) && credentials is not null && IsExpired(failure, credentials) && _credentials.TryInvalidate(credentials)
            ? Correction.Credentials
            : Correction.None;
    }

    /// <summary>An answer to HEAD has no body and so no code: with temporary credentials a refusal may mean that they have expired.</summary>
    private static bool IsExpired(S3Failure failure, UnderStoreCredentials credentials)
        => failure.Code is "ExpiredToken" or "TokenRefreshRequired"
            || (failure.Code is null && credentials.SessionToken is not null && failure.Status is (HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden));

    private bool IsClockWrong(S3Failure failure, out TimeSpan offset)
    {
        offset = default;
        if (failure.Status != HttpStatusCode.Forbidden || failure.Code is not (null or "RequestTimeTooSkewed") || failure.Date is not { } date)
        {
            return false;
        }

        offset = date - _timeProvider.GetUtcNow();
        TimeSpan change = offset - TimeSpan.FromTicks(Volatile.Read(ref _clockOffsetTicks));
        return failure.Code is not null || change.Duration() > SuspiciousSkew;
    }

    [Flags]
    private enum Correction
    {
        None = 0,
        Region = 1,
        Clock = 2,
        Credentials = 4,
    }

    /// <summary>Room for the headers of one signature, on the stack.</summary>
    [System.Runtime.CompilerServices.InlineArray(4)]
    private struct SignedHeaders
    {
        private SignedHeader _first;
    }
}
