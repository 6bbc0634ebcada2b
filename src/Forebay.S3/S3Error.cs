namespace Forebay.S3;

/// <summary>One answer of the S3 error table.</summary>
/// <param name="Code">Code that clients test for.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Message">One sentence for people. Never holds a secret.</param>
internal sealed record S3Error(string Code, int Status, string Message)
{
    /// <summary>Further elements of the error document, for instance <c>ArgumentName</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Details { get; init; } = [];

    /// <summary>Value of <c>Retry-After</c> in seconds; null for none.</summary>
    public int? RetryAfterSeconds { get; init; }

    public S3Error With(string name, string value)
        => this with { Details = [.. Details, new KeyValuePair<string, string>(name, value)] };
}

/// <summary>The errors this endpoint answers, with the codes and statuses of Amazon S3.</summary>
internal static class S3Errors
{
    public static readonly S3Error AccessDenied = new("AccessDenied", 403, "Access Denied");
    public static readonly S3Error ReadOnly = new("AccessDenied", 403, "Access Denied: this endpoint is read-only.");
    public static readonly S3Error RequestExpired = new("AccessDenied", 403, "Request has expired");
    public static readonly S3Error NotYetValid = new("AccessDenied", 403, "Request is not yet valid");
    public static readonly S3Error HeadersNotSigned = new("AccessDenied", 403, "There were headers present in the request which were not signed");
    public static readonly S3Error AuthorizationHeaderMalformed = new("AuthorizationHeaderMalformed", 400, "The authorization header is malformed.");
    public static readonly S3Error AuthorizationQueryParametersError = new("AuthorizationQueryParametersError", 400, "Query-string authentication needs the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
    public static readonly S3Error CorsForbidden = new("AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket.");
    public static readonly S3Error ContentSha256Mismatch = new("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.");
    public static readonly S3Error EntityTooLarge = new("EntityTooLarge", 400, "The body of this request is larger than this operation takes.");
    public static readonly S3Error InternalError = new("InternalError", 500, "We encountered an internal error. Please try again.");
    public static readonly S3Error InvalidAccessKeyId = new("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.");
    public static readonly S3Error InvalidArgument = new("InvalidArgument", 400, "Invalid Argument");
    public static readonly S3Error InvalidBucketName = new("InvalidBucketName", 400, "The specified bucket is not valid.");
    public static readonly S3Error InvalidRange = new("InvalidRange", 416, "The requested range is not satisfiable");
    public static readonly S3Error InvalidRequest = new("InvalidRequest", 400, "Invalid Request");
    public static readonly S3Error InvalidUri = new("InvalidURI", 400, "Couldn't parse the specified URI.");
    public static readonly S3Error KeyTooLong = new("KeyTooLongError", 400, "Your key is too long: it may have 1,024 bytes of UTF-8.");
    public static readonly S3Error MethodNotAllowed = new("MethodNotAllowed", 405, "The specified method is not allowed against this resource.");
    public static readonly S3Error NoSuchBucket = new("NoSuchBucket", 404, "The specified bucket does not exist");
    public static readonly S3Error NoSuchKey = new("NoSuchKey", 404, "The specified key does not exist.");
    public static readonly S3Error NoSuchUpload = new("NoSuchUpload", 404, "The specified multipart upload does not exist.");
    public static readonly S3Error NoSuchVersion = new("NoSuchVersion", 404, "The specified version does not exist.");
    public static readonly S3Error NotImplemented = new("NotImplemented", 501, "This operation is not implemented by this endpoint.");
    public static readonly S3Error NotModified = new("NotModified", 304, "Not Modified");
    public static readonly S3Error PreconditionFailed = new("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold");
    public static readonly S3Error RequestTimeTooSkewed = new("RequestTimeTooSkewed", 403, "The difference between the request time and the server's time is too large.");
    public static readonly S3Error ServiceUnavailable = new("ServiceUnavailable", 503, "The store behind this bucket cannot be reached at the moment. Please try again.") { RetryAfterSeconds = 1 };
    public static readonly S3Error SignatureDoesNotMatch = new("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
    public static readonly S3Error SignatureVersionNotSupported = new("InvalidRequest", 400, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
    public static readonly S3Error SlowDown = new("SlowDown", 503, "Please reduce your request rate.") { RetryAfterSeconds = 1 };
}
