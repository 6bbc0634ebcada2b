using Forebay.Core;
using Forebay.S3.Addressing;
using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET ?versions: every current object as its only version, <c>null</c>, which is what can be read through this endpoint.</summary>
internal sealed class ListObjectVersions() : Operation(S3OperationKind.ListObjectVersions)
{
    public override async ValueTask<S3Error?> ExecuteAsync(S3Request request, CancellationToken cancellationToken)
    {
        QueryParameters query = request.Query;
        if (ListParameters.TryParse(query, out ListParameters? parameters) is { } refused)
        {
            return refused;
        }

        if (!request.Identity.MayRead(request.Target.Bucket, parameters!.Prefix))
        {
            return S3Errors.AccessDenied;
        }

        string? keyMarker = query.Get("key-marker");
        string? versionMarker = query.Get("version-id-marker");
        if (!string.IsNullOrEmpty(versionMarker) && string.IsNullOrEmpty(keyMarker))
        {
            return (S3Errors.InvalidArgument with { Message = "A version-id marker cannot be specified without a key marker." })
                .With("ArgumentName", "version-id-marker");
        }

        if (!ListParameters.IsUsable(keyMarker))
        {
            return S3Errors.InvalidArgument with { Message = "A marker may have 1,024 bytes and no U+0000." };
        }

        ListPage page = await Listing.FetchAsync(request, parameters, string.IsNullOrEmpty(keyMarker) ? null : keyMarker, cancellationToken);
        return await AnswerXmlAsync(request, new Document(request.Target.Bucket, parameters, page, keyMarker, versionMarker), cancellationToken);
    }

    private sealed class Document(string bucket, ListParameters parameters, ListPage page, string? keyMarker, string? versionMarker)
        : ListingDocument(bucket, parameters, page)
    {
        protected override ReadOnlySpan<byte> Root => "ListVersionsResult"u8;

        protected override ReadOnlySpan<byte> Entry => "Version"u8;

        protected override void WriteMarkers(ref Utf8XmlWriter xml)
        {
            xml.Element("KeyMarker"u8, Parameters.Show(keyMarker ?? ""));
            xml.Element("VersionIdMarker"u8, versionMarker ?? "");
            if (Page is { IsTruncated: true, Entries: [.., var last] })
            {
                xml.Element("NextKeyMarker"u8, Parameters.Show(last.Name));
                if (!last.IsPrefix)
                {
                    xml.Element("NextVersionIdMarker"u8, "null");
                }
            }
        }

        protected override void WriteVersion(ref Utf8XmlWriter xml) => xml.Raw("<VersionId>null</VersionId><IsLatest>true</IsLatest>"u8);
    }
}
