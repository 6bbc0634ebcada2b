using System.Runtime.InteropServices;
using Forebay.Core;

namespace Forebay.FileSystem;

/// <summary>
/// The memory an inode table lives in. A mount that must survive its worker gives it a mapping that outlives the process (a memfd); what is
/// written there at the moment of a <c>kill -9</c> is what a successor finds.
/// </summary>
/// <remarks>The memory belongs to whoever made it and must stay mapped, readable and writable as long as the region is used. One process at a
/// time may use it.</remarks>
public sealed unsafe class InodeRegion : IDisposable
{
    /// <summary>Smallest number of inodes of a table.</summary>
    public const int FewestInodes = 1_000;

    /// <summary>Largest number of inodes of a table.</summary>
    public const int MostInodes = 64_000_000;

    private byte* _owned;

    /// <summary>Uses memory that others made.</summary>
    /// <param name="address">First byte, aligned to 64 bytes. All zero for a new table.</param>
    /// <param name="byteCount">As <see cref="BytesFor"/> says.</param>
    public InodeRegion(void* address, long byteCount)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (((nuint)address & 63) != 0 || byteCount < BytesFor(FewestInodes))
        {
            throw new ArgumentException("The memory of an inode table is aligned to 64 bytes and as large as BytesFor says.");
        }

        Address = (byte*)address;
        ByteCount = byteCount;
    }

    /// <summary>Bytes that were given.</summary>
    public long ByteCount { get; }

    internal byte* Address { get; }

    /// <summary>Bytes a table of so many inodes needs at most. They are address space: only what is used takes memory, about
    /// <see cref="BytesPerInode"/> an inode.</summary>
    /// <param name="maxInodes"><see cref="FewestInodes"/>–<see cref="MostInodes"/>.</param>
    public static long BytesFor(int maxInodes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxInodes, FewestInodes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxInodes, MostInodes);
        return RegionLayout.For(maxInodes).TotalBytes;
    }

    /// <summary>Memory of an inode whose name and version fit its slot (32 bytes; an MD5 takes 16 of them); longer ones take 32 bytes more
    /// for each 28 bytes.</summary>
    public static int BytesPerInode => sizeof(InodeSlot);

    /// <summary>Makes a region in memory of this process, for a mount without a successor. Dispose frees it.</summary>
    public static InodeRegion Allocate(int maxInodes)
    {
        long bytes = BytesFor(maxInodes);
        // Not AlignedAlloc: only calloc gives zeroes without touching them.
        byte* memory = (byte*)NativeMemory.AllocZeroed((nuint)(bytes + 64));
        byte* aligned = memory + (-(nint)memory & 63);
        return new InodeRegion(aligned, bytes) { _owned = memory };
    }

    /// <summary>Frees the memory if <see cref="Allocate"/> made it.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_owned);
        _owned = null;
    }

    internal static ForebayException Foreign(string why)
        => new(ErrorKind.InvalidArgument, $"The inode table of the mount cannot be taken over: {why}. Unmount and mount again.");
}
