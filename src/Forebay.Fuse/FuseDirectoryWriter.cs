using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// Packs the names of a directory into the answer to READDIR or READDIRPLUS. Made by <see cref="FuseRequest.StartDirectory"/>;
/// ended by <see cref="Reply"/> or <see cref="Abandon"/>, exactly once. Not thread-safe.
/// </summary>
/// <remarks>Layout of an entry: for READDIRPLUS <c>fuse_entry_out</c> (128 bytes); then inode 8, cookie 8, name length 4, type 4, name, zeros up to a multiple of 8.</remarks>
public ref struct FuseDirectoryWriter
{
    private readonly FuseRequest _request;
    private readonly FuseReplyBuffer _buffer;
    private readonly Span<byte> _room;
    private int _used;

    internal FuseDirectoryWriter(FuseRequest request, FuseReplyBuffer buffer, int size)
    {
        _request = request;
        _buffer = buffer;
        _room = buffer.GetSpan()[..Math.Min(size, buffer.DataBytes)];
    }

    /// <summary>Bytes packed so far.</summary>
    public readonly int UsedBytes => _used;

    /// <summary>Adds a name to the answer to READDIR.</summary>
    /// <param name="name">1–1,024 bytes.</param>
    /// <param name="inode">Inode number, not 0: programs skip entries with 0.</param>
    /// <param name="mode">File type as in <see cref="FuseAttr.Mode"/>; permission bits are ignored.</param>
    /// <param name="nextCookie">Where the stream goes on after this name: the <see cref="FuseReadIn.Offset"/> of the next request. Not 0, at most <see cref="long.MaxValue"/>.</param>
    /// <returns>False when there is no room: nothing was added, answer with what is there.</returns>
    public bool TryAdd(ReadOnlySpan<byte> name, ulong inode, uint mode, ulong nextCookie)
        => TryAddDirent(name, inode, mode, nextCookie, headBytes: 0, out _);

    /// <summary>Adds a name with its entry to the answer to READDIRPLUS.</summary>
    /// <param name="name">1–1,024 bytes.</param>
    /// <param name="entry">As for LOOKUP; with a nodeid of 0 the kernel takes the name only, and looks it up when asked. <see cref="FuseAttr.Inode"/> and <see cref="FuseAttr.Mode"/> must be set in either case.</param>
    /// <param name="nextCookie">As for <see cref="TryAdd"/>.</param>
    /// <returns>False when there is no room: nothing was added, and no lookup counted.</returns>
    public unsafe bool TryAddPlus(ReadOnlySpan<byte> name, in FuseEntryOut entry, ulong nextCookie)
    {
        int at = _used;
        if (!TryAddDirent(name, entry.Attr.Inode, entry.Attr.Mode, nextCookie, sizeof(FuseEntryOut), out Span<byte> head))
        {
            return false;
        }

        MemoryMarshal.Write(head, entry);
        return _used > at;
    }

    /// <summary>Sends what was packed; nothing packed means the end of the directory.</summary>
    public readonly void Reply() => _request.ReplyBuffer(_buffer, _used);

    /// <summary>Sends an error instead.</summary>
    /// <param name="errno">Positive errno.</param>
    public readonly void Abandon(int errno)
    {
        _buffer.Return();
        _request.ReplyError(errno);
    }

    private unsafe bool TryAddDirent(ReadOnlySpan<byte> name, ulong inode, uint mode, ulong nextCookie, int headBytes, out Span<byte> head)
    {
        ArgumentOutOfRangeException.ThrowIfZero(name.Length);
        int total = (headBytes + sizeof(FuseDirent) + name.Length + 7) & ~7;
        if (total > _room.Length - _used)
        {
            head = default;
            return false;
        }

        Span<byte> place = _room.Slice(_used, total);
        place[^8..].Clear();
        head = place[..headBytes];
        FuseDirent dirent = new() { Inode = inode, Offset = nextCookie, NameLength = (uint)name.Length, Type = (mode & FuseMode.TypeMask) >> 12 };
        MemoryMarshal.Write(place[headBytes..], dirent);
        name.CopyTo(place[(headBytes + Unsafe.SizeOf<FuseDirent>())..]);
        _used += total;
        return true;
    }
}
