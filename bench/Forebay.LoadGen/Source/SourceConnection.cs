using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Forebay.LoadGen.Source;

/// <summary>One client of the source: HTTP/1.1, one request after the other, bodies of requests are not accepted.</summary>
internal sealed class SourceConnection(Socket socket, SourceOptions options, SourceStatistics statistics)
{
    private const int MaxHeadBytes = 32 << 10;
    private const int PacedChunkBytes = 128 << 10;
    private const int FreeChunkBytes = 1 << 20;
    private const string LastModified = "Thu, 01 Jan 2026 00:00:00 GMT";

    private readonly byte[] _head = new byte[MaxHeadBytes];
    private int _headCount;
    private long _connectionFree;

    public void Run()
    {
        while (ReadHead() is string head)
        {
            Handle(new SourceRequest(head));
        }
    }

    private string? ReadHead()
    {
        while (true)
        {
            int end = _head.AsSpan(0, _headCount).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                string head = Encoding.ASCII.GetString(_head, 0, end);
                _headCount -= end + 4;
                Buffer.BlockCopy(_head, end + 4, _head, 0, _headCount);
                return head;
            }

            if (_headCount == MaxHeadBytes)
            {
                throw new IOException("The head of a request is too long.");
            }

            int read = socket.Receive(_head.AsSpan(_headCount));
            if (read == 0)
            {
                return null;
            }

            _headCount += read;
        }
    }

    private void Handle(SourceRequest request)
    {
        if (request.Path == "/stats")
        {
            string json = statistics.ToJson();
            if (request.Query.ContainsKey("reset"))
            {
                statistics.Reset();
            }

            SendText("200 OK", "application/json", json, headOnly: false);
            return;
        }

        statistics.Request();
        long start = Stopwatch.GetTimestamp();
        Answer(request, start + (long)(options.Latency.TotalSeconds * Stopwatch.Frequency));
    }

    private void Answer(SourceRequest request, long firstByteAt)
    {
        bool head = request.Method == "HEAD";
        if (!head && request.Method != "GET")
        {
            SendError("405 Method Not Allowed", "MethodNotAllowed", head, firstByteAt);
            return;
        }

        string[] parts = request.Path.Split('/', 3);
        if (parts.Length < 2 || parts[1] != options.Bucket)
        {
            SendError("404 Not Found", "NoSuchBucket", head, firstByteAt);
            return;
        }

        string key = parts.Length == 3 ? parts[2] : "";
        if (key.Length == 0)
        {
            AnswerBucket(request, head, firstByteAt);
            return;
        }

        if (options.Objects.Find(key) is not long size)
        {
            SendError("404 Not Found", "NoSuchKey", head, firstByteAt);
            return;
        }

        AnswerObject(request, key, size, head, firstByteAt);
    }

    private void AnswerBucket(SourceRequest request, bool head, long firstByteAt)
    {
        statistics.List();
        string xml = request.Query.ContainsKey("location")
            ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"
            : head ? "" : Listing.Write(options.Objects, options.Bucket, request.Query);
        Link.WaitUntil(firstByteAt);
        SendText("200 OK", "application/xml", xml, head);
    }

    private void AnswerObject(SourceRequest request, string key, long size, bool head, long firstByteAt)
    {
        string etag = ObjectSet.ETag(key, size);
        if (request.Header("If-Match") is string match && match != "*" && match.Trim('"') != etag.Trim('"'))
        {
            SendError("412 Precondition Failed", "PreconditionFailed", head, firstByteAt);
            return;
        }

        if (request.Header("If-None-Match") is string none && none.Trim('"') == etag.Trim('"'))
        {
            Link.WaitUntil(firstByteAt);
            Send(Encoding.ASCII.GetBytes($"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n"));
            return;
        }

        (long offset, long length, bool partial)? range = request.Range(size);
        if (range is null)
        {
            SendError("416 Range Not Satisfiable", "InvalidRange", head, firstByteAt, $"Content-Range: bytes */{size}\r\n");
            return;
        }

        (long offset, long length, bool partial) = range.Value;
        StringBuilder answer = new();
        answer.Append(partial ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n")
            .Append("Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\nLast-Modified: ").Append(LastModified)
            .Append("\r\nETag: ").Append(etag).Append("\r\nContent-Length: ").Append(length).Append("\r\n");
        if (partial)
        {
            answer.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {offset}-{offset + length - 1}/{size}\r\n");
        }

        Link.WaitUntil(firstByteAt);
        Send(Encoding.ASCII.GetBytes(answer.Append("\r\n").ToString()));
        if (head)
        {
            statistics.Head();
            return;
        }

        statistics.Get();
        SendBody(GeneratedBytes.Hash(key), offset, length);
    }

    private void SendBody(ulong keyHash, long offset, long length)
    {
        int chunk = options.ConnectionRate > 0 ? PacedChunkBytes : FreeChunkBytes;
        while (length > 0)
        {
            ReadOnlyMemory<byte> bytes = GeneratedBytes.At(keyHash, offset, Math.Min(length, chunk));
            long linkFree = options.Link.Reserve(bytes.Length);
            Link.WaitUntil(Math.Max(linkFree, _connectionFree));
            if (options.ConnectionRate > 0)
            {
                // Behind schedule (a late wake-up) is caught up for at most 5 ms, or the rate would come out too low.
                long earliest = Stopwatch.GetTimestamp() - (Stopwatch.Frequency / 200);
                _connectionFree = Math.Max(_connectionFree, earliest) + (long)(bytes.Length / options.ConnectionRate * Stopwatch.Frequency);
            }

            Send(bytes.Span);
            statistics.Bytes(bytes.Length);
            offset += bytes.Length;
            length -= bytes.Length;
        }
    }

    private void SendError(string status, string code, bool head, long firstByteAt, string headers = "")
    {
        Link.WaitUntil(firstByteAt);
        SendText(status, "application/xml", $"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>", head, headers);
    }

    private void SendText(string status, string type, string text, bool headOnly, string headers = "")
    {
        byte[] body = Encoding.UTF8.GetBytes(text);
        byte[] head = Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\n{headers}Content-Type: {type}\r\nContent-Length: {body.Length}\r\n\r\n");
        Send(headOnly ? head : [.. head, .. body]);
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }
}
