using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?acl of a bucket or object: the owner may read, which is what this endpoint grants a key that can ask.</summary>
internal sealed class GetAcl(S3OperationKind kind) : Operation(kind)
{
    public override async ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        if (request.Key.Length > 0)
        {
            if (!request.Identity.MayRead(request.Target.Bucket, request.Key))
            {
                return S3Errors.AccessDenied;
            }

            await request.MountPoint!.StatAsync(request.Key, request.RequestId, cancellationToken);
        }

        return await AnswerXmlAsync(request, default(Document), cancellationToken);
    }

    private readonly record struct Document : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("AccessControlPolicy"u8);
            OwnerElement.Write(ref xml, "Owner"u8);
            xml.Raw("<AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">"u8);
            OwnerElement.WriteContent(ref xml);
            xml.Raw("</Grantee><Permission>READ</Permission></Grant></AccessControlList>"u8);
            xml.Close("AccessControlPolicy"u8);
        }
    }
}
