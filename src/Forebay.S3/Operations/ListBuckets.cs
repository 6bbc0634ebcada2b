using Forebay.Engine;
using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET /: the mount points the caller may see something of.</summary>
internal sealed class ListBuckets() : Operation(S3OperationKind.ListBuckets)
{
    public override bool NeedsBucket => false;

    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, new Document(request), cancellationToken);

    private readonly record struct Document(S3Request Request) : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("ListAllMyBucketsResult"u8);
            OwnerElement.Write(ref xml, "Owner"u8);
            xml.Open("Buckets"u8);
            foreach (IMountPoint mountPoint in Request.Endpoint.Namespace.MountPoints)
            {
                if (!Request.Identity.MaySee(mountPoint.Name))
                {
                    continue;
                }

                xml.Open("Bucket"u8);
                xml.Element("Name"u8, mountPoint.Name);
                xml.Element("CreationDate"u8, mountPoint.MountedAt);
                xml.Close("Bucket"u8);
            }

            xml.Close("Buckets"u8);
            xml.Close("ListAllMyBucketsResult"u8);
        }
    }
}
