namespace Forebay.S3.Operations;

/// <summary>An operation whose answer is always the same error, given without reading a body.</summary>
internal sealed class RefusedOperation(S3OperationKind kind, S3Error error, bool needsIdentity = true, bool needsBucket = true) : Operation(kind)
{
    public override bool NeedsIdentity => needsIdentity;

    public override bool NeedsBucket => needsBucket;

    public override bool ReadsBody => false;

    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken) => new(error);
}
