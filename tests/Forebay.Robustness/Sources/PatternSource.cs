using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Forebay.Robustness.Sources;

/// <summary>A part of an object that the source sent, wholly or until the connection ended.</summary>
internal sealed record SentRange(string Key, long Offset, long Length);

/// <summary>
/// A source that speaks as much S3 over raw sockets as a node needs, with objects that are generated and with answers spoilt by script.
/// Credentials are not looked at.
/// </summary>
internal sealed class PatternSource : IAsyncDisposable
{
    public const string Bucket = "origin";

    private readonly ConcurrentDictionary<string, SourceObject> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<SentRange> _sent = new();
    private readonly ConcurrentDictionary<Socket, bool> _connections = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly int _port;
    private TcpListener? _listener;
    private Task _accepting = Task.CompletedTask;
    private long _requests;
    private long _sentBytes;

    public PatternSource()
    {
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start(1024);
        _port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Endpoint = $"http://127.0.0.1:{_port}";
        _accepting = AcceptAsync(_listener);
    }

    public string Endpoint { get; }

    /// <summary>Asked for each request; null answers rightly.</summary>
    public Func<SourceRequest, SourceFault?> Faults { get; set; } = static _ => null;

    /// <summary>Waited for between the pieces of each body; null sends at full speed.</summary>
    public TimeSpan? PieceDelay { get; set; }

    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Open connections.</summary>
    public int Connections => _connections.Count;

    /// <summary>Body bytes of objects sent.</summary>
    public long SentBytes => Interlocked.Read(ref _sentBytes);

    /// <summary>All ranges sent since <see cref="ForgetSent"/>.</summary>
    public IReadOnlyList<SentRange> Sent => [.. _sent];

    public SourceObject Put(string key, long version, long length) => _objects[key] = new SourceObject(key, version, length);

    public SourceObject Object(string key) => _objects[key];

    public void ForgetSent() => _sent.Clear();

    /// <summary>The source goes away: connections break, new ones are refused.</summary>
    public async Task StopAsync()
    {
        _listener?.Stop();
        _listener = null;
        foreach (Socket connection in _connections.Keys)
        {
            connection.Dispose();
        }

        await _accepting;
    }

