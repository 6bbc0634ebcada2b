namespace Forebay.S3.Operations;

/// <summary>HEAD of a bucket: it exists and may be seen.</summary>
internal sealed class HeadBucket() : Operation(S3OperationKind.HeadBucket)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        request.Http.Response.Headers["x-amz-bucket-region"] = request.Endpoint.Region ?? "us-east-1";
        return default;
    }
}
