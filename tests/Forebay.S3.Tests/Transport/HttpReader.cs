using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.S3.Tests.Transport;

/// <summary>Reads HTTP/1.1 responses from a socket byte for byte; deliberately no HTTP library between the test and the wire.</summary>
internal sealed class HttpReader(Socket socket)
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    public string ReadHead()
    {
        StringBuilder head = new();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            head.Append((char)ReadByte());
        }

        return head.ToString();
    }

    public (string Head, string Hash) ReadResponse()
    {
        string head = ReadHead();
        return (head, HashOf(ContentLength(head)));
    }

    public static long ContentLength(string head)
    {
        string line = head.Split("\r\n").Single(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        return long.Parse(line[15..], CultureInfo.InvariantCulture);
    }

    public byte[] ReadBytes(int count)
    {
        byte[] bytes = new byte[count];
        for (int done = 0; done < count;)
        {
            done += Read(bytes.AsSpan(done));
        }

        return bytes;
    }

    public string HashOf(long count)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        byte[] bytes = new byte[256 << 10];
        while (count > 0)
        {
            int read = Read(bytes.AsSpan(0, (int)Math.Min(count, bytes.Length)));
            hash.AppendData(bytes, 0, read);
            count -= read;
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Reads to the end of the connection; a reset is an end too.</summary>
    public long CountToEnd()
    {
        long count = _end - _start;
        _start = _end;
        try
        {
            int read;
            while ((read = socket.Receive(_buffer)) > 0)
            {
                count += read;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
        {
        }

        return count;
    }

    private int Read(Span<byte> destination)
    {
        if (_start == _end)
        {
            Fill();
        }

        int taken = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, taken).CopyTo(destination);
        _start += taken;
        return taken;
    }

    private byte ReadByte()
    {
        if (_start == _end)
        {
            Fill();
        }

        return _buffer[_start++];
    }

    private void Fill()
    {
        _start = 0;
        _end = socket.Receive(_buffer);
        if (_end == 0)
        {
            throw new EndOfStreamException("The connection ended within a response.");
        }
    }
}
