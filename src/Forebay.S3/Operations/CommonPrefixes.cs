using Forebay.Core;
using Forebay.S3.Xml;

namespace Forebay.S3.Operations;

/// <summary>Writes the prefix entries of a page, which every listing puts behind its objects.</summary>
internal static class CommonPrefixes
{
    public static void Write(ref Utf8XmlWriter xml, ListPage page, ListParameters parameters)
    {
        if (parameters.Delimiter is null)
        {
            return;
        }

        foreach (ListEntry entry in page.Entries)
        {
            if (entry.IsPrefix)
            {
                xml.Open("CommonPrefixes"u8);
                xml.Element("Prefix"u8, parameters.Show(entry.Name));
                xml.Close("CommonPrefixes"u8);
            }
        }
    }
}
