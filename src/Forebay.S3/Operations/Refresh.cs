using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Operations;

/// <summary>
/// POST /NAME/key-or-prefix?forebay-refresh: forgets cached metadata, so that the next use asks the under-store. Own to Forebay; for users who
/// have no access to the admin API. Needs a key that may read what is refreshed, never anonymous.
/// </summary>
internal sealed class Refresh() : Operation(S3OperationKind.Refresh)
{
    public override async ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        if (request.Identity.IsAnonymous || !request.Identity.MayRead(request.Target.Bucket, request.Key))
        {
            return S3Errors.AccessDenied;
        }

        if (!request.Endpoint.Refreshes.TryTake(request.Identity.AccessKeyId!))
        {
            return S3Errors.SlowDown;
        }

        await request.MountPoint!.RefreshAsync(request.Key, cancellationToken);
        request.Http.Response.StatusCode = StatusCodes.Status204NoContent;
        return null;
    }
}
