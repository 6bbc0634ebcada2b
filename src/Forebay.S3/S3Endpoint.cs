using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.Engine;
using Forebay.S3.Addressing;
using Forebay.S3.Authentication;
using Forebay.S3.Operations;
using Forebay.S3.Sending;
using Forebay.S3.Xml;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.S3;

/// <summary>
/// Answers S3 requests over a namespace: <see cref="HandleAsync"/> is a complete request delegate, without routing or middleware before it.
/// Thread-safe.
/// </summary>
/// <remarks>
/// Each request goes through the same steps: (1) an id, (2) its turn, (3) the raw target, (4) the operation's row in the table,
/// (5) the signature, (6) the bucket, (7) the operation; an error of any step ends in one place, <see cref="AnswerErrorAsync"/>.
/// </remarks>
public sealed class S3Endpoint
{
    private readonly S3Options _options;
    private readonly SigV4Authenticator _authenticator;
    private readonly VirtualHost _virtualHost;
    private readonly IConcurrencyGate? _concurrency;
    private readonly ILogger _logger;
    private readonly S3Failures _failures;
    private readonly string _hostId;

    /// <summary>Creates the endpoint.</summary>
    /// <param name="options">Valid options.</param>
    /// <param name="buckets">Buckets by name.</param>
    /// <param name="egress">Paces bodies; null for unlimited.</param>
    /// <param name="concurrency">Bounds requests worked on; null for unlimited.</param>
    /// <param name="time">Clock of signatures; null for the system's.</param>
    /// <param name="logger">Null for none.</param>
    public S3Endpoint(
        S3Options options,
        INamespace buckets,
        IEgressGate? egress = null,
        IConcurrencyGate? concurrency = null,
        TimeProvider? time = null,
        ILogger<S3Endpoint>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(buckets);
        _options = options;
        Namespace = buckets;
        Egress = egress;
        _concurrency = concurrency;
        _authenticator = new SigV4Authenticator(options, time ?? TimeProvider.System);
        Refreshes = new RefreshRate(time ?? TimeProvider.System);
        _virtualHost = new VirtualHost(options.VirtualHostDomains);
        _logger = (ILogger?)logger ?? NullLogger.Instance;
        _failures = new S3Failures(_logger, time ?? TimeProvider.System);
        _hostId = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
    }

    /// <summary>Figures of this endpoint.</summary>
    public S3Counters Counters { get; } = new();

    internal INamespace Namespace { get; }

    internal IEgressGate? Egress { get; }

    internal RefreshRate Refreshes { get; }

    internal string? Region => _options.Region;

    /// <summary>Answers one request; never throws.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        long started = Stopwatch.GetTimestamp();
        string requestId = RequestIds.Next();
        Operation operation = OperationTable.Unknown;
        RequestTarget? target = null;
        bool entered = false;
        Counters.RequestStarted();
        try
        {
            SetIdHeaders(context.Response, requestId);
            entered = _concurrency is null || await _concurrency.TryEnterAsync(context.RequestAborted);
            S3Error? error = entered ? Resolve(context, out target, out operation) : S3Errors.SlowDown;
            if (!operation.MayRunInline)
            {
                await LoopThread.LeaveAsync();
            }

            error ??= await ProcessAsync(context, target!, operation, requestId);
            if (error is not null)
            {
                await AnswerErrorAsync(context, error, target, requestId);
            }
        }
        catch (Exception exception)
        {
            await HandleFailureAsync(context, exception, target, requestId);
        }
        finally
        {
            if (entered)
            {
                _concurrency?.Exit();
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
            Counters.RequestEnded(operation.Kind, context.Response.StatusCode, elapsed);
            if (_options.AccessLog)
            {
                S3Log.Access(_logger, requestId, context.Request.Method, target?.RawPath ?? "-", context.Response.StatusCode, elapsed.TotalMilliseconds);
            }
        }
    }

    internal void ResetResponse(HttpContext context, string requestId)
    {
        // The status too: the new version may be sent whole where a range of the old one held.
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.Headers.Clear();
        SetIdHeaders(context.Response, requestId);
    }

    private void SetIdHeaders(HttpResponse response, string requestId)
    {
        response.Headers["x-amz-request-id"] = requestId;
        response.Headers["x-amz-id-2"] = _hostId;
    }

    private S3Error? Resolve(HttpContext context, out RequestTarget? target, out Operation operation)
    {
        operation = OperationTable.Unknown;
        string rawTarget = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        string? bucket = _virtualHost.FindBucket(context.Request.Headers.Host.ToString());
        S3Error? error = RequestTarget.TryParse(rawTarget, bucket, out target);
        if (error is null)
        {
            operation = OperationTable.Find(context.Request.Method, target!);
        }

        return error;
    }

