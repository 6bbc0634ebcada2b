using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>
/// Connection feature of the sendfile transport: lets an endpoint say that the next body bytes lie in a file. Use
/// <see cref="SendfileBody"/>, which knows when it may be used. Not thread-safe: it belongs to the request being answered.
/// </summary>
public interface ISendfileFeature
{
    /// <summary>
    /// Announces that the next <paramref name="length"/> bytes given to the body writer are those of a file. They are then "written" by
    /// <c>GetMemory</c> and <c>Advance</c> without being filled, and leave with the next flush, after what was written before.
    /// </summary>
    /// <param name="file">Stays open, and its range unchanged, until that flush has ended.</param>
    /// <param name="offset">First byte in the file.</param>
    /// <param name="length">Bytes, &gt; 0; all of them are advanced before the flush or none (<see cref="CancelFile"/>).</param>
    /// <exception cref="InvalidOperationException">A piece is announced already and not flushed.</exception>
    void BeginFile(SafeFileHandle file, long offset, int length);

    /// <summary>Whether memory came from this transport's file mode; if not, something between wraps the body and the bytes have to be copied.</summary>
    bool IsFileMemory(ReadOnlyMemory<byte> memory);

    /// <summary>True once a file failed or ended too early; the connection was aborted for it.</summary>
    bool HasFileFailed { get; }

    /// <summary>Takes the announcement back; only before any of its bytes was advanced.</summary>
    void CancelFile();
}
