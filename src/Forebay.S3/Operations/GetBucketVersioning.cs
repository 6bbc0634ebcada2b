using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?versioning: through this endpoint only current versions can be seen, so versioning was never enabled.</summary>
internal sealed class GetBucketVersioning() : Operation(S3OperationKind.GetBucketConfiguration)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, default(Document), cancellationToken);

    private readonly record struct Document : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("VersioningConfiguration"u8);
            xml.Close("VersioningConfiguration"u8);
        }
    }
}
