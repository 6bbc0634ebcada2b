using System.Diagnostics;
using System.Net;
using System.Text;

namespace Forebay.LoadGen.Client;

/// <summary>Lists a bucket to its end, page by page, as usual clients do.</summary>
internal static class ListCommand
{
    public static int Run(Arguments arguments)
    {
        Target target = new(arguments);
        string prefix = arguments.Text("prefix", "");
        string delimiter = arguments.Text("delimiter", "");
        long maxKeys = arguments.Number("max-keys", 1000);
        int connections = (int)arguments.Number("connections", 1);
        arguments.RefuseUnused();

        long keys = 0;
        (LoadResult sum, TimeSpan elapsed) = Workers.Run(connections, Work);
        return sum.Print(elapsed, [new("keys", keys), new("keysPerSecond", Math.Round(keys / elapsed.TotalSeconds))]);

        void Work(int worker, LoadResult result)
        {
            using RawConnection connection = new(target.EndPoint);
            string? token = null;
            do
            {
                string query = $"list-type=2&max-keys={maxKeys}"
                    + (prefix.Length > 0 ? "&prefix=" + Signer.Encode(prefix) : "")
                    + (delimiter.Length > 0 ? "&delimiter=" + Signer.Encode(delimiter) : "")
                    + (token is null ? "" : "&continuation-token=" + Signer.Encode(token));
                MemoryStream body = new(512 << 10);
                long start = Stopwatch.GetTimestamp();
                Response response = connection.Exchange(target.Request($"/{target.Bucket}", query, range: null), (_, bytes) =>
                {
                    body.Write(bytes);
                    return true;
                });
                if (response.Status != 200)
                {
                    result.Fail($"status {response.Status}");
                    return;
                }

                result.Add(start, response);
                ReadOnlySpan<byte> xml = body.GetBuffer().AsSpan(0, (int)body.Length);
                Interlocked.Add(ref keys, xml.Count("<Key>"u8) + (delimiter.Length > 0 ? xml.Count("<CommonPrefixes>"u8) : 0));
                token = Between(xml, "<NextContinuationToken>"u8, "</NextContinuationToken>"u8);
            }
            while (token is not null);
        }
    }

    private static string? Between(ReadOnlySpan<byte> xml, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        int start = xml.IndexOf(before);
        if (start < 0)
        {
            return null;
        }

        xml = xml[(start + before.Length)..];
        return WebUtility.HtmlDecode(Encoding.UTF8.GetString(xml[..xml.IndexOf(after)]));
    }
}
