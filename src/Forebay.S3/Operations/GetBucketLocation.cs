using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?location. As with Amazon S3, us-east-1 (here also: no region) is the empty constraint.</summary>
internal sealed class GetBucketLocation() : Operation(S3OperationKind.GetBucketConfiguration)
{
    public override ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
        => AnswerXmlAsync(request, new Document(request.Endpoint.Region), cancellationToken);

    private readonly record struct Document(string? Region) : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("LocationConstraint"u8);
            if (Region is not (null or "us-east-1"))
            {
                xml.Text(Region);
            }

            xml.Close("LocationConstraint"u8);
        }
    }
}
