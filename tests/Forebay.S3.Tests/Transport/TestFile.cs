using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Tests.Transport;

/// <summary>A file whose every 8 bytes depend on seed and offset, so that a lost, repeated or shifted byte changes the hash.</summary>
internal sealed partial class TestFile : IDisposable
{
    private const int BlockBytes = 1 << 20;

    public TestFile(string path, long length, int seed)
    {
        Path = path;
        Length = length;
        byte[] block = new byte[BlockBytes];
        new Random(seed).NextBytes(block);
        using (SafeFileHandle writer = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite))
        {
            for (long offset = 0; offset < length; offset += BlockBytes)
            {
                BitConverter.TryWriteBytes(block, offset ^ seed);
                RandomAccess.Write(writer, block.AsSpan(0, (int)Math.Min(BlockBytes, length - offset)), offset);
            }
        }

        Handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
    }

    public string Path { get; }

    public long Length { get; }

    public SafeFileHandle Handle { get; }

    public byte[] Read(long offset, int length)
    {
        byte[] bytes = new byte[length];
        int done = 0;
        while (done < length)
        {
            done += RandomAccess.Read(Handle, bytes.AsSpan(done), offset + done);
        }

        return bytes;
    }

    public string Hash() => Hash(0, Length);

    public string Hash(long offset, long length)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        while (length > 0)
        {
            byte[] bytes = Read(offset, (int)Math.Min(length, BlockBytes));
            hash.AppendData(bytes);
            offset += bytes.Length;
            length -= bytes.Length;
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Drops it from the page cache; it must have been written out.</summary>
    public void Drop() => _ = Advise(Handle, 0, 0, 4 /* POSIX_FADV_DONTNEED */);

    public void Dispose() => Handle.Dispose();

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
