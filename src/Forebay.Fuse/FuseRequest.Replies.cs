using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Fuse;

/// <content>The answers.</content>
public readonly partial struct FuseRequest
{
    /// <summary>Answers with an error.</summary>
    /// <param name="errno">Positive, see <see cref="Errno"/>.</param>
    public void ReplyError(int errno)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(errno);
        Send(errno, default);
    }

    /// <summary>Answers with success and nothing else.</summary>
    public void ReplyEmpty() => Send(0, default);

    /// <summary>Answers LOOKUP, MKNOD, MKDIR, SYMLINK, LINK.</summary>
    public void ReplyEntry(in FuseEntryOut entry) => SendStruct(entry);

    /// <summary>Answers GETATTR and SETATTR.</summary>
    public void ReplyAttr(in FuseAttrOut attributes) => SendStruct(attributes);

    /// <summary>Answers STATX.</summary>
    public void ReplyStatx(in FuseStatxOut attributes) => SendStruct(attributes);

    /// <summary>Answers OPEN and OPENDIR.</summary>
    public void ReplyOpen(in FuseOpenOut opened) => SendStruct(opened);

    /// <summary>Answers CREATE and TMPFILE.</summary>
    public void ReplyCreate(in FuseEntryOut entry, in FuseOpenOut opened)
    {
        Span<byte> body = stackalloc byte[Unsafe.SizeOf<FuseEntryOut>() + Unsafe.SizeOf<FuseOpenOut>()];
        MemoryMarshal.Write(body, entry);
        MemoryMarshal.Write(body[Unsafe.SizeOf<FuseEntryOut>()..], opened);
        Send(0, body);
    }

    /// <summary>Answers STATFS.</summary>
    public void ReplyStatFs(in FuseStatfs figures) => SendStruct(figures);

    /// <summary>Answers WRITE.</summary>
    /// <param name="bytes">Bytes taken.</param>
    public void ReplyWrite(uint bytes) => SendStruct(new FuseWriteOut { Size = bytes });

    /// <summary>Answers COPY_FILE_RANGE (which can tell at most 4 GiB less 1) and COPY_FILE_RANGE_64.</summary>
    /// <param name="bytes">Bytes copied.</param>
    public void ReplyCopied(ulong bytes)
    {
        if (Opcode == FuseOpcode.CopyFileRange64)
        {
            Send(0, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in bytes)));
            return;
        }

        ReplyWrite((uint)Math.Min(bytes, uint.MaxValue));
    }

    /// <summary>Answers LSEEK.</summary>
    /// <param name="offset">The place found.</param>
    public void ReplyLseek(ulong offset) => SendStruct(new FuseLseekOut { Offset = offset });

    /// <summary>Answers GETLK.</summary>
    public void ReplyLock(in FuseFileLock found) => SendStruct(new FuseLockOut { Lock = found });

    /// <summary>Answers BMAP.</summary>
    /// <param name="block">Block of the device.</param>
    public void ReplyBmap(ulong block) => SendStruct(new FuseBmapOut { Block = block });

    /// <summary>Answers POLL.</summary>
    /// <param name="events">POLL* bits that are ready.</param>
    public void ReplyPoll(uint events) => SendStruct(new FusePollOut { Events = events });

    /// <summary>Answers IOCTL.</summary>
    /// <param name="result">What ioctl(2) returns.</param>
    /// <param name="output">At most <see cref="FuseIoctlIn.OutSize"/> bytes.</param>
    public void ReplyIoctl(int result, ReadOnlySpan<byte> output)
    {
        FuseReplyBuffer buffer = RentBuffer();
        Span<byte> room = buffer.GetSpan();
        MemoryMarshal.Write(room, new FuseIoctlOut { Result = result });
        output.CopyTo(room[Unsafe.SizeOf<FuseIoctlOut>()..]);
        ReplyBuffer(buffer, Unsafe.SizeOf<FuseIoctlOut>() + output.Length);
    }

    /// <summary>Answers GETXATTR and LISTXATTR: the length when the caller asked for it, ERANGE when its room is too small, else the value.</summary>
    /// <param name="value">The whole value, at most 65,536 bytes.</param>
    /// <param name="size">Room of the caller as the request gave it.</param>
    public void ReplyXattr(ReadOnlySpan<byte> value, uint size)
    {
        if (size == 0)
        {
            SendStruct(new FuseGetXattrOut { Size = (uint)value.Length });
            return;
        }

        if ((uint)value.Length > size)
        {
            Send(Errno.ERANGE, default);
            return;
        }

        Send(0, value);
    }

    /// <summary>Answers READ and READLINK with bytes from memory, by one writev(2).</summary>
    /// <param name="data">Not more than was asked for; the kernel has copied it when this returns.</param>
    public void ReplyData(ReadOnlySpan<byte> data) => Send(0, data);

    /// <summary>A buffer for the data of an answer of up to <see cref="FuseConnection.MaxPages"/> × 4 KiB; the caller owns it until <see cref="ReplyBuffer"/> or <see cref="FuseReplyBuffer.Return"/>.</summary>
    public FuseReplyBuffer RentBuffer() => Live.Dispatcher.RentBuffer();

    /// <summary>Answers with the first bytes of a buffer, by one write(2), and takes the buffer back.</summary>
    /// <param name="buffer">From <see cref="RentBuffer"/>; not to be used afterwards, also when this throws.</param>
    /// <param name="bytes">How many, 0–<see cref="FuseReplyBuffer.DataBytes"/>.</param>
    public void ReplyBuffer(FuseReplyBuffer buffer, int bytes)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        try
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)buffer.DataBytes);
            FuseRequestContext context = Claim();
            context.Dispatcher.SendBuffer(context, buffer, bytes);
        }
        finally
        {
            buffer.Return();
        }
    }

    /// <summary>Answers READ with a range of a file, read into a pooled buffer. The session's thread blocks for as long as the file does.</summary>
    /// <param name="file">Open for reading; borrowed until this returns.</param>
    /// <param name="offset">First byte, ≥ 0.</param>
    /// <param name="count">Exactly so many bytes, 0–the size of a buffer (<see cref="FuseReadIn.Size"/> always fits).</param>
    /// <returns>0 when it was answered. Else nothing was sent and the request is open: an errno, EIO also for a file that ends before the range does.</returns>
    public int TryReplyFile(SafeFileHandle file, long offset, int count)
    {
        FuseReplyBuffer buffer = RentBuffer();
        int errno = count <= buffer.DataBytes ? FuseDevice.ReadExactly(file, buffer, offset, count) : Errno.EINVAL;
        if (errno != 0)
        {
            buffer.Return();
            return errno;
        }

        ReplyBuffer(buffer, count);
        return 0;
    }

    /// <summary>Begins the answer to READDIR or READDIRPLUS.</summary>
    /// <param name="size">Room as the request gave it (<see cref="FuseReadIn.Size"/>).</param>
    public FuseDirectoryWriter StartDirectory(uint size) => new(this, RentBuffer(), (int)Math.Min(size, int.MaxValue));

    private void SendStruct<T>(in T body)
        where T : unmanaged
        => Send(0, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in body)));

    private void Send(int errno, ReadOnlySpan<byte> body)
    {
        FuseRequestContext context = Claim();
        context.Dispatcher.Send(context, errno, body);
    }

    private FuseRequestContext Claim()
    {
        if (_context is null || !_context.TryClaim(_serial))
        {
            ThrowStale();
        }

        return _context;
    }
}
