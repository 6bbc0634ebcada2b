using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>Reads a whole file that another process lends; when that fails, what the mount point gives. Thread-safe.</summary>
/// <param name="file">All bytes; owned by this reader.</param>
/// <param name="other">The mount point's own reader of the same version; owned by this one.</param>
internal sealed class LentReader(FileSegment file, IFileReader other) : IFileReader
{
    private volatile bool _isUnreadable;

    /// <inheritdoc/>
    public bool TryGetSegment(long offset, long length, out FileSegment segment)
    {
        if (_isUnreadable)
        {
            return other.TryGetSegment(offset, length, out segment);
        }

        segment = new FileSegment(file.File!, offset, Math.Min(length, file.Length - offset), reference: null);
        return true;
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        int wanted = (int)Math.Clamp(file.Length - offset, 0, destination.Length);
        return _isUnreadable || !TryRead(offset, destination.Span[..wanted]) ? other.ReadAsync(offset, destination, cancellationToken) : new ValueTask<int>(wanted);
    }

    /// <inheritdoc/>
    public void ReportUnreadable()
    {
        if (_isUnreadable)
        {
            other.ReportUnreadable();
        }

        _isUnreadable = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        file.Dispose();
        other.Dispose();
    }

    private bool TryRead(long offset, Span<byte> destination)
    {
        try
        {
            if (RandomAccess.Read(file.File!, destination, offset) == destination.Length)
            {
                return true;
            }
        }
        catch (IOException)
        {
            // Whose disk it is counts and tells it; here the bytes only come another way.
        }

        _isUnreadable = true;
        return false;
    }
}
