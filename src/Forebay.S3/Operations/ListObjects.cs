using Forebay.Core;
using Forebay.S3.Addressing;
using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>GET of a bucket: ListObjects, and with <c>list-type=2</c> ListObjectsV2.</summary>
internal sealed class ListObjects() : Operation(S3OperationKind.ListObjects)
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

        bool isVersion2 = false;
        if (query.Get("list-type") is { } type)
        {
            isVersion2 = type is "2";
            if (!isVersion2)
            {
                return (S3Errors.InvalidArgument with { Message = "Invalid List Type specified in Request" })
                    .With("ArgumentName", "list-type")
                    .With("ArgumentValue", type);
            }
        }

        string? startAfter = query.Get(isVersion2 ? "start-after" : "marker");
        string? token = isVersion2 ? query.Get("continuation-token") : null;
        string? after = startAfter;
        if (token is not null && !ContinuationToken.TryRead(token, out after))
        {
            return (S3Errors.InvalidArgument with { Message = "The continuation token provided is incorrect" }).With("ArgumentName", "continuation-token");
        }

        if (!ListParameters.IsUsable(after))
        {
            return S3Errors.InvalidArgument with { Message = "A marker may have 1,024 bytes and no U+0000." };
        }

        ListPage page = await Listing.FetchAsync(request, parameters, string.IsNullOrEmpty(after) ? null : after, cancellationToken);
        var document = new Document(request.Target.Bucket, parameters, page)
        {
            IsVersion2 = isVersion2,
            StartAfter = startAfter,
            Token = token,
            WithOwner = !isVersion2 || string.Equals(query.Get("fetch-owner"), "true", StringComparison.OrdinalIgnoreCase),
        };
        return await AnswerXmlAsync(request, document, cancellationToken);
    }

    private sealed record Document(string Bucket, ListParameters Parameters, ListPage Page) : IXmlDocument
    {
        public bool IsVersion2 { get; init; }

        public bool WithOwner { get; init; }

        public string? StartAfter { get; init; }

        public string? Token { get; init; }

        public void WriteTo(ref Utf8XmlWriter xml)
        {
            xml.OpenRoot("ListBucketResult"u8);
            xml.Element("Name"u8, Bucket);
            xml.Element("Prefix"u8, Parameters.Show(Parameters.Prefix));
            WriteMarkers(ref xml);
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
                    WriteObject(ref xml, entry.Name, stat);
                }
            }

            CommonPrefixes.Write(ref xml, Page, Parameters);
            xml.Close("ListBucketResult"u8);
        }

        private void WriteMarkers(ref Utf8XmlWriter xml)
        {
            string? last = Page is { IsTruncated: true, Entries: [.., { Name: var name }] } ? name : null;
            if (!IsVersion2)
            {
                xml.Element("Marker"u8, Parameters.Show(StartAfter ?? ""));
                if (last is not null)
                {
                    xml.Element("NextMarker"u8, Parameters.Show(last));
                }

                return;
            }

            xml.Element("KeyCount"u8, Page.Entries.Count);
            if (StartAfter is not null)
            {
                xml.Element("StartAfter"u8, Parameters.Show(StartAfter));
            }

            if (Token is not null)
            {
                xml.Element("ContinuationToken"u8, Token);
            }

            if (last is not null)
            {
                xml.Element("NextContinuationToken"u8, ContinuationToken.From(last));
            }
        }

        private void WriteObject(ref Utf8XmlWriter xml, string name, ObjectStat stat)
        {
            xml.Open("Contents"u8);
            xml.Element("Key"u8, Parameters.Show(name));
            xml.Element("LastModified"u8, stat.LastModified);
            xml.Element("ETag"u8, stat.ETag);
            xml.Element("Size"u8, stat.Length);
            if (WithOwner)
            {
                OwnerElement.Write(ref xml, "Owner"u8);
            }

            xml.Raw("<StorageClass>STANDARD</StorageClass>"u8);
            xml.Close("Contents"u8);
        }
    }
}
