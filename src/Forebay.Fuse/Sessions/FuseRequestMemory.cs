using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// Where one thread has its requests written. All of it is in memory from the beginning, and stays there where the system lets it: a thread that is
/// killed while it waits still takes a request that comes before it dies, and the kernel does not fetch missing pages for the dying. It could not copy
/// the request, and would answer it with EIO (<c>fuse_dev_do_read</c>); copied, it is sent again to the successor.
/// </summary>
internal sealed unsafe class FuseRequestMemory : IDisposable
{
    private const int PageBytes = 4096;

    internal FuseRequestMemory(int bytes)
    {
        Bytes = bytes;
        Address = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, PageBytes);
        NativeMemory.Clear(Address, (nuint)bytes);

        // Against swapping. Where a user may not lock so much, it is as it was.
        _ = Native.LockMemory(Address, (nuint)bytes);
    }

    internal byte* Address { get; private set; }

    internal int Bytes { get; }

    public void Dispose()
    {
        _ = Native.UnlockMemory(Address, (nuint)Bytes);
        NativeMemory.AlignedFree(Address);
        Address = null;
    }
}