    /// <summary>Comes back at the same address.</summary>
    public void Restart()
    {
        _listener = new TcpListener(IPAddress.Loopback, _port);
        _listener.Start(1024);
        _accepting = AcceptAsync(_listener);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await StopAsync();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                Socket socket = await listener.AcceptSocketAsync(_stopping.Token);
                socket.NoDelay = true;
                _connections.TryAdd(socket, true);
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(Task.Run(() => ServeAsync(socket)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            while (await ReadHeadAsync(socket) is { } head && await AnswerAsync(socket, SourceRequest.Parse(head)))
            {
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
        finally
        {
            _connections.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    /// <returns>False to close the connection.</returns>
    private async Task<bool> AnswerAsync(Socket socket, SourceRequest request)
    {
        Interlocked.Increment(ref _requests);
        SourceFault? fault = Faults(request);
        switch (fault?.Kind)
        {
            case FaultKind.Silence:
                await Task.Delay(Timeout.Infinite, _stopping.Token);
                return false;
            case FaultKind.SlowDown:
                return await SendTextAsync(socket, "503 Slow Down", "Retry-After: 1\r\nContent-Type: application/xml", "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>");
            case FaultKind.ServerError:
                return await SendTextAsync(socket, "500 Internal Server Error", "Content-Type: text/plain", "\u0001 stack trace <");
            case FaultKind.Garbage:
                await SendAsync(socket, "SSH-2.0-OpenSSH_9.6\r\n\u0003\u0001\r\n\r\n"u8.ToArray());
                return false;
            case FaultKind.CaptivePortal:
                return await SendTextAsync(socket, "200 OK", "Content-Type: text/html", "<html>Please sign in to the network.</html>");
            case FaultKind.ExpiredToken:
                return await SendTextAsync(socket, "400 Bad Request", "Content-Type: application/xml", request.Method == "HEAD" ? "" : "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>");
            default:
                break;
        }

        if (request.Key.Length == 0)
        {
            return await SendTextAsync(socket, "200 OK", "Content-Type: application/xml", Listing(request));
        }

        if (!_objects.TryGetValue(request.Key, out SourceObject? found))
        {
            return await SendTextAsync(socket, "404 Not Found", "Content-Type: application/xml", request.Method == "HEAD" ? "" : "<Error><Code>NoSuchKey</Code></Error>");
        }

        if (request.IfMatch is { } wanted && wanted != found.ETag && fault?.Kind != FaultKind.WrongETag)
        {
            return await SendTextAsync(socket, "412 Precondition Failed", "Content-Type: application/xml", "<Error><Code>PreconditionFailed</Code></Error>");
        }

        return await SendObjectAsync(socket, request, found, fault);
    }

    private async Task<bool> SendObjectAsync(Socket socket, SourceRequest request, SourceObject found, SourceFault? fault)
    {
        long from = 0;
        long end = found.Length;
        bool isPartial = request.From is not null && fault?.Kind != FaultKind.IgnoreRange;
        if (isPartial)
        {
            from = request.From!.Value + (fault?.Kind == FaultKind.OtherRange ? 262_144 : 0);
            end = Math.Min(found.Length, (request.To ?? (found.Length - 1)) + 1);
            if (from >= end)
            {
                return await SendTextAsync(socket, "416 Range Not Satisfiable", $"Content-Range: bytes */{found.Length}", "");
            }
        }

        string eTag = fault?.Kind == FaultKind.WrongETag ? new SourceObject(found.Key, found.Version + 1_000_000, 0).ETag : found.ETag;
        string range = isPartial ? $"Content-Range: bytes {from}-{end - 1}/{found.Length}\r\n" : "";
        await SendAsync(socket, Encoding.Latin1.GetBytes(
            $"HTTP/1.1 {(isPartial ? "206 Partial Content" : "200 OK")}\r\n{range}Content-Length: {end - from}\r\nETag: {eTag}\r\n"
            + $"Last-Modified: {found.Modified:R}\r\nAccept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n\r\n"));
        return request.Method == "HEAD" || await SendBodyAsync(socket, found, from, end, fault);
    }

    private async Task<bool> SendBodyAsync(Socket socket, SourceObject found, long from, long end, SourceFault? fault)
    {
        bool isCut = fault?.Kind is FaultKind.Truncate or FaultKind.Reset or FaultKind.Stall;
        long stop = isCut ? Math.Min(end, from + fault!.AfterBytes) : end;
        byte[] piece = new byte[64 << 10];
        long position = from;
        try
        {
            while (position < stop)
            {
                int count = (int)Math.Min(piece.Length, stop - position);
                found.Content.Fill(position, piece.AsSpan(0, count));
                await SendAsync(socket, piece.AsMemory(0, count));
                position += count;
                Interlocked.Add(ref _sentBytes, count);
                if (PieceDelay is { } delay)
                {
                    await Task.Delay(delay, _stopping.Token);
                }
            }
        }
        finally
        {
            _sent.Enqueue(new SentRange(found.Key, from, position - from));
        }

        if (fault?.Kind == FaultKind.Stall)
        {
            await Task.Delay(Timeout.Infinite, _stopping.Token);
        }

        if (fault?.Kind == FaultKind.Reset)
        {
            socket.LingerState = new LingerOption(true, 0);
        }

        return !isCut;
    }

    private string Listing(SourceRequest request)
    {
        string prefix = request.Parameter("prefix");
        string delimiter = request.Parameter("delimiter");
        string after = request.Parameter("start-after");
        StringBuilder text = new("<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>");
        string lastPrefix = "";
        foreach (SourceObject item in _objects.Values.Where(item => item.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(item.Key, after) > 0).OrderBy(item => item.Key, StringComparer.Ordinal))
        {
            int end = delimiter.Length == 0 ? -1 : item.Key.IndexOf(delimiter, prefix.Length, StringComparison.Ordinal);
            if (end < 0)
            {
                text.Append($"<Contents><Key>{Uri.EscapeDataString(item.Key)}</Key><LastModified>{item.Modified:yyyy-MM-ddTHH:mm:ss.fffZ}</LastModified><ETag>{item.ETag}</ETag><Size>{item.Length}</Size></Contents>");
                continue;
            }

            string common = item.Key[..(end + delimiter.Length)];
            if (common != lastPrefix)
            {
                text.Append($"<CommonPrefixes><Prefix>{Uri.EscapeDataString(common)}</Prefix></CommonPrefixes>");
                lastPrefix = common;
            }
        }

        return text.Append("</ListBucketResult>").ToString();
    }

    private async Task<bool> SendTextAsync(Socket socket, string status, string headers, string body)
    {
        await SendAsync(socket, Encoding.Latin1.GetBytes($"HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        return true;
    }

    private async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, _stopping.Token)..];
        }
    }

    private async Task<string?> ReadHeadAsync(Socket socket)
    {
        byte[] buffer = new byte[16 << 10];
        int filled = 0;
        while (filled < buffer.Length && await socket.ReceiveAsync(buffer.AsMemory(filled), SocketFlags.None, _stopping.Token) is var count and > 0)
        {
            filled += count;
            if (buffer.AsSpan(0, filled).EndsWith("\r\n\r\n"u8))
            {
                return Encoding.Latin1.GetString(buffer, 0, filled);
            }
        }

        return null;
    }
}
