using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?uploads: none can be running on a read-only endpoint.</summary>
internal sealed class ListMultipartUploads() : Operation(S3OperationKind.GetBucketConfiguration)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, new Document(request.Target.Bucket), cancellationToken);

    private readonly record struct Document(string Bucket) : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("ListMultipartUploadsResult"u8);
            xml.Element("Bucket"u8, Bucket);
            xml.Raw("<KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>"u8);
            xml.Close("ListMultipartUploadsResult"u8);
        }
    }
}
