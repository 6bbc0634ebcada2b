using Forebay.Core;
using Forebay.Mounting.Messages;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting;

/// <summary>The memory that outlives a worker: an unnamed file in memory that the holder keeps and each worker maps.</summary>
public sealed unsafe class SharedMemory : IDisposable
{
    private const int ReadWrite = 3;
    private const int Shared = 1;

    private readonly nuint _length;

    private SharedMemory(void* address, nuint length)
    {
        Address = address;
        _length = length;
    }

    /// <summary>First byte, at the beginning of a page of memory. Valid until disposed.</summary>
    public void* Address { get; private set; }

    /// <summary>Maps it into this process.</summary>
    /// <param name="memory">From the holder; not needed any more afterwards.</param>
    /// <param name="bytes">Its length.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: no address space.</exception>
    public static SharedMemory Map(SafeFileHandle memory, long bytes)
    {
        void* address = Native.Map(null, (nuint)bytes, ReadWrite, Shared, memory, 0);
        return (nint)address != -1 ? new SharedMemory(address, (nuint)bytes) : throw SystemError.Last("the shared memory cannot be mapped");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Address is not null)
        {
            _ = Native.Unmap(Address, _length);
            Address = null;
        }
    }

    /// <summary>Makes it. Memory is taken only where it is written.</summary>
    internal static SafeFileHandle Create(long bytes)
    {
        SafeFileHandle handle = new(Native.CreateMemoryFile("forebay-inodes", Native.MemfdCloseOnExec), ownsHandle: true);
        if (handle.IsInvalid || Native.Truncate(handle, bytes) != 0)
        {
            throw SystemError.Last("no shared memory could be made");
        }

        return handle;
    }
}
