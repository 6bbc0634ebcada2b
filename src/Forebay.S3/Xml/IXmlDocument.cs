namespace Forebay.S3.Xml;

/// <summary>An answer that can write itself.</summary>
internal interface IXmlDocument
{
    void WriteTo(ref Utf8XmlWriter xml);
}
