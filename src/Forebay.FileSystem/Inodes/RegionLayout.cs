using System.Runtime.InteropServices;

namespace Forebay.FileSystem;

/// <summary>
/// Places in the memory of an inode table. All numbers are little-endian, as the processor has them.
/// <code>
/// offset          size            content
/// 0               4,096           RegionHeader
/// 4,096           inodes × 128    InodeSlot; slot 0 is unused, slot 1 the root
/// …               cells × 32      cells: next:4 content:28; cell 0 is unused
/// …               handles × 64    HandleSlot; slot 0 is unused
/// </code>
/// What a kill leaves behind: a slot counts from the store of its <c>State</c>, which comes last when it is taken and first when it is given back.
/// Everything that can be derived (hash chains, numbers of children, which cells are free) is made anew when a table is opened and
/// not believed.
/// </summary>
internal readonly record struct RegionLayout(int Inodes, int Cells, int Handles)
{
    internal const long SlotsAt = 4096;
    internal const int HandleCount = 65_536;
    internal const ulong Magic = 0x31444F4E49424652; // "RFBINOD1" read as little-endian text
    internal const uint Format = 1;

    internal long CellsAt => SlotsAt + ((long)Inodes * 128);

    internal long HandlesAt => CellsAt + ((long)Cells * 32);

    internal long TotalBytes => HandlesAt + ((long)Handles * 64);

    internal static RegionLayout For(int inodes) => new(inodes, (int)Math.Min(2L * inodes, int.MaxValue / 32), HandleCount);
}

/// <summary>Head of the memory of an inode table, 64 of its 4,096 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct RegionHeader
{
    /// <summary>0 until the table is initialised; stored last. At byte 0.</summary>
    internal ulong Magic;

    /// <summary>Version of this layout. At byte 8.</summary>
    internal uint Format;

    /// <summary>Slots. At byte 12.</summary>
    internal int Inodes;

    /// <summary>Cells. At byte 16.</summary>
    internal int Cells;

    /// <summary>Handles. At byte 20.</summary>
    internal int Handles;

    /// <summary>What is mounted; a table of another source is not taken over. At byte 24.</summary>
    internal ulong Identity;

    /// <summary>When the table was made, 100 ns since 1970: the time of directories. At byte 32.</summary>
    internal long CreatedTicks;

    /// <summary>Slots from here on were never used. At byte 40.</summary>
    internal int FreshSlot;

    /// <summary>Cells from here on were never used. At byte 44.</summary>
    internal int FreshCell;

    /// <summary>Handles from here on were never used. At byte 48.</summary>
    internal int FreshHandle;
}

/// <summary>One inode, 128 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal unsafe struct InodeSlot
{
    internal const int InlineBytes = 32;

    /// <summary>0 free, 1 in use. At byte 0.</summary>
    internal uint State;

    /// <summary>Rises each time the slot is given back; upper half of the nodeid. At byte 4.</summary>
    internal uint Generation;

    /// <summary>Nodeid of the directory it was found in; 0 for the root. At byte 8.</summary>
    internal ulong Parent;

    /// <summary>Hash of the path, shown as st_ino. At byte 16.</summary>
    internal ulong Inode;

    /// <summary>Length of the object. At byte 24.</summary>
    internal long Size;

    /// <summary>Time of change, 100 ns since 1970. At byte 32.</summary>
    internal long ModifiedTicks;

    /// <summary>Lookups the kernel has not given back. At byte 40.</summary>
    internal long Lookups;

    /// <summary>Low half of the id of the request that was counted last, so that its repetition after a kill is not counted again. At byte 48.</summary>
    internal uint LastLookup;

    /// <summary>Handles. At byte 52.</summary>
    internal int Opens;

    /// <summary>Passthrough backing id the kernel holds for it; 0 for none. At byte 56.</summary>
    internal int BackingId;

    /// <summary><see cref="InodeKind"/>. At byte 60.</summary>
    internal byte Kind;

    /// <summary><see cref="OpenMode"/> that all its handles share. At byte 61.</summary>
    internal byte OpenMode;

    /// <summary>1 once the name stands for another version. At byte 62.</summary>
    internal byte IsOutdated;

    /// <summary><see cref="TokenForm"/>. At byte 63.</summary>
    internal byte TokenForm;

    /// <summary>Permission bits, or <see cref="InodeAttributes.Unknown"/>. At byte 64.</summary>
    internal uint Mode;

    /// <summary>Owner, or <see cref="InodeAttributes.Unknown"/>. At byte 68.</summary>
    internal uint Uid;

    /// <summary>Group, or <see cref="InodeAttributes.Unknown"/>. At byte 72.</summary>
    internal uint Gid;

    /// <summary>Bytes of the name. At byte 76.</summary>
    internal ushort NameLength;

    /// <summary>Bytes of the token behind the name. At byte 78.</summary>
    internal ushort TokenLength;

    /// <summary>Bytes of the ETag behind the token; 0 when the token is the ETag. At byte 80.</summary>
    internal ushort ETagLength;

    /// <summary>1 when the attributes come from the object's headers. At byte 82.</summary>
    internal ushort HasHeaders;

    /// <summary>First cell of what does not fit <see cref="Inline"/>; 0 for none. At byte 84.</summary>
    internal int Cell;

    /// <summary>Next slot of the hash chain; derived. At byte 88.</summary>
    internal int HashNext;

    /// <summary>Slots whose parent this is; derived. At byte 92.</summary>
    internal int Children;

    /// <summary>First bytes of name, token and ETag. At byte 96.</summary>
    internal fixed byte Inline[InlineBytes];
}

/// <summary>One open file or directory, 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct HandleSlot
{
    /// <summary>0 free, 1 file, 2 directory, 3 being closed. At byte 0.</summary>
    internal uint State;

    /// <summary>Rises each time the slot is given back; upper half of the handle. At byte 4.</summary>
    internal uint Generation;

    /// <summary>What is open. At byte 8.</summary>
    internal ulong NodeId;

    /// <summary>Id of the request that opened it, so that its repetition after a kill finds it. At byte 16.</summary>
    internal ulong Unique;

    /// <summary>0 or 1: which of the two positions holds. At byte 24.</summary>
    internal int Current;

    /// <summary>Cookie of the last entry given of a directory. At bytes 32 and 48.</summary>
    internal ulong Cookie0;

    /// <summary>Its name, in cells. At byte 40.</summary>
    internal int Cell0;

    /// <summary>Bytes of the name. At byte 44.</summary>
    internal int Length0;

    /// <summary>As <see cref="Cookie0"/>.</summary>
    internal ulong Cookie1;

    /// <summary>As <see cref="Cell0"/>. At byte 56.</summary>
    internal int Cell1;

    /// <summary>As <see cref="Length0"/>. At byte 60.</summary>
    internal int Length1;
}
