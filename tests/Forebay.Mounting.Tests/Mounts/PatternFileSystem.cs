using System.Buffers.Binary;
using System.Security.Cryptography;
using Forebay.Fuse;

namespace Forebay.Mounting.Tests.Mounts;

/// <summary>A directory with one file, whose bytes follow from their offsets. Reads are answered late, so that a worker always has some at hand when it is killed.</summary>
internal sealed class PatternFileSystem(TimeSpan delay) : FuseFileSystem
{
    public const long FileBytes = 24 << 20;
    public const string FileName = "pattern";
    private const ulong Root = 1;
    private const ulong File = 2;

    /// <summary>SHA-256 of the whole file.</summary>
    public static string Digest()
    {
        byte[] all = new byte[FileBytes];
        Fill(all, 0);
        return Convert.ToHexStringLower(SHA256.HashData(all));
    }

    public override void Lookup(FuseRequest request, ReadOnlySpan<byte> name)
    {
        if (request.NodeId != Root || !name.SequenceEqual("pattern"u8))
        {
            request.ReplyError(Errno.ENOENT);
            return;
        }

        request.ReplyEntry(new FuseEntryOut { NodeId = File, EntryValidSeconds = 1, AttrValidSeconds = 1, Attr = AttributesOf(File) });
    }

    public override void GetAttr(FuseRequest request, in FuseGetAttrIn arguments) => request.ReplyAttr(new FuseAttrOut { ValidSeconds = 1, Attr = AttributesOf(request.NodeId) });

    public override void Open(FuseRequest request, in FuseOpenIn arguments) => request.ReplyOpen(new FuseOpenOut { Handle = request.NodeId, Flags = (uint)FuseOpenFlags.DirectIo });

    public override void OpenDirectory(FuseRequest request, in FuseOpenIn arguments) => request.ReplyOpen(new FuseOpenOut());

    public override void ReadDirectory(FuseRequest request, in FuseReadIn arguments)
    {
        FuseDirectoryWriter writer = request.StartDirectory(arguments.Size);
        if (arguments.Offset == 0)
        {
            writer.TryAdd("pattern"u8, File, FuseMode.File, 1);
        }

        writer.Reply();
    }

    public override void Read(FuseRequest request, in FuseReadIn arguments)
    {
        long offset = (long)arguments.Offset;
        int size = (int)Math.Clamp(FileBytes - offset, 0, arguments.Size);
        _ = AnswerAsync(request, offset, size);
    }

    private async Task AnswerAsync(FuseRequest request, long offset, int size)
    {
        await Task.Delay(delay);
        byte[] bytes = new byte[size];
        Fill(bytes, offset);
        request.ReplyData(bytes);
    }

    private static void Fill(Span<byte> bytes, long offset)
    {
        // 4 KiB aligned, as the kernel reads; a word tells where it stands.
        for (int i = 0; i + 8 <= bytes.Length; i += 8)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes[i..], (offset + i) * 0x5DEECE66DL);
        }
    }

    private static FuseAttr AttributesOf(ulong node) => node == Root
        ? new FuseAttr { Inode = Root, Mode = FuseMode.Directory | 0x1ED, Links = 2 }
        : new FuseAttr { Inode = File, Mode = FuseMode.File | 0x124, Links = 1, Size = FileBytes, Blocks = FileBytes / 512 };
}
