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
            ShowsOwner = !isVersion2 || string.Equals(query.Get("fetch-owner"), "true", StringComparison.OrdinalIgnoreCase),
        };
        return await AnswerXmlAsync(request, document, cancellationToken);
    }

    private sealed class Document(string bucket, ListParameters parameters, ListPage page) : ListingDocument(bucket, parameters, page)
    {
        public required bool IsVersion2 { get; init; }

        public required bool ShowsOwner { get; init; }

        public required string? StartAfter { get; init; }

        public required string? Token { get; init; }

        protected override ReadOnlySpan<byte> Root => "ListBucketResult"u8;

        protected override ReadOnlySpan<byte> Entry => "Contents"u8;

        protected override bool WithOwner => ShowsOwner;

        protected override void WriteMarkers(ref Utf8XmlWriter xml)
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
    }
}
