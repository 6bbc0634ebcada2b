using Microsoft.Win32.SafeHandles;

namespace Forebay.Core;

/// <summary>
/// Bytes of an object as they lie in a cache file. While it is not disposed the bytes stay as they are: the range is neither
/// punched nor rewritten, and the file's space counts as used. Dispose exactly once.
/// </summary>
public readonly struct FileSegment : IDisposable
{
    private readonly IFileReference? _reference;

    /// <summary>Creates a segment that holds a reference.</summary>
    /// <param name="file">Open for reading; owned by the cache.</param>
    /// <param name="offset">First byte in the file.</param>
    /// <param name="length">Bytes, &gt; 0.</param>
    /// <param name="reference">Released once on dispose; null for none.</param>
    public FileSegment(SafeFileHandle file, long offset, long length, IFileReference? reference)
    {
        File = file;
        Offset = offset;
        Length = length;
        _reference = reference;
    }

    /// <summary>The file; null exactly when <see cref="IsEmpty"/>.</summary>
    public SafeFileHandle? File { get; }

    /// <summary>First byte in the file, equal to its offset in the object.</summary>
    public long Offset { get; }

    /// <summary>Number of bytes.</summary>
    public long Length { get; }

    /// <summary>True when the bytes are in no file.</summary>
    public bool IsEmpty => File is null;

    /// <inheritdoc/>
    public void Dispose() => _reference?.Release(new ByteRange(Offset, Length));
}

/// <summary>What a <see cref="FileSegment"/> holds on to.</summary>
public interface IFileReference
{
    /// <summary>Gives one reference back.</summary>
    /// <param name="range">The bytes it was taken for.</param>
    void Release(ByteRange range);
}
