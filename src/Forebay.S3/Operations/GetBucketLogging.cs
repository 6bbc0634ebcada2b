using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?logging: no access log is delivered to a bucket.</summary>
internal sealed class GetBucketLogging() : Operation(S3OperationKind.GetBucketConfiguration)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, default(Document), cancellationToken);

    private readonly record struct Document : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("BucketLoggingStatus"u8);
            xml.Close("BucketLoggingStatus"u8);
        }
    }
}
