using System.Buffers;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.UnderStores.Local;

/// <summary>
/// Reads a range of one open file. The file is looked at before the first byte (by the opener) and after the last one is in the
/// buffer but before it is handed out, so a complete range always belongs to one version.
/// </summary>
internal sealed class LocalRead : UnderStoreRead
{
    private const int MaxReadBytes = 1 << 20;

    private readonly LocalFile _files;
    private readonly IoThreads _threads;
    private readonly SafeFileHandle _handle;
    private long _position;

    public LocalRead(LocalFile files, IoThreads threads, SafeFileHandle handle, long position)
    {
        _files = files;
        _threads = threads;
        _handle = handle;
        _position = position;
    }

    /// <inheritdoc/>
    public override bool IsProvisional => true;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        int wanted = (int)Math.Min(Math.Min(destination.Length, Range.End - _position), MaxReadBytes);
        if (wanted == 0)
        {
            return 0;
        }

        // Not into the caller's memory: a call that hangs outlives the caller's wait.
        Piece piece = await _threads.RunAsync(() => ReadPiece(wanted), static abandoned => abandoned.Return(), cancellationToken);
        piece.Buffer.AsSpan(0, piece.Length).CopyTo(destination.Span);
        piece.Return();
        _position += piece.Length;
        return piece.Length;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        _handle.Dispose();
        return ValueTask.CompletedTask;
    }

    private Piece ReadPiece(int wanted)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(wanted);
        try
        {
            int read = _files.Read(_handle, buffer.AsSpan(0, wanted), _position, Stat.Key);
            bool isLast = _position + read == Range.End;
            if ((isLast || read == 0) && _files.Refresh(_handle, Stat.Key).Token != Stat.Token)
            {
                throw new ForebayException(ErrorKind.StaleVersion, $"'{Stat.Key}' changed in {_files.DisplayName} while it was read");
            }

            return read > 0 ? new Piece(buffer, read) : throw new ForebayException(ErrorKind.Unavailable, $"'{Stat.Key}' in {_files.DisplayName} ended early");
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    private readonly record struct Piece(byte[] Buffer, int Length)
    {
        public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
    }
}
