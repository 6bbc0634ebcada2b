namespace Forebay.S3.Xml;

/// <summary>The owner of everything here: the endpoint knows no accounts, and clients want one.</summary>
internal static class OwnerElement
{
    public static void Write(ref Utf8XmlWriter xml, ReadOnlySpan<byte> element)
    {
        xml.Open(element);
        WriteContent(ref xml);
        xml.Close(element);
    }

    public static void WriteContent(ref Utf8XmlWriter xml)
        => xml.Raw("<ID>forebay</ID><DisplayName>forebay</DisplayName>"u8);
}
