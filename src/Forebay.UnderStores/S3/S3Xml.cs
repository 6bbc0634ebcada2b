using System.Globalization;
using System.Text;
using System.Xml;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>Reads the XML that S3 answers: no DTD, no entities of its own, no resolver, a bounded size.</summary>
internal static class S3Xml
{
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
        IgnoreWhitespace = true,
        MaxCharactersInDocument = 64 << 20,
        MaxCharactersFromEntities = 1 << 20,
    };

    /// <summary>Opens a reader that refuses everything S3 does not need.</summary>
    public static XmlReader OpenReader(Stream body) => XmlReader.Create(body, Settings);

    /// <summary>Reads one ListObjectsV2 answer. Entries come in the order the store sent them.</summary>
    /// <exception cref="XmlException">Not well-formed, or not a listing.</exception>
    public static S3Listing ReadListing(Stream body)
    {
        S3Listing listing = new();
        using XmlReader reader = OpenReader(body);
        reader.MoveToContent();
        if (reader.LocalName is not "ListBucketResult")
        {
            throw new XmlException($"expected ListBucketResult, found {reader.LocalName}");
        }

        ReadChildren(reader, listing, static (reader, listing) =>
        {
            switch (reader.LocalName)
            {
                case "Contents":
                    RawObject item = new();
                    ReadChildren(reader, item, ReadObjectField);
                    listing.Objects.Add(item);
                    break;
                case "CommonPrefixes":
                    ReadChildren(reader, listing, static (reader, listing) =>
                    {
                        if (reader.LocalName is "Prefix")
                        {
                            listing.Prefixes.Add(reader.ReadElementContentAsString());
                            return;
                        }

                        reader.Skip();
                    });
                    break;
                case "IsTruncated":
                    listing.IsTruncated = reader.ReadElementContentAsString() is "true";
                    break;
                case "NextContinuationToken":
                    listing.ContinuationToken = reader.ReadElementContentAsString();
                    break;
                case "EncodingType":
                    listing.IsUrlEncoded = reader.ReadElementContentAsString() is "url";
                    break;
                default:
                    reader.Skip();
                    break;
            }
        });
        return listing;
    }

    /// <summary>Undoes encoding-type=url.</summary>
    public static string DecodeName(string name, bool isUrlEncoded)
    {
        if (!isUrlEncoded || name.AsSpan().IndexOfAny('%', '+') < 0)
        {
            return name;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(name);
        int length = PercentEncoding.Decode(bytes, plusIsSpace: true);
        return length < 0 ? throw new XmlException("a name of the listing is not URL-encoded although the store says so") : Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static void ReadObjectField(XmlReader reader, RawObject item)
    {
        switch (reader.LocalName)
        {
            case "Key":
                item.Key = reader.ReadElementContentAsString();
                break;
            case "LastModified":
                string text = reader.ReadElementContentAsString();
                item.LastModified = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time) ? time : DateTimeOffset.UnixEpoch;
                break;
            case "ETag":
                item.ETag = reader.ReadElementContentAsString();
                break;
            case "Size":
                string size = reader.ReadElementContentAsString();
                item.Length = long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long length) ? length : throw new XmlException("an object of the listing has no size");
                break;
            default:
                reader.Skip();
                break;
        }
    }

    /// <summary>Calls <paramref name="read"/> on each child element; it must leave the reader behind that element.</summary>
    private static void ReadChildren<T>(XmlReader reader, T target, Action<XmlReader, T> read)
    {
        bool isEmpty = reader.IsEmptyElement;
        reader.Read();
        if (isEmpty)
        {
            return;
        }

        while (reader.NodeType != XmlNodeType.EndElement)
        {
            if (reader.NodeType == XmlNodeType.Element)
            {
                read(reader, target);
            }
            else if (!reader.Read())
            {
                throw new XmlException("the document ends early");
            }
        }

        reader.Read();
    }

    /// <summary>One object as the XML names it.</summary>
    internal sealed class RawObject
    {
        public string Key { get; set; } = "";

        public string ETag { get; set; } = "";

        public long Length { get; set; }

        public DateTimeOffset LastModified { get; set; }
    }

    /// <summary>One page as the XML names it; names still encoded.</summary>
    internal sealed class S3Listing
    {
        public List<RawObject> Objects { get; } = [];

        public List<string> Prefixes { get; } = [];

        public bool IsTruncated { get; set; }

        public string? ContinuationToken { get; set; }

        public bool IsUrlEncoded { get; set; }
    }
}
