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

    private sealed record Document(string Bucket, ListParameters Parameters, ListPage Page, string? KeyMarker, string? VersionMarker) : IXmlDocument
    {
        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("ListVersionsResult"u8);
            xml.Element("Name"u8, Bucket);
            xml.Element("Prefix"u8, Parameters.Show(Parameters.Prefix));
            xml.Element("KeyMarker"u8, Parameters.Show(KeyMarker ?? ""));
            xml.Element("VersionIdMarker"u8, VersionMarker ?? "");
            if (Page is { IsTruncated: true, Entries: [.., var last] })
            {
                xml.Element("NextKeyMarker"u8, Parameters.Show(last.Name));
                if (!last.IsPrefix)
                {
                    xml.Element("NextVersionIdMarker"u8, "null");
                }
            }

            xml.Element("MaxKeys"u8, Parameters.MaxKeys);
            if (Parameters.Delimiter is { } delimiter)
            {
                xml.Element("Delimiter"u8, Parameters.Show(delimiter));
            }

            if (Parameters.UrlEncode)
            {
                xml.Element("EncodingType"u8, "url");
            }

            xml.Element("IsTruncated"u8, Page.IsTruncated);
            foreach (ListEntry entry in Page.Entries)
            {
                if (entry.Stat is { } stat)
                {
                    WriteVersion(ref xml, entry.Name, stat);
                }
            }

            CommonPrefixes.Write(ref xml, Page, Parameters);
            xml.Close("ListVersionsResult"u8);
        }

        private void WriteVersion(ref Utf8XmlWriter xml, string name, ObjectStat stat)
        {
            xml.Open("Version"u8);
            xml.Element("Key"u8, Parameters.Show(name));
            xml.Raw("<VersionId>null</VersionId><IsLatest>true</IsLatest>"u8);
            xml.Element("LastModified"u8, stat.LastModified);
            xml.Element("ETag"u8, stat.ETag);
            xml.Element("Size"u8, stat.Length);
            OwnerElement.Write(ref xml, "Owner"u8);
            xml.Raw("<StorageClass>STANDARD</StorageClass>"u8);
            xml.Close("Version"u8);
        }
    }
}
