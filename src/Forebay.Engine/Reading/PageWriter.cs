using Forebay.Caching;
using Forebay.Core;

namespace Forebay.Engine.Reading;

/// <summary>
/// Writes a stream of bytes into the pages of a cache file: asks for room at each page's first byte, sums its checksum, and commits it at its
/// last. Bytes of provisional reads are written, but their pages are committed only when the version has been confirmed.
/// </summary>
/// <remarks>Not thread-safe. The caller holds a reference on the file.</remarks>
internal sealed class PageWriter
{
    private readonly CacheFile _file;
    private readonly List<(int Page, uint Checksum)> _provisional = [];
    private bool _isProvisional;
    private long _confirmed;
    private uint _checksum;
    private bool _isPresent;

    internal PageWriter(CacheFile file, long start)
    {
        _file = file;
        Position = start;
        _confirmed = start;
    }

    /// <summary>Offset of the next byte.</summary>
    internal long Position { get; private set; }

    /// <summary>Begins a read at <see cref="Position"/>.</summary>
    internal void Begin(bool isProvisional) => _isProvisional = isProvisional;

    /// <summary>Goes back to where the next read must begin after a broken one: what a provisional read left unconfirmed is written anew.</summary>
    internal void Rewind()
    {
        if (_isProvisional)
        {
            _provisional.Clear();
            Position = _confirmed;
        }
    }

    /// <summary>Writes the next bytes.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NoSpace"/>: there is no room, or the disk failed.</exception>
    internal void Write(ReadOnlySpan<byte> data)
    {
        int pageSize = _file.PageSizeBytes;
        while (!data.IsEmpty)
        {
            int page = (int)(Position / pageSize);
            int inPage = (int)(Position % pageSize);
            if (inPage == 0)
            {
                BeginPage(page);
            }

            int length = _file.LengthOf(page);
            ReadOnlySpan<byte> piece = data[..Math.Min(data.Length, length - inPage)];
            if (!_isPresent && !_file.Write(Position, piece))
            {
                throw new ForebayException(ErrorKind.NoSpace, "The cache directory cannot be written.");
            }

            _checksum = Crc32C.Append(_checksum, piece);
            Position += piece.Length;
            data = data[piece.Length..];
            if (inPage + piece.Length == length)
            {
                EndPage(page);
            }
        }
    }

    /// <summary>Commits the pages of a provisional read whose version was confirmed.</summary>
    internal void CommitProvisional()
    {
        foreach ((int page, uint checksum) in _provisional)
        {
            _file.Commit(page, checksum);
        }

        _provisional.Clear();
        _confirmed = Position;
    }

    private void BeginPage(int page)
    {
        _checksum = 0;
        ReserveStatus status = _file.Reserve(page);
        if (status == ReserveStatus.Present && !_file.Verify(page))
        {
            // It was there, but damaged.
            status = _file.Reserve(page);
        }

        if (status == ReserveStatus.Refused)
        {
            throw new ForebayException(ErrorKind.NoSpace, "The cache has no room.");
        }

        _isPresent = status == ReserveStatus.Present;
    }

    private void EndPage(int page)
    {
        if (_isProvisional)
        {
            if (!_isPresent)
            {
                _provisional.Add((page, _checksum));
            }

            return;
        }

        _confirmed = Position;
        if (!_isPresent)
        {
            _file.Commit(page, _checksum);
        }
    }
}
