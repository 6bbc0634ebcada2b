using System.Buffers;
using System.Text;
using Forebay.S3.Addressing;

namespace Forebay.S3.Xml;

/// <summary>Writes the error document of S3.</summary>
internal static class ErrorDocument
{
    public static void Write(IBufferWriter<byte> output, S3Error error, RequestTarget? target, string requestId, string hostId)
    {
        var xml = new Utf8XmlWriter(output);
        xml.Open("Error"u8);
        xml.Element("Code"u8, error.Code);
        xml.Element("Message"u8, error.Message);
        foreach (KeyValuePair<string, string> detail in error.Details)
        {
            xml.Element(Encoding.ASCII.GetBytes(detail.Key), detail.Value);
        }

        if (target is not null)
        {
            if (target.Key.Length > 0)
            {
                xml.Element("Key"u8, target.Key);
            }

            xml.Open("Resource"u8);
            xml.Text("/");
            xml.Text(target.Bucket);
            if (target.Key.Length > 0)
            {
                xml.Text("/");
                xml.Text(target.Key);
            }

            xml.Close("Resource"u8);
        }

        xml.Element("RequestId"u8, requestId);
        xml.Element("HostId"u8, hostId);
        xml.Close("Error"u8);
        xml.Complete();
    }
}
