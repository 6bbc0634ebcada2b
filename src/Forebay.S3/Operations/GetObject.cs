using System.Globalization;
using Forebay.Core;
using Forebay.Engine;
using Forebay.S3.Sending;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Operations;

/// <summary>GET and HEAD of an object.</summary>
/// <remarks>
/// The steps of a GET: (1) check rights and parameters, (2) open the current version, (3) check conditions, (4) find the range,
/// (5) set the headers, (6) send. Headers leave with the first byte, so when the version turns out to be stale before that, steps 2 to 6
/// are done again on the new one.
/// </remarks>
internal sealed class GetObject(S3OperationKind kind) : Operation(kind)
{
    /// <summary>Times a GET begins anew because the object was overwritten under it.</summary>
    private const int MaxReopens = 3;

    /// <summary>What is cached is found and sent without a wait; the engine and the senders change threads for the rest.</summary>
    public override bool MayRunInline => true;

    public override async ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        // Step 1: rights and parameters.
        if (!request.Identity.MayRead(request.Target.Bucket, request.Key))
        {
            return S3Errors.AccessDenied;
        }

        if (request.Query.Count > 0 && (ResponseOverrides.Check(request) ?? CheckPartNumber(request)) is { } refused)
        {
            return refused;
        }

        IHeaderDictionary headers = request.Http.Request.Headers;
        RangeHeader range = RangeHeader.Parse(headers.Range);
        if (request.IsHead)
        {
            ObjectStat stat = await request.MountPoint!.StatAsync(request.Key, request.RequestId, cancellationToken);
            return Prepare(request, stat, range, out _);
        }

        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await OpenAndSendAsync(request, range, cancellationToken);
            }
            catch (ForebayException stale) when (stale.Kind == ErrorKind.StaleVersion && !request.Http.Response.HasStarted)
            {
                if (Conditions.BindsVersion(headers))
                {
                    return S3Errors.PreconditionFailed.With("Condition", "If-Match");
                }

                if (attempt == MaxReopens)
                {
                    return S3Errors.ServiceUnavailable with { Message = "The object is being overwritten again and again. Please try again." };
                }

                request.ResetResponse();
            }
        }
    }

    private static async ValueTask<S3Error?> OpenAndSendAsync(S3Request request, RangeHeader range, CancellationToken cancellationToken)
    {
        // Step 2: open the current version.
        using IObjectReader reader = await OpenAsync(request, range, cancellationToken);

        // Steps 3 to 5.
        S3Error? error = Prepare(request, reader.Stat, range, out ByteRange bytes);
        if (error is null && !bytes.IsEmpty)
        {
            // Step 6: send.
            await ObjectBody.SendAsync(request, reader, bytes, cancellationToken);
        }

        return error;
    }

    private static async ValueTask<IObjectReader> OpenAsync(S3Request request, RangeHeader range, CancellationToken cancellationToken)
    {
        // A read that may end in 304 asks for the stat only; any other begins with its bytes.
        ByteRange? wanted = Conditions.MayBeNotModified(request.Http.Request.Headers) ? null : range.Wanted;
        try
        {
            return await request.MountPoint!.OpenAsync(request.Key, wanted, request.RequestId, cancellationToken);
        }
        catch (ForebayException beyond) when (beyond.Kind == ErrorKind.InvalidRange && wanted is not null)
        {
            // The range lies past the end; open for the length that the 416 must tell.
            return await request.MountPoint!.OpenAsync(request.Key, wanted: null, request.RequestId, cancellationToken);
        }
    }

    /// <summary>Checks a version against the request and sets status and headers for it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="stat">The version, with headers.</param>
    /// <param name="range">Range the client asked for.</param>
    /// <param name="bytes">Bytes to send.</param>
    /// <returns>Null, or the error to answer.</returns>
    private static S3Error? Prepare(S3Request request, ObjectStat stat, RangeHeader range, out ByteRange bytes)
    {
        bytes = new ByteRange(0, stat.Length);
        HttpResponse response = request.Http.Response;
        IHeaderDictionary headers = request.Http.Request.Headers;
        if (request.Query.Get("versionId") is { } version && version is not "null" && !string.Equals(version, stat.Headers?.VersionId, StringComparison.Ordinal))
        {
            return S3Errors.NoSuchVersion.With("VersionId", version);
        }

        // Step 3: conditions. A 304 tells the validators.
        if (Conditions.Check(headers, stat) is { } failed)
        {
            ObjectHeaderLines.Apply(response.Headers, stat);
            return failed;
        }

        // Step 4: the range.
        bool isPartial = false;
        if (range.IsPresent && Conditions.RangeHolds(headers, stat))
        {
            if (!range.TryResolve(stat.Length, out bytes))
            {
                response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{stat.Length}");
                return S3Errors.InvalidRange
                    .With("RangeRequested", headers.Range.ToString())
                    .With("ActualObjectSize", stat.Length.ToString(CultureInfo.InvariantCulture));
            }

            isPartial = true;
        }

        if (request.Query.Contains("partNumber"))
        {
            if (PartCount(stat.ETag) > 1)
            {
                return S3Errors.NotImplemented with { Message = "Reading single parts of a multipart object is not implemented by this endpoint. Use a range." };
            }

            isPartial = stat.Length > 0;
        }

        // Step 5: headers.
        ObjectHeaderLines.Apply(response.Headers, stat);
        ResponseOverrides.Apply(request.Query, response.Headers);
        response.ContentLength = bytes.Length;
        if (isPartial)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes {bytes.Offset}-{bytes.End - 1}/{stat.Length}");
        }

        return null;
    }

    /// <summary>An object uploaded in one piece is its own part 1; SDKs ask for it to learn the number of parts.</summary>
    private static S3Error? CheckPartNumber(S3Request request)
    {
        if (request.Query.Get("partNumber") is not { } text)
        {
            return null;
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 1 or > 10_000)
        {
            return (S3Errors.InvalidArgument with { Message = "Part number must be an integer between 1 and 10000, inclusive" }).With("ArgumentName", "partNumber");
        }

        if (request.Http.Request.Headers.Range.Count > 0)
        {
            return S3Errors.InvalidRequest with { Message = "Cannot specify both Range header and partNumber query parameter." };
        }

        return number == 1 ? null : new S3Error("InvalidPartNumber", 416, "The requested partnumber is not satisfiable");
    }

    /// <summary>The number behind the dash of a multipart ETag, <c>"md5-N"</c>; 1 for any other.</summary>
    private static int PartCount(string eTag)
    {
        ReadOnlySpan<char> tag = eTag.AsSpan().Trim('"');
        return tag.Length > 33 && tag[32] == '-' && int.TryParse(tag[33..], NumberStyles.None, CultureInfo.InvariantCulture, out int parts) ? parts : 1;
    }
}
