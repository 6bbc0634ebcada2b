using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Forebay.Core;

namespace Forebay.FileSystem;

/// <summary>
/// Everything the kernel may ask for again: nodeid → name, version and attributes, how often it was looked up, what is open. It lies in an
/// <see cref="InodeRegion"/>, so that a successor of a killed process answers for every old nodeid without asking anybody.
/// Thread-safe: one lock, held for look-ups and stores only.
/// </summary>
/// <remarks>
/// A nodeid stands for one version of one name: another version gets another nodeid, and none is used twice. The layout and what a kill leaves
/// behind: <see cref="RegionLayout"/>. A kill between counting a lookup and its answer leaves the count right, for the request is repeated with its
/// id; only when another request counted on the same inode in between is it one too high, and the slot stays until the mount ends.
/// </remarks>
internal sealed unsafe partial class InodeTable
{
    internal const ulong Root = 1;
    internal const int MostNameBytes = 255;
    private const int ChunkOnStack = 1024;
    private readonly Lock _lock = new();
    private readonly byte* _base;
    private readonly RegionHeader* _header;
    private readonly RegionLayout _layout;
    private readonly CellHeap _cells;
    private readonly Stack<int> _freeSlots = new();
    private int[] _buckets = new int[1024];
    private int _count;

    /// <summary>Opens the table that is in the region, or makes one.</summary>
    /// <param name="region">Memory; must outlive the table.</param>
    /// <param name="identity">What is mounted; a table of something else is refused.</param>
    /// <param name="now">Time of directories in a new table.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the region holds something else.</exception>
    internal InodeTable(InodeRegion region, ulong identity, DateTimeOffset now)
    {
        _base = region.Address;
        _header = (RegionHeader*)_base;
        bool isNew = _header->Magic == 0;
        _layout = isNew ? RegionLayout.For(InodesFor(region.ByteCount)) : new RegionLayout(_header->Inodes, _header->Cells, _header->Handles);
        if (!isNew)
        {
            Check(region, identity);
        }

        _cells = new CellHeap(_base + _layout.CellsAt, _layout.Cells, _header);
        if (isNew)
        {
            Initialize(identity, now);
        }

        IsTakenOver = !isNew;
        Rebuild();
    }

    /// <summary>True when the table was made by another process.</summary>
    internal bool IsTakenOver { get; }

    /// <summary>Inodes, the root included.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Most inodes.</summary>
    internal int Capacity => _layout.Inodes - 1;

    /// <summary>Memory that inodes and names take now: what was ever in use.</summary>
    internal long UsedBytes => ((long)_header->FreshSlot * sizeof(InodeSlot)) + ((long)_header->FreshCell * 32);

    /// <summary>Time of directories.</summary>
    internal long CreatedTicks => _header->CreatedTicks;

