using System.Collections;

namespace Forebay.FileSystem;

/// <content>Open files and directories, and what the kernel reads without this process.</content>
internal sealed unsafe partial class InodeTable
{
    private const ulong RepeatedBit = 1UL << 63;
    private const int SlotsAtOnce = 4_096;

    /// <summary>State of a handle between open and free.</summary>
    private const uint Closing = 3;
    private readonly Stack<int> _freeHandles = new();
    private int _handleCount;
    private int _hand = 1;

    /// <summary>Handles that are open.</summary>
    internal int HandleCount => Volatile.Read(ref _handleCount);

    /// <summary>Opens a handle. The first of a file decides the mode for all until the last is closed.</summary>
    /// <param name="nodeId">What is opened.</param>
    /// <param name="isDirectory">A directory has no mode.</param>
    /// <param name="mode">Wanted mode.</param>
    /// <param name="unique">Id of the request.</param>
    /// <param name="handle">The handle; never 0.</param>
    /// <param name="view">The inode with its handle, in the mode that holds.</param>
    /// <returns>False when the inode is unknown or the table full.</returns>
    internal bool TryOpen(ulong nodeId, bool isDirectory, OpenMode mode, ulong unique, out ulong handle, out InodeView view)
    {
        lock (_lock)
        {
            handle = 0;
            view = default;
            InodeSlot* slot = Find(nodeId);
            int index = _freeHandles.TryPeek(out int free) ? free : _header->FreshHandle;
            if (slot is null || index >= _layout.Handles)
            {
                return false;
            }

            if (!_freeHandles.TryPop(out _))
            {
                _header->FreshHandle++;
            }

            HandleSlot* open = HandleAt(index);
            open->NodeId = nodeId;
            open->Unique = unique & ~RepeatedBit;
            open->Current = 0;
            open->Cell0 = 0;
            open->Cell1 = 0;
            open->Length0 = 0;
            open->Length1 = 0;
            open->Cookie0 = 0;
            open->Cookie1 = 0;
            if (slot->Opens == 0)
            {
                slot->OpenMode = (byte)(isDirectory ? OpenMode.None : mode);
            }

            // Derived from the handles by a successor: no kill can come between the two.
            slot->Opens++;
            Volatile.Write(ref open->State, isDirectory ? 2u : 1u);
            _handleCount++;
            handle = ((ulong)open->Generation << 32) | (uint)index;
            view = ViewOf(nodeId, slot);
            return true;
        }
    }

