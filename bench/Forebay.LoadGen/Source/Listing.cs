using System.Globalization;
using System.Security;
using System.Text;

namespace Forebay.LoadGen.Source;

/// <summary>Answers ListObjectsV2 (and V1 by its marker) as XML.</summary>
internal static class Listing
{
    private const string LastModified = "2026-01-01T00:00:00.000Z";

    public static string Write(ObjectSet objects, string bucket, IReadOnlyDictionary<string, string> query)
    {
        string prefix = query.GetValueOrDefault("prefix", "");
        string delimiter = query.GetValueOrDefault("delimiter", "");
        bool version2 = query.GetValueOrDefault("list-type") == "2";
        string after = query.GetValueOrDefault("continuation-token") ?? query.GetValueOrDefault(version2 ? "start-after" : "marker", "");
        int maxKeys = int.Parse(query.GetValueOrDefault("max-keys", "1000"), NumberStyles.None, CultureInfo.InvariantCulture);
        bool encode = query.GetValueOrDefault("encoding-type") == "url";

        StringBuilder entries = new(maxKeys * 200);
        string last = "";
        int count = 0;
        ObjectSet.Cursor cursor = objects.From(string.CompareOrdinal(after, prefix) >= 0 ? Successor(after, prefix, delimiter) : prefix);
        while (cursor.Key is string key && key.StartsWith(prefix, StringComparison.Ordinal) && count < maxKeys)
        {
            count++;
            string? group = CommonPrefix(key, prefix, delimiter);
            if (group is not null)
            {
                entries.Append("<CommonPrefixes><Prefix>").Append(Name(group, encode)).Append("</Prefix></CommonPrefixes>");
                last = group;
                cursor.SkipTo(Next(group));
                continue;
            }

            entries.Append("<Contents><Key>").Append(Name(key, encode)).Append("</Key><LastModified>").Append(LastModified)
                .Append("</LastModified><ETag>&quot;").Append(ObjectSet.ETag(key, cursor.Size).AsSpan()[1..^1]).Append("&quot;</ETag><Size>").Append(cursor.Size)
                .Append("</Size><StorageClass>STANDARD</StorageClass></Contents>");
            last = key;
            cursor.Next();
        }

        bool truncated = cursor.Key is string more && more.StartsWith(prefix, StringComparison.Ordinal);
        StringBuilder xml = new(entries.Length + 512);
        xml.Append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>").Append(bucket)
            .Append("</Name><Prefix>").Append(Name(prefix, encode)).Append("</Prefix><MaxKeys>").Append(maxKeys).Append("</MaxKeys>");
        Optional(xml, "Delimiter", delimiter, encode);
        if (encode)
        {
            xml.Append("<EncodingType>url</EncodingType>");
        }

        xml.Append("<IsTruncated>").Append(truncated ? "true" : "false").Append("</IsTruncated>");
        if (version2)
        {
            xml.Append("<KeyCount>").Append(count).Append("</KeyCount>");
        }

        if (truncated)
        {
            Optional(xml, version2 ? "NextContinuationToken" : "NextMarker", last, encode && !version2);
        }

        return xml.Append(entries).Append("</ListBucketResult>").ToString();
    }

    private static string Successor(string after, string prefix, string delimiter)
        => CommonPrefix(after, prefix, delimiter) is string group && group == after ? Next(group) : after + '\0';

    private static string? CommonPrefix(string key, string prefix, string delimiter)
    {
        if (delimiter.Length == 0 || !key.StartsWith(prefix, StringComparison.Ordinal))
        {
            return null;
        }

        int end = key.IndexOf(delimiter, prefix.Length, StringComparison.Ordinal);
        return end < 0 ? null : key[..(end + delimiter.Length)];
    }

    private static string Next(string prefix) => prefix[..^1] + (char)(prefix[^1] + 1);

    private static void Optional(StringBuilder xml, string element, string value, bool encode)
    {
        if (value.Length > 0)
        {
            xml.Append('<').Append(element).Append('>').Append(Name(value, encode)).Append("</").Append(element).Append('>');
        }
    }

    private static string Name(string text, bool encode)
        => encode ? Uri.EscapeDataString(text).Replace("%2F", "/", StringComparison.Ordinal) : SecurityElement.Escape(text);
}