    private async ValueTask<S3Error?> ProcessAsync(HttpContext context, RequestTarget target, Operation operation, string requestId)
    {
        AuthOutcome outcome = operation.NeedsIdentity ? _authenticator.Authenticate(context.Request, target) : new AuthOutcome(Identity.Anonymous, null, null);
        if (outcome.Error is not null)
        {
            Counters.AuthenticationFailed(outcome.Error.Code);
            return outcome.Error;
        }

        Identity identity = outcome.Identity!;
        IMountPoint? mountPoint = null;
        if (target.Bucket.Length > 0 && operation.NeedsIdentity)
        {
            // Rights before existence, so that a key learns nothing of buckets it may not see.
            if (!identity.MaySee(target.Bucket))
            {
                return S3Errors.AccessDenied;
            }

            mountPoint = Namespace.Find(target.Bucket);
            if (mountPoint is null && operation.NeedsBucket)
            {
                return S3Errors.NoSuchBucket.With("BucketName", target.Bucket);
            }
        }

        if (outcome.PayloadHash is not null && operation.ReadsBody
            && await PayloadHash.VerifyAsync(context.Request, outcome.PayloadHash, _options.MaxBodyBytes, context.RequestAborted) is { } bodyError)
        {
            return bodyError;
        }

        var request = new S3Request(context, this, target, identity, requestId) { MountPoint = mountPoint };
        return await operation.ExecuteAsync(request, context.RequestAborted);
    }

    /// <summary>Translates what an operation threw: before the first byte an error document, after it the end of the connection.</summary>
    private async ValueTask HandleFailureAsync(HttpContext context, Exception exception, RequestTarget? target, string requestId)
    {
        if (IsClientGone(context, exception))
        {
            S3Log.ClientGone(_logger, requestId);
            context.Abort();
            return;
        }

        S3Error error = Translate(exception, target) ?? S3Errors.ServiceUnavailable;
        _failures.Report(requestId, context.Request.Method, target, error, exception);
        if (context.Response.HasStarted)
        {
            Counters.BodyAborted();
            context.Abort();
            return;
        }

        try
        {
            await AnswerErrorAsync(context, error, target, requestId);
        }
        catch (Exception answerFailed) when (IsClientGone(context, answerFailed))
        {
            S3Log.ClientGone(_logger, requestId);
            context.Abort();
        }
        catch (Exception answerFailed)
        {
            _failures.Report(requestId, context.Request.Method, target, S3Errors.InternalError, answerFailed);
            context.Abort();
        }
    }

    /// <summary>A cancellation alone says nothing of the client: time-outs inside the node end in one too.</summary>
    private static bool IsClientGone(HttpContext context, Exception exception)
        => context.RequestAborted.IsCancellationRequested || exception is ConnectionResetException or ForebayException { Kind: ErrorKind.Canceled };

    private static S3Error? Translate(Exception exception, RequestTarget? target)
    {
        switch (exception)
        {
            case ForebayException { Kind: ErrorKind.NotFound } when target is { Key: "" }:
                return S3Errors.NoSuchBucket;
            case ForebayException forebay:
                return S3ErrorMap.From(forebay);
            case OperationCanceledException:
                return S3Errors.ServiceUnavailable;
            case BadHttpRequestException bad:
                return new S3Error(bad.StatusCode == 408 ? "RequestTimeout" : "InvalidRequest", bad.StatusCode, "The request could not be read.");
            default:
                return S3Errors.InternalError;
        }
    }

    private async ValueTask AnswerErrorAsync(HttpContext context, S3Error error, RequestTarget? target, string requestId)
    {
        HttpResponse response = context.Response;
        bool keepHeaders = error.Status is 304 or 416;
        string? eTag = keepHeaders ? response.Headers.ETag : default;
        string? lastModified = keepHeaders ? response.Headers.LastModified : default;
        string? contentRange = keepHeaders ? response.Headers.ContentRange : default;
        ResetResponse(context, requestId);
        response.StatusCode = error.Status;
        response.Headers.ETag = eTag;
        response.Headers.LastModified = lastModified;
        response.Headers.ContentRange = contentRange;
        if (error.RetryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        if (error.Status == 405)
        {
            response.Headers.Allow = "GET, HEAD, POST";
        }

        CloseBeforeUnreadBody(context);
        if (error.Status == 304 || HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        response.ContentType = "application/xml";
        var body = new ArrayBufferWriter<byte>(1024);
        ErrorDocument.Write(body, error, target, requestId, _hostId);
        response.ContentLength = body.WrittenCount;
        await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>
    /// A refused upload is not read to its end to save a connection. A client that asked with Expect and is refused may keep its body back:
    /// the head of its next request would be taken for that body.
    /// </summary>
    private void CloseBeforeUnreadBody(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (request.Headers.Expect.Count > 0 || request.ContentLength > _options.MaxBodyBytes || (request.ContentLength is null && S3Request.HasBody(request)))
        {
            context.Response.Headers.Connection = "close";
        }
    }
}