    /// <summary>What is known of a nodeid; false when it is not in use.</summary>
    internal bool TryGet(ulong nodeId, out InodeView view)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            view = slot is null ? default : ViewOf(nodeId, slot);
            return slot is not null;
        }
    }

    /// <summary>
    /// Gives the nodeid of one version of a name and counts one lookup. Another version than before gets a new nodeid; the old one is outdated then.
    /// </summary>
    /// <param name="parent">Directory, in use.</param>
    /// <param name="name">1–255 bytes.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="stat">The version; null exactly for a directory.</param>
    /// <param name="attributes">What its headers say.</param>
    /// <param name="unique">Id of the request that looks it up; 0 counts nothing, for names the kernel is not told.</param>
    /// <param name="isRepeated">The request was sent again after a kill: it may have been counted already.</param>
    /// <param name="view">The inode.</param>
    /// <returns>False when the table is full or the parent unknown.</returns>
    internal bool TryLookUp(
        ulong parent, ReadOnlySpan<byte> name, InodeKind kind, ObjectStat? stat, InodeAttributes attributes, ulong unique, bool isRepeated, out InodeView view)
    {
        lock (_lock)
        {
            view = default;
            InodeSlot* directory = Find(parent);
            if (directory is null)
            {
                return false;
            }

            ulong inode = HashOf(directory->Inode, name);
            int index = FindName(parent, inode, name);
            using Payload payload = new(name, stat);
            if (index != 0 && !IsSame(index, kind, attributes.AreFromHeaders, stat, payload))
            {
                MakeOutdated(index, inode);
                index = 0;
            }

            if (index == 0)
            {
                index = Add(parent, inode, kind, stat, payload);
                if (index == 0)
                {
                    return false;
                }
            }

            InodeSlot* slot = At(index);
            SetAttributes(slot, attributes);
            if (unique != 0 && !(isRepeated && slot->LastLookup == (uint)unique))
            {
                slot->Lookups++;
                Volatile.Write(ref slot->LastLookup, (uint)unique);
            }

            view = ViewOf(IdOf(index), slot);
            return true;
        }
    }

    /// <summary>Takes lookups back. An inode without any, without handles and without inodes below it is gone, unless the kernel holds a backing id.</summary>
    /// <returns>The backing id that must be closed before the inode can go (<see cref="ClearBacking"/> frees it then); 0 for none.</returns>
    internal int Forget(ulong nodeId, ulong lookups)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            if (slot is null || nodeId == Root)
            {
                return 0;
            }

            slot->Lookups = lookups > (ulong)slot->Lookups ? 0 : slot->Lookups - (long)lookups;
            if (slot->Lookups == 0 && slot->Opens == 0 && slot->BackingId != 0)
            {
                return slot->BackingId;
            }

            FreeIfUnused(nodeId, slot);
            return 0;
        }
    }

    /// <summary>The path below the mount, without leading slash; empty for the root, null for an unknown nodeid.</summary>
    internal string? PathOf(ulong nodeId)
    {
        lock (_lock)
        {
            int length = 0;
            for (ulong at = nodeId; at != Root; at = Find(at)->Parent)
            {
                InodeSlot* slot = Find(at);
                if (slot is null)
                {
                    return null;
                }

                length += slot->NameLength + 1;
            }

            return length == 0 ? "" : BuildPath(nodeId, length - 1);
        }
    }

    /// <summary>The version a nodeid stands for, its key the path below the mount; null for what is no object.</summary>
    internal ObjectStat? StatOf(ulong nodeId)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            if (slot is null || slot->Kind == (byte)InodeKind.Directory)
            {
                return null;
            }

            int total = slot->NameLength + slot->TokenLength + slot->ETagLength;
            byte[] rented = ArrayPool<byte>.Shared.Rent(total);
            try
            {
                Load(slot, rented.AsSpan(0, total));
                string token = PackedToken.Unpack(rented.AsSpan(slot->NameLength, slot->TokenLength), (TokenForm)slot->TokenForm);
                string etag = slot->ETagLength == 0 ? token : Encoding.UTF8.GetString(rented, slot->NameLength + slot->TokenLength, slot->ETagLength);
                var modified = new DateTimeOffset(DateTimeOffset.UnixEpoch.Ticks + slot->ModifiedTicks, TimeSpan.Zero);
                return PathOf(nodeId) is { } key ? new ObjectStat(key, slot->Size, new VersionToken(token), modified) { ETag = etag } : null;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    /// <summary>Copies the name of an inode.</summary>
    /// <param name="nodeId">The inode.</param>
    /// <param name="destination">At least 255 bytes.</param>
    /// <param name="parent">Its directory.</param>
    /// <returns>Bytes of the name; 0 for an unknown nodeid and the root.</returns>
    internal int NameOf(ulong nodeId, Span<byte> destination, out ulong parent)
    {
        lock (_lock)
        {
            parent = 0;
            InodeSlot* slot = Find(nodeId);
            if (slot is null || nodeId == Root)
            {
                return 0;
            }

            parent = slot->Parent;
            Load(slot, destination[..slot->NameLength]);
            return slot->NameLength;
        }
    }

    /// <summary>The nodeid a name stands for now; 0 when the kernel does not know it. Counts nothing.</summary>
    internal ulong Peek(ulong parent, ReadOnlySpan<byte> name)
    {
        lock (_lock)
        {
            InodeSlot* directory = Find(parent);
            int index = directory is null ? 0 : FindName(parent, HashOf(directory->Inode, name), name);
            return index == 0 ? 0 : IdOf(index);
        }
    }

    /// <summary>What st_ino a name in a directory has.</summary>
    internal static ulong HashOf(ulong parentInode, ReadOnlySpan<byte> name)
    {
        ulong hash = parentInode ^ ((ulong)name.Length << 56);
        while (name.Length >= sizeof(ulong))
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(name));
            name = name[sizeof(ulong)..];
        }

        ulong rest = 0;
        foreach (byte b in name)
        {
            rest = (rest << 8) | b;
        }

        hash = Mix(hash ^ rest);
        // 0 means "no inode" in directory entries, 1 is the root.
        return hash > Root ? hash : hash + 2;
    }

    /// <summary>The name does not stand for this version any more: an open answers ESTALE from now on.</summary>
    internal void SetOutdated(ulong nodeId)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            if (slot is not null && slot->IsOutdated == 0)
            {
                MakeOutdated((int)(uint)nodeId, slot->Inode);
            }
        }
    }

    /// <summary>The finalizer of SplitMix64 (Steele, Lea, Flood 2014).</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private static int InodesFor(long bytes)
    {
        int inodes = (int)Math.Min(InodeRegion.MostInodes, (bytes - RegionLayout.SlotsAt) / (sizeof(InodeSlot) + 64));
        while (RegionLayout.For(inodes).TotalBytes > bytes)
        {
            inodes -= 1 + (int)((RegionLayout.For(inodes).TotalBytes - bytes) / (sizeof(InodeSlot) + 64));
        }

        return inodes;
    }

    private void Check(InodeRegion region, ulong identity)
    {
        if (_header->Magic != RegionLayout.Magic || _header->Format != RegionLayout.Format)
        {
            throw InodeRegion.Foreign($"its format is not {RegionLayout.Format}");
        }

        if (_header->Identity != identity)
        {
            throw InodeRegion.Foreign("it belongs to another source");
        }

        bool sane = _layout is { Inodes: >= 2, Cells: >= 1, Handles: >= 1 } && _layout.TotalBytes <= region.ByteCount
            && _header->FreshSlot >= 2 && _header->FreshSlot <= _layout.Inodes
            && _header->FreshCell >= 1 && _header->FreshCell <= _layout.Cells
            && _header->FreshHandle >= 1 && _header->FreshHandle <= _layout.Handles;
        if (!sane)
        {
            throw InodeRegion.Foreign("its head is damaged");
        }
    }

    private void Initialize(ulong identity, DateTimeOffset now)
    {
        *_header = new RegionHeader
        {
            Format = RegionLayout.Format,
            Inodes = _layout.Inodes,
            Cells = _layout.Cells,
            Handles = _layout.Handles,
            Identity = identity,
            CreatedTicks = now.Ticks - DateTimeOffset.UnixEpoch.Ticks,
            FreshSlot = 2,
            FreshCell = 1,
            FreshHandle = 1,
        };
        *At(1) = new InodeSlot
        {
            State = 1,
            Inode = Root,
            Lookups = 1,
            Kind = (byte)InodeKind.Directory,
            Mode = InodeAttributes.Unknown,
            Uid = InodeAttributes.Unknown,
            Gid = InodeAttributes.Unknown,
            ModifiedTicks = _header->CreatedTicks,
        };
        Volatile.Write(ref _header->Magic, RegionLayout.Magic);
    }

    private InodeSlot* At(int index) => (InodeSlot*)(_base + RegionLayout.SlotsAt) + index;

    private ulong IdOf(int index) => ((ulong)At(index)->Generation << 32) | (uint)index;

    private InodeSlot* Find(ulong nodeId)
    {
        uint index = (uint)nodeId;
        if (index == 0 || index >= (uint)_header->FreshSlot)
        {
            return null;
        }

        InodeSlot* slot = At((int)index);
        return slot->State != 0 && slot->Generation == (uint)(nodeId >> 32) ? slot : null;
    }

    private static InodeView ViewOf(ulong nodeId, InodeSlot* slot) => new(
        nodeId,
        slot->Parent,
        (InodeKind)slot->Kind,
        slot->Inode,
        slot->Size,
        new InodeAttributes(slot->Mode, slot->Uid, slot->Gid, slot->ModifiedTicks, slot->HasHeaders != 0),
        slot->Opens,
        (OpenMode)slot->OpenMode,
        slot->BackingId,
        slot->IsOutdated != 0);

    private static void SetAttributes(InodeSlot* slot, InodeAttributes attributes)
    {
        if (slot->HasHeaders != 0 && !attributes.AreFromHeaders)
        {
            // The same version, seen in a listing: it says less than what is known.
            return;
        }

        slot->HasHeaders = attributes.AreFromHeaders ? (ushort)1 : (ushort)0;
        slot->Mode = attributes.Mode;
        slot->Uid = attributes.Uid;
        slot->Gid = attributes.Gid;
        slot->ModifiedTicks = attributes.ModifiedTicks;
    }

    private string? BuildPath(ulong nodeId, int length)
    {
        byte[]? rented = length > ChunkOnStack ? ArrayPool<byte>.Shared.Rent(length) : null;
        Span<byte> path = rented is null ? stackalloc byte[ChunkOnStack] : rented;
        int end = length;
        for (ulong at = nodeId; at != Root;)
        {
            InodeSlot* slot = Find(at);
            end -= slot->NameLength;
            Load(slot, path.Slice(end, slot->NameLength));
            at = slot->Parent;
            if (at != Root)
            {
                path[--end] = (byte)'/';
            }
        }

        string text = Encoding.UTF8.GetString(path[..length]);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return text;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Load(InodeSlot* slot, Span<byte> destination)
    {
        var inline = new ReadOnlySpan<byte>(slot->Inline, Math.Min(destination.Length, InodeSlot.InlineBytes));
        inline.CopyTo(destination);
        _cells.Load(slot->Cell, destination[inline.Length..]);
    }
}
