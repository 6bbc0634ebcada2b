using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?requestPayment.</summary>
internal sealed class GetBucketRequestPayment() : Operation(S3OperationKind.GetBucketConfiguration)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, default(Document), cancellationToken);

    private readonly record struct Document : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("RequestPaymentConfiguration"u8);
            xml.Element("Payer"u8, "BucketOwner");
            xml.Close("RequestPaymentConfiguration"u8);
        }
    }
}
