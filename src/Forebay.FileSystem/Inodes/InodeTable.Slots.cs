using System.Buffers;
using System.Collections;
using System.Text;
using Forebay.Core;

namespace Forebay.FileSystem;

/// <content>Slots: finding, taking and giving back; the caller holds the lock.</content>
internal sealed unsafe partial class InodeTable
{
    /// <summary>Slot of the current version of a name; 0 for none.</summary>
    private int FindName(ulong parent, ulong inode, ReadOnlySpan<byte> name)
    {
        for (int index = _buckets[BucketOf(inode)]; index != 0; index = At(index)->HashNext)
        {
            InodeSlot* slot = At(index);
            if (slot->Inode == inode && slot->Parent == parent && slot->NameLength == name.Length && HasContent(slot, 0, name))
            {
                return index;
            }
        }

        return 0;
    }

    /// <summary>True when the bytes of a slot's text from <paramref name="offset"/> on are these.</summary>
    private bool HasContent(InodeSlot* slot, int offset, ReadOnlySpan<byte> expected)
    {
        int end = offset + expected.Length;
        if (end <= InodeSlot.InlineBytes)
        {
            return new ReadOnlySpan<byte>(slot->Inline + offset, expected.Length).SequenceEqual(expected);
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(end);
        Load(slot, rented.AsSpan(0, end));
        bool isSame = rented.AsSpan(offset, expected.Length).SequenceEqual(expected);
        ArrayPool<byte>.Shared.Return(rented);
        return isSame;
    }

    private bool IsSame(int index, InodeKind kind, bool isFromHeaders, ObjectStat? stat, in Payload payload)
    {
        // A listing cannot tell a link from a file: what the headers of the same version said stays true.
        InodeSlot* slot = At(index);
        return (slot->Kind == (byte)kind || (!isFromHeaders && kind == InodeKind.File && slot->Kind == (byte)InodeKind.SymbolicLink))
            && (stat is null
                || (slot->Size == stat.Length && slot->TokenForm == (byte)payload.Form && slot->TokenLength == payload.Token.Length
                    && HasContent(slot, slot->NameLength, payload.Token)));
    }

    private void MakeOutdated(int index, ulong inode)
    {
        // Out of the chain first is only for this process: a successor builds the chains from the mark.
        Unchain(index, inode);
        Volatile.Write(ref At(index)->IsOutdated, 1);
        FreeIfUnused(IdOf(index), At(index));
    }

    /// <summary>Takes a slot for a new inode; 0 when there is no room.</summary>
    private int Add(ulong parent, ulong inode, InodeKind kind, ObjectStat? stat, in Payload payload)
    {
        int index = _freeSlots.TryPeek(out int free) ? free : _header->FreshSlot;
        if (index >= _layout.Inodes)
        {
            return 0;
        }

        int inline = Math.Min(payload.Content.Length, InodeSlot.InlineBytes);
        int cell = _cells.Store(payload.Content[inline..]);
        if (cell < 0)
        {
            return 0;
        }

        if (!_freeSlots.TryPop(out _))
        {
            _header->FreshSlot++;
        }

        InodeSlot* slot = At(index);
        slot->Parent = parent;
        slot->Inode = inode;
        slot->Size = stat?.Length ?? 0;
        slot->Lookups = 0;
        slot->LastLookup = 0;
        slot->Opens = 0;
        slot->BackingId = 0;
        slot->Kind = (byte)kind;
        slot->OpenMode = (byte)OpenMode.None;
        slot->IsOutdated = 0;
        slot->TokenForm = (byte)payload.Form;
        slot->NameLength = (ushort)payload.NameLength;
        slot->TokenLength = (ushort)payload.Token.Length;
        slot->ETagLength = (ushort)payload.ETagLength;
        slot->HasHeaders = 0;
        slot->Cell = cell;
        slot->Children = 0;
        payload.Content[..inline].CopyTo(new Span<byte>(slot->Inline, InodeSlot.InlineBytes));
        Volatile.Write(ref slot->State, 1);
        Find(parent)->Children++;
        Volatile.Write(ref _count, _count + 1);
        Chain(index, inode);
        return index;
    }

    private void FreeIfUnused(ulong nodeId, InodeSlot* slot)
    {
        while (nodeId != Root && slot is not null && slot->Lookups == 0 && slot->Opens == 0 && slot->Children == 0 && slot->BackingId == 0)
        {
            int index = (int)(uint)nodeId;
            ulong parent = slot->Parent;
            if (slot->IsOutdated == 0)
            {
                Unchain(index, slot->Inode);
            }

            // The generation first: a kill in between must not leave a nodeid that was given back in use.
            Volatile.Write(ref slot->Generation, slot->Generation + 1);
            Volatile.Write(ref slot->State, 0);
            _cells.Free(slot->Cell);
            _freeSlots.Push(index);
            Volatile.Write(ref _count, _count - 1);
            nodeId = parent;
            slot = Find(parent);
            if (slot is not null)
            {
                slot->Children--;
            }
        }
    }

    private int BucketOf(ulong inode) => (int)(inode & (uint)(_buckets.Length - 1));

    private void Chain(int index, ulong inode)
    {
        if (_count > _buckets.Length)
        {
            Grow();
        }

        ref int bucket = ref _buckets[BucketOf(inode)];
        At(index)->HashNext = bucket;
        bucket = index;
    }

    private void Unchain(int index, ulong inode)
    {
        int bucket = BucketOf(inode);
        if (_buckets[bucket] == index)
        {
            _buckets[bucket] = At(index)->HashNext;
            return;
        }

        for (int at = _buckets[bucket]; at != 0; at = At(at)->HashNext)
        {
            if (At(at)->HashNext == index)
            {
                At(at)->HashNext = At(index)->HashNext;
                return;
            }
        }
    }

    private void Grow()
    {
        int[] old = _buckets;
        _buckets = new int[old.Length * 2];
        foreach (int first in old)
        {
            for (int at = first; at != 0;)
            {
                int next = At(at)->HashNext;
                ref int bucket = ref _buckets[BucketOf(At(at)->Inode)];
                At(at)->HashNext = bucket;
                bucket = at;
                at = next;
            }
        }
    }

    /// <summary>Makes everything that is derived from the slots, and gives back what a kill left half taken.</summary>
    private void Rebuild()
    {
        var usedCells = new BitArray(_header->FreshCell);
        _count = 0;
        for (int index = 1; index < _header->FreshSlot; index++)
        {
            InodeSlot* slot = At(index);
            slot->HashNext = 0;
            slot->Children = 0;
            if (slot->State != 0 && !_cells.Mark(usedCells, slot->Cell))
            {
                // Cannot happen by a kill. Its bytes are not what they were: better unknown than wrong.
                slot->Generation++;
                slot->State = 0;
            }

            _count += slot->State != 0 ? 1 : 0;
        }

        int buckets = _buckets.Length;
        while (buckets < _count)
        {
            buckets *= 2;
        }

        _buckets = new int[buckets];
        for (int index = _header->FreshSlot - 1; index >= 2; index--)
        {
            InodeSlot* slot = At(index);
            if (slot->State == 0)
            {
                _freeSlots.Push(index);
                continue;
            }

            if (slot->IsOutdated == 0)
            {
                Chain(index, slot->Inode);
            }

            if (Find(slot->Parent) is var parent && parent is not null)
            {
                parent->Children++;
            }
        }

        RebuildHandles(usedCells);
        _cells.SetFree(usedCells);
        for (int index = 2; index < _header->FreshSlot; index++)
        {
            if (At(index)->State != 0)
            {
                FreeIfUnused(IdOf(index), At(index));
            }
        }
    }

    /// <summary>Name, token and ETag of an inode as they are stored.</summary>
    private readonly ref struct Payload
    {
        private readonly byte[] _rented;
        private readonly int _length;

        internal Payload(ReadOnlySpan<byte> name, ObjectStat? stat)
        {
            _rented = ArrayPool<byte>.Shared.Rent(name.Length + (stat is null ? 0 : 32 + (3 * (stat.Token.Value.Length + stat.ETag.Length))));
            name.CopyTo(_rented);
            NameLength = name.Length;
            _length = name.Length;
            if (stat is null)
            {
                return;
            }

            int token = PackedToken.Pack(stat.Token.Value, _rented.AsSpan(name.Length), out TokenForm form);
            Form = form;
            _length += token;
            Token = _rented.AsSpan(name.Length, token);
            if (!string.Equals(stat.ETag, stat.Token.Value, StringComparison.Ordinal))
            {
                ETagLength = Encoding.UTF8.GetBytes(stat.ETag, _rented.AsSpan(_length));
                _length += ETagLength;
            }
        }

        internal int NameLength { get; }

        internal int ETagLength { get; }

        internal TokenForm Form { get; }

        internal ReadOnlySpan<byte> Token { get; }

        internal ReadOnlySpan<byte> Content => _rented.AsSpan(0, _length);

        public void Dispose() => ArrayPool<byte>.Shared.Return(_rented);
    }
}
