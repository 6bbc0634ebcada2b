using Forebay.Core;
using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>One page of a listing as XML: what all listings of a bucket have in common, in the order of Amazon S3.</summary>
internal abstract class ListingDocument(string bucket, ListParameters parameters, ListPage page) : IXmlDocument
{
    protected ListParameters Parameters { get; } = parameters;

    protected ListPage Page { get; } = page;

    protected abstract ReadOnlySpan<byte> Root { get; }

    /// <summary>The element of one object.</summary>
    protected abstract ReadOnlySpan<byte> Entry { get; }

    protected virtual bool WithOwner => true;

    public void WriteTo(ref Utf8XmlWriter xml)
    {
        xml.OpenRoot(Root);
        xml.Element("Name"u8, bucket);
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

        // Prefix entries stand behind all objects, and only where they were asked for.
        if (Parameters.Delimiter is not null)
        {
            WritePrefixes(ref xml);
        }

        xml.Close(Root);
    }

    /// <summary>Where the page begins and the next one does.</summary>
    protected abstract void WriteMarkers(ref Utf8XmlWriter xml);

    /// <summary>What stands between key and time of an object.</summary>
    protected virtual void WriteVersion(ref Utf8XmlWriter xml)
    {
    }

    private void WriteObject(ref Utf8XmlWriter xml, string name, ObjectStat stat)
    {
        xml.Open(Entry);
        xml.Element("Key"u8, Parameters.Show(name));
        WriteVersion(ref xml);
        xml.Element("LastModified"u8, stat.LastModified);
        xml.Element("ETag"u8, stat.ETag);
        xml.Element("Size"u8, stat.Length);
        if (WithOwner)
        {
            OwnerElement.Write(ref xml, "Owner"u8);
        }

        xml.Raw("<StorageClass>STANDARD</StorageClass>"u8);
        xml.Close(Entry);
    }

    private void WritePrefixes(ref Utf8XmlWriter xml)
    {
        foreach (ListEntry entry in Page.Entries)
        {
            if (entry.IsPrefix)
            {
                xml.Open("CommonPrefixes"u8);
                xml.Element("Prefix"u8, Parameters.Show(entry.Name));
                xml.Close("CommonPrefixes"u8);
            }
        }
    }
}
