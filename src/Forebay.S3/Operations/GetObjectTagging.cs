using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?tagging of an object: tags are not carried through the cache, so there are none.</summary>
internal sealed class GetObjectTagging() : Operation(S3OperationKind.GetObjectDescription)
{
    public override async ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        if (!request.Identity.MayRead(request.Target.Bucket, request.Key))
        {
            return S3Errors.AccessDenied;
        }

        await request.MountPoint!.StatAsync(request.Key, request.RequestId, cancellationToken);
        return await AnswerXmlAsync(request, default(Document), cancellationToken);
    }

    private readonly record struct Document : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("Tagging"u8);
            xml.Raw("<TagSet></TagSet>"u8);
            xml.Close("Tagging"u8);
        }
    }
}