    /// <summary>The handle that a request opened before it was repeated; false when it opened none.</summary>
    internal bool TryFindRepeated(ulong unique, ulong nodeId, out ulong handle)
    {
        lock (_lock)
        {
            handle = 0;
            for (int index = 1; index < _header->FreshHandle; index++)
            {
                HandleSlot* open = HandleAt(index);
                if (open->State != 0 && open->Unique == (unique & ~RepeatedBit) && open->NodeId == nodeId)
                {
                    handle = ((ulong)open->Generation << 32) | (uint)index;
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>What a handle stands for; false when it is not open.</summary>
    internal bool TryGetHandle(ulong handle, out HandleView view)
    {
        lock (_lock)
        {
            HandleSlot* open = FindHandle(handle);
            view = open is null ? default : new HandleView(handle, open->NodeId, open->State == 2);
            return open is not null;
        }
    }

    /// <summary>All open handles at this moment.</summary>
    internal List<HandleView> Handles()
    {
        var found = new List<HandleView>();
        lock (_lock)
        {
            for (int index = 1; index < _header->FreshHandle; index++)
            {
                HandleSlot* open = HandleAt(index);
                if (open->State != 0)
                {
                    found.Add(new HandleView(((ulong)open->Generation << 32) | (uint)index, open->NodeId, open->State == 2));
                }
            }
        }

        return found;
    }

    /// <summary>Closes a handle.</summary>
    /// <param name="handle">The handle; one that is not open is ignored.</param>
    /// <param name="nodeId">What it was open on.</param>
    /// <param name="openMode">Mode it was open in.</param>
    /// <returns>True when it was the last one of its inode.</returns>
    internal bool Close(ulong handle, out ulong nodeId, out OpenMode openMode)
    {
        lock (_lock)
        {
            nodeId = 0;
            openMode = OpenMode.None;
            HandleSlot* open = FindHandle(handle);
            if (open is null)
            {
                return false;
            }

            nodeId = open->NodeId;
            // Without the mark a kill between the other two would leave a handle in use whose number nobody has.
            Volatile.Write(ref open->State, Closing);
            Volatile.Write(ref open->Generation, open->Generation + 1);
            Volatile.Write(ref open->State, 0);
            _cells.Free(open->Cell0);
            _cells.Free(open->Cell1);
            _freeHandles.Push((int)(uint)handle);
            _handleCount--;
            InodeSlot* slot = Find(nodeId);
            if (slot is null)
            {
                return false;
            }

            openMode = (OpenMode)slot->OpenMode;
            if (--slot->Opens > 0)
            {
                return false;
            }

            slot->OpenMode = (byte)OpenMode.None;
            FreeIfUnused(nodeId, slot);
            return true;
        }
    }

    /// <summary>Remembers how far a directory was read.</summary>
    /// <param name="handle">The handle.</param>
    /// <param name="cookie">Cookie of the last entry that was given.</param>
    /// <param name="name">Its name in the listing.</param>
    internal void SetPosition(ulong handle, ulong cookie, ReadOnlySpan<byte> name)
    {
        lock (_lock)
        {
            HandleSlot* open = FindHandle(handle);
            if (open is null)
            {
                return;
            }

            // The one that does not hold is written; the switch is one store.
            if (open->Current == 0)
            {
                _cells.Free(open->Cell1);
                open->Cell1 = 0;
                int cell = _cells.Store(name);
                if (cell < 0)
                {
                    return;
                }

                open->Length1 = name.Length;
                open->Cookie1 = cookie;
                open->Cell1 = cell;
                Volatile.Write(ref open->Current, 1);
                return;
            }

            _cells.Free(open->Cell0);
            open->Cell0 = 0;
            int first = _cells.Store(name);
            if (first < 0)
            {
                return;
            }

            open->Length0 = name.Length;
            open->Cookie0 = cookie;
            open->Cell0 = first;
            Volatile.Write(ref open->Current, 0);
        }
    }

    /// <summary>How far a directory was read.</summary>
    /// <param name="handle">The handle.</param>
    /// <param name="cookie">Cookie of the last entry that was given; 0 at the beginning.</param>
    /// <returns>Its name in the listing; null at the beginning or when the handle is not open.</returns>
    internal byte[]? PositionOf(ulong handle, out ulong cookie)
    {
        lock (_lock)
        {
            cookie = 0;
            HandleSlot* open = FindHandle(handle);
            if (open is null)
            {
                return null;
            }

            bool isFirst = open->Current == 0;
            cookie = isFirst ? open->Cookie0 : open->Cookie1;
            if (cookie == 0)
            {
                return null;
            }

            byte[] name = new byte[isFirst ? open->Length0 : open->Length1];
            _cells.Load(isFirst ? open->Cell0 : open->Cell1, name);
            return name;
        }
    }

    /// <summary>Notes the backing id the kernel holds for an inode, before it is used.</summary>
    internal void SetBacking(ulong nodeId, int backingId)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            if (slot is not null)
            {
                Volatile.Write(ref slot->BackingId, backingId);
            }
        }
    }

    /// <summary>Notes that the kernel holds none any more, after it was closed; an inode that only waited for it is gone.</summary>
    internal void ClearBacking(ulong nodeId)
    {
        lock (_lock)
        {
            InodeSlot* slot = Find(nodeId);
            if (slot is not null)
            {
                Volatile.Write(ref slot->BackingId, 0);
                FreeIfUnused(nodeId, slot);
            }
        }
    }

    /// <summary>Inodes the kernel holds a backing id for.</summary>
    internal List<InodeView> WithBacking()
    {
        var found = new List<InodeView>();
        lock (_lock)
        {
            for (int index = 1; index < _header->FreshSlot; index++)
            {
                InodeSlot* slot = At(index);
                if (slot->State != 0 && slot->BackingId != 0)
                {
                    found.Add(ViewOf(IdOf(index), slot));
                }
            }
        }

        return found;
    }

    /// <summary>Adds the inodes of the next 4,096 slots; the table may have millions, and nobody else gets at it meanwhile.</summary>
    /// <param name="place">Slot to begin with: 1, what the last call gave, or <see cref="PlaceOf"/>.</param>
    /// <param name="onlyDirectories">Leaves files out.</param>
    /// <param name="found">Takes them.</param>
    /// <returns>Where to go on; 0 at the end.</returns>
    internal int CollectPart(int place, bool onlyDirectories, List<InodeView> found)
    {
        lock (_lock)
        {
            int end = Math.Min(place + SlotsAtOnce, _header->FreshSlot);
            for (int index = place; index < end; index++)
            {
                InodeSlot* slot = At(index);
                if (slot->State != 0 && (!onlyDirectories || slot->Kind == (byte)InodeKind.Directory))
                {
                    found.Add(ViewOf(IdOf(index), slot));
                }
            }

            return end < _header->FreshSlot ? end : 0;
        }
    }

    /// <summary>Slot of an inode.</summary>
    internal static int PlaceOf(ulong nodeId) => (int)(uint)nodeId;

    /// <summary>Inodes that nothing is open on and nothing lies below, from where the last call ended; what the kernel may be asked to forget.</summary>
    /// <returns>How many were found.</returns>
    internal int FindUnused(Span<ulong> nodeIds)
    {
        int found = 0;
        lock (_lock)
        {
            for (int looked = 0; looked < _header->FreshSlot && found < nodeIds.Length; looked++)
            {
                _hand = _hand + 1 < _header->FreshSlot ? _hand + 1 : 2;
                InodeSlot* slot = At(_hand);
                if (_hand < _header->FreshSlot && slot->State != 0 && slot->Opens == 0 && slot->Children == 0)
                {
                    nodeIds[found++] = IdOf(_hand);
                }
            }
        }

        return found;
    }

    private HandleSlot* HandleAt(int index) => (HandleSlot*)(_base + _layout.HandlesAt) + index;

    private HandleSlot* FindHandle(ulong handle)
    {
        uint index = (uint)handle;
        if (index == 0 || index >= (uint)_header->FreshHandle)
        {
            return null;
        }

        HandleSlot* open = HandleAt((int)index);
        return open->State != 0 && open->Generation == (uint)(handle >> 32) ? open : null;
    }

    private void RebuildHandles(BitArray usedCells)
    {
        for (int index = 1; index < _header->FreshSlot; index++)
        {
            At(index)->Opens = 0;
        }

        for (int index = _header->FreshHandle - 1; index >= 1; index--)
        {
            HandleSlot* open = HandleAt(index);
            InodeSlot* slot = open->State is 0 or Closing ? null : Find(open->NodeId);
            if (slot is null)
            {
                // The close that was killed is sent again: its handle must not be another one's by then.
                open->Generation += open->State == Closing ? 1u : 0u;
                open->State = 0;
                _freeHandles.Push(index);
                continue;
            }

            slot->Opens++;
            _handleCount++;
            if (!_cells.Mark(usedCells, open->Cell0))
            {
                open->Cell0 = 0;
                open->Cookie0 = 0;
            }

            if (!_cells.Mark(usedCells, open->Cell1))
            {
                open->Cell1 = 0;
                open->Cookie1 = 0;
            }
        }
    }
}
