using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Forebay.LoadGen.Client;

/// <summary>Gets the bytes of a body in order; the span is only valid during the call. False ends the response early.</summary>
internal delegate bool BodySink(long offset, ReadOnlySpan<byte> bytes);

/// <summary>What a response was.</summary>
internal readonly record struct Response(int Status, long BodyBytes, long FirstByteTicks, long EndTicks);

/// <summary>
/// A blocking HTTP/1.1 connection into one fixed buffer: as little client CPU as a client can take, since it shares the machine with the
/// server it measures. Reconnects after an error or a response that was cut off.
/// </summary>
internal sealed class RawConnection(IPEndPoint endPoint, int bufferBytes = 256 << 10) : IDisposable
{
    private const int TimeoutMilliseconds = 120_000;

    private readonly byte[] _buffer = new byte[bufferBytes];
    private Socket? _socket;
    private int _start;
    private int _end;

    public Response Exchange(ReadOnlySpan<byte> request, BodySink? sink)
    {
        Socket socket = _socket ?? Connect();
        try
        {
            while (!request.IsEmpty)
            {
                request = request[socket.Send(request)..];
            }

            return ReadResponse(sink);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
        _start = _end = 0;
    }

    private Socket Connect()
    {
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = TimeoutMilliseconds,
            SendTimeout = TimeoutMilliseconds,
        };
        socket.Connect(endPoint);
        _socket = socket;
        return socket;
    }

    private Response ReadResponse(BodySink? sink)
    {
        int headEnd;
        while ((headEnd = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8)) < 0)
        {
            Fill();
        }

        ReadOnlySpan<byte> head = _buffer.AsSpan(_start, headEnd + 2);
        if (!Utf8Parser.TryParse(head[9..], out int status, out _))
        {
            throw new IOException("Not an HTTP response.");
        }

        _ = Utf8Parser.TryParse(Header(head, "content-length:"u8), out long length, out _);
        bool chunked = !Header(head, "transfer-encoding:"u8).IsEmpty;
        bool close = Header(head, "connection:"u8).StartsWith("close"u8);
        _start += headEnd + 4;
        long firstByte = 0;
        long count = chunked ? ReadChunks(sink, ref firstByte) : ReadBody(length, 0, sink, ref firstByte);
        long end = Stopwatch.GetTimestamp();
        if (close)
        {
            Dispose();
        }

        return new Response(status, count, firstByte == 0 ? end : firstByte, end);
    }

    /// <summary>Value of a header; empty when it is missing.</summary>
    private static ReadOnlySpan<byte> Header(ReadOnlySpan<byte> head, ReadOnlySpan<byte> nameAndColon)
    {
        while (head.IndexOf("\r\n"u8) is int end and >= 0)
        {
            ReadOnlySpan<byte> field = head[..end];
            if (field.Length > nameAndColon.Length && Ascii.EqualsIgnoreCase(field[..nameAndColon.Length], nameAndColon))
            {
                return field[nameAndColon.Length..].Trim((byte)' ');
            }

            head = head[(end + 2)..];
        }

        return [];
    }

    private long ReadBody(long length, long offset, BodySink? sink, ref long firstByte)
    {
        long done = 0;
        while (done < length)
        {
            if (_start == _end)
            {
                Fill();
            }

            if (firstByte == 0)
            {
                firstByte = Stopwatch.GetTimestamp();
            }

            int taken = (int)Math.Min(length - done, _end - _start);
            if (sink is not null && !sink(offset + done, _buffer.AsSpan(_start, taken)))
            {
                Dispose();
                return done;
            }

            _start += taken;
            done += taken;
        }

        return done;
    }

    private long ReadChunks(BodySink? sink, ref long firstByte)
    {
        long total = 0;
        while (true)
        {
            int end;
            while ((end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
            {
                Fill();
            }

            if (!Utf8Parser.TryParse(_buffer.AsSpan(_start, end), out int size, out _, 'x'))
            {
                throw new IOException("Not a chunk.");
            }

            _start += end + 2;
            total += ReadBody(size, total, sink, ref firstByte);
            while (_end - _start < 2)
            {
                Fill();
            }

            _start += 2;
            if (size == 0)
            {
                return total;
            }
        }
    }

    private void Fill()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
            _end -= _start;
            _start = 0;
        }

        int read = _end < _buffer.Length ? _socket!.Receive(_buffer.AsSpan(_end)) : throw new IOException("A line of the response is too long.");
        if (read == 0)
        {
            throw new IOException("The connection ended within a response.");
        }

        _end += read;
    }
}
