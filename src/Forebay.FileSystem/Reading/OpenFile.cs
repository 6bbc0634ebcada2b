using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>One open file that is read through this process. Its reader is made at the first read. Thread-safe.</summary>
internal sealed class OpenFile(IFileMountPoint mount, ObjectStat stat)
{
    private readonly Lock _lock = new();
    private IFileReader? _reader;
    private int _reads;
    private bool _isClosed;

    /// <summary>The version that is read; its key is the path.</summary>
    internal ObjectStat Stat { get; } = stat;

    /// <summary>The reader, kept until <see cref="End"/>; null when the file was closed meanwhile.</summary>
    internal IFileReader? Begin()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return null;
            }

            _reads++;
            return _reader ??= mount.OpenVersion(Stat, requestId: null);
        }
    }

    /// <summary>A read has ended.</summary>
    internal void End()
    {
        lock (_lock)
        {
            if (--_reads > 0 || !_isClosed)
            {
                return;
            }
        }

        _reader?.Dispose();
    }

    /// <summary>No read begins any more; the reader goes with the last one.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
            if (_reads > 0)
            {
                return;
            }
        }

        _reader?.Dispose();
    }
}
