using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>One open file that is read through this process. Its reader is made at the first read. Thread-safe.</summary>
/// <param name="mount">What is mounted.</param>
/// <param name="stat">The version that is read.</param>
/// <param name="lenders">Who may lend its whole file, or null.</param>
internal sealed class OpenFile(IFileMountPoint mount, ObjectStat stat, IWholeFileSource? lenders) : IDisposable
{
    private readonly Lock _lock = new();
    private IFileReader? _reader;
    private Task? _borrowing;
    private int _reads;
    private bool _isClosed;

    /// <summary>The version that is read; its key is the path.</summary>
    internal ObjectStat Stat { get; } = stat;

    /// <summary>A read begins, which <see cref="End"/> ends; false when the file was closed.</summary>
    internal bool TryBegin()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _reads++;
            return true;
        }
    }

    /// <summary>The reader, for a read that has begun.</summary>
    internal IFileReader Reader()
    {
        lock (_lock)
        {
            return _reader ??= mount.OpenVersion(Stat, requestId: null);
        }
    }

    /// <summary>Asks once whether the whole file is lent, for a read that has begun and found nothing.</summary>
    /// <returns>The reader to go on with: the same, or one of what was lent.</returns>
    internal async ValueTask<IFileReader> BorrowAsync(CancellationToken cancellationToken)
    {
        if (lenders is not null)
        {
            Task borrowing;
            lock (_lock)
            {
                borrowing = _borrowing ??= BorrowOnceAsync(lenders);
            }

            await borrowing.WaitAsync(cancellationToken);
        }

        lock (_lock)
        {
            return _reader!;
        }
    }

    /// <summary>Reads what was lent when the file was opened, or asks for no other where nothing was; before the first read.</summary>
    internal void Use(FileSegment lent)
    {
        lock (_lock)
        {
            _borrowing = Task.CompletedTask;
            if (!lent.IsEmpty)
            {
                _reader = new LentReader(lent, mount.OpenVersion(Stat, requestId: null));
            }
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
    public void Dispose()
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

    private async Task BorrowOnceAsync(IWholeFileSource from)
    {
        // The read that asked may give up; others of this file still want the answer.
        FileSegment lent = await from.BorrowAsync(Stat, CancellationToken.None);
        if (lent.IsEmpty)
        {
            return;
        }

        lock (_lock)
        {
            if (!_isClosed || _reads > 0)
            {
                _reader = new LentReader(lent, _reader!);
                return;
            }
        }

        lent.Dispose();
    }
}
