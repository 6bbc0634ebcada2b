using Forebay.Engine;
using Forebay.S3.Addressing;
using Forebay.S3.Authentication;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3;

/// <summary>One authenticated request on its way through an operation.</summary>
internal sealed class S3Request
{
    public S3Request(HttpContext http, S3Endpoint endpoint, RequestTarget target, Identity identity, string requestId)
    {
        Http = http;
        Endpoint = endpoint;
        Target = target;
        Identity = identity;
        RequestId = requestId;
    }

    public HttpContext Http { get; }

    public S3Endpoint Endpoint { get; }

    public RequestTarget Target { get; }

    public Identity Identity { get; }

    /// <summary>16 upper-case hexadecimal digits; goes to the client, the log and the under-store.</summary>
    public string RequestId { get; }

    /// <summary>The addressed bucket; null for the service and for buckets that do not exist (operations that need one never see null).</summary>
    public IMountPoint? MountPoint { get; init; }

    public QueryParameters Query => Target.Query;

    public string Key => Target.Key;

    public bool IsHead => HttpMethods.IsHead(Http.Request.Method);

    /// <summary>True when a body follows the headers.</summary>
    public static bool HasBody(HttpRequest request)
        => request.ContentLength is > 0 || (request.ContentLength is null && request.Headers.TransferEncoding.Count > 0);

    /// <summary>Forgets status and headers of an answer that was not sent.</summary>
    public void ResetResponse() => Endpoint.ResetResponse(Http, RequestId);
}
