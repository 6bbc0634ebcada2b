using System.Buffers;

namespace Forebay.S3.Transport;

/// <summary>
/// Memory that stands for bytes of a file: it has a length and no content, so it costs nothing however long it is, and whoever
/// tries to fill it fails loudly.
/// </summary>
internal sealed class FileMemory : MemoryManager<byte>
{
    internal static readonly FileMemory Instance = new();

    private FileMemory()
    {
    }

    internal Memory<byte> OfLength(int length) => CreateMemory(0, length);

    public override Span<byte> GetSpan()
        => throw new InvalidOperationException("These bytes lie in a file and leave by sendfile; they cannot be written.");

    public override MemoryHandle Pin(int elementIndex = 0)
        => throw new InvalidOperationException("These bytes lie in a file and leave by sendfile; they cannot be pinned.");

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
