using System.Buffers;
using System.Globalization;
using System.Text;

namespace Forebay.S3.Xml;

/// <summary>
/// Writes the small, flat XML of S3 as UTF-8 into a buffer writer. It checks no nesting: each answer is a short method with a test
/// that reads it back. Call <see cref="Complete"/> at the end.
/// </summary>
internal ref struct Utf8XmlWriter
{
    private const int ChunkSize = 16 * 1024;

    // Control characters are not allowed in XML 1.0; Amazon S3 writes them as references all the same, and so do we:
    // a client that must read such keys asks for encoding-type=url.
    private static readonly SearchValues<char> MustEscape = SearchValues.Create(
        "&<>\"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009\u000A\u000B\u000C\u000D\u000E\u000F"
        + "\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F\uFFFE\uFFFF");

    private readonly IBufferWriter<byte> _output;
    private Span<byte> _span;
    private int _used;

    public Utf8XmlWriter(IBufferWriter<byte> output)
    {
        _output = output;
        _span = output.GetSpan(ChunkSize);
        Raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"u8);
    }

    /// <summary>Writes bytes as they are.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        _used += bytes.Length;
    }

    /// <summary>Opens an element in the S3 namespace, the root of a document.</summary>
    public void OpenRoot(ReadOnlySpan<byte> name)
    {
        Raw("<"u8);
        Raw(name);
        Raw(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"u8);
    }

    public void Open(ReadOnlySpan<byte> name)
    {
        Span<byte> span = Reserve(name.Length + 2);
        span[0] = (byte)'<';
        name.CopyTo(span[1..]);
        span[name.Length + 1] = (byte)'>';
        _used += name.Length + 2;
    }

    public void Close(ReadOnlySpan<byte> name)
    {
        Span<byte> span = Reserve(name.Length + 3);
        span[0] = (byte)'<';
        span[1] = (byte)'/';
        name.CopyTo(span[2..]);
        span[name.Length + 2] = (byte)'>';
        _used += name.Length + 3;
    }

    public void Element(ReadOnlySpan<byte> name, ReadOnlySpan<char> text)
    {
        Open(name);
        Text(text);
        Close(name);
    }

    public void Element(ReadOnlySpan<byte> name, long number)
    {
        Open(name);
        number.TryFormat(Reserve(20), out int written, provider: CultureInfo.InvariantCulture);
        _used += written;
        Close(name);
    }

    public void Element(ReadOnlySpan<byte> name, bool value)
    {
        Open(name);
        Raw(value ? "true"u8 : "false"u8);
        Close(name);
    }

    /// <summary>Writes a time as S3 does: ISO 8601, UTC, milliseconds.</summary>
    public void Element(ReadOnlySpan<byte> name, DateTimeOffset time)
    {
        Open(name);
        time.UtcDateTime.TryFormat(Reserve(24), out int written, "yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        _used += written;
        Close(name);
    }

    public void Text(ReadOnlySpan<char> text)
    {
        while (true)
        {
            int plain = text.IndexOfAny(MustEscape);
            if (plain < 0)
            {
                Encode(text);
                return;
            }

            Encode(text[..plain]);
            Escape(text[plain]);
            text = text[(plain + 1)..];
        }
    }

    /// <summary>Hands the last bytes to the buffer writer; nothing may be written afterwards.</summary>
    public void Complete()
    {
        _output.Advance(_used);
        _span = default;
        _used = 0;
    }

    private void Encode(ReadOnlySpan<char> text)
    {
        // Reserve may reset the count, so it comes first: "used += f(Reserve())" would read the count before it.
        Span<byte> span = Reserve(Encoding.UTF8.GetMaxByteCount(text.Length));
        _used += Encoding.UTF8.GetBytes(text, span);
    }

    private void Escape(char c)
    {
        switch (c)
        {
            case '&':
                Raw("&amp;"u8);
                return;
            case '<':
                Raw("&lt;"u8);
                return;
            case '>':
                Raw("&gt;"u8);
                return;
            case '"':
                Raw("&quot;"u8);
                return;
            default:
                Raw("&#x"u8);
                ((int)c).TryFormat(Reserve(4), out int written, "x", CultureInfo.InvariantCulture);
                _used += written;
                Raw(";"u8);
                return;
        }
    }

    private Span<byte> Reserve(int size)
    {
        if (_span.Length - _used < size)
        {
            _output.Advance(_used);
            _used = 0;
            _span = _output.GetSpan(Math.Max(size, ChunkSize));
        }

        return _span[_used..];
    }
}
