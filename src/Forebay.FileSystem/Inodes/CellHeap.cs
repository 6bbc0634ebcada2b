namespace Forebay.FileSystem;

/// <summary>
/// Texts of any length as chains of cells of one size, so that years of coming and going leave no fragments: next:4 content:28. Which cells are free
/// is not stored; it is what no chain uses. Not thread-safe.
/// </summary>
internal sealed unsafe class CellHeap
{
    private const int CellBytes = 32;
    private const int ContentBytes = 28;
    private readonly byte* _cells;
    private readonly int _capacity;
    private readonly RegionHeader* _header;
    private readonly Stack<int> _free = new();

    internal CellHeap(byte* cells, int capacity, RegionHeader* header)
    {
        _cells = cells;
        _capacity = capacity;
        _header = header;
    }

    /// <summary>Cells in use.</summary>
    internal int Used => _header->FreshCell - 1 - _free.Count;

    /// <summary>Stores a text.</summary>
    /// <returns>First cell; 0 for an empty text, -1 when there is no room (nothing is kept then).</returns>
    internal int Store(ReadOnlySpan<byte> content)
    {
        int count = (content.Length + ContentBytes - 1) / ContentBytes;
        if (count > _free.Count + _capacity - _header->FreshCell)
        {
            return -1;
        }

        // From the end, so that each cell knows the next one.
        int next = 0;
        for (int i = count - 1; i >= 0; i--)
        {
            int cell = Take();
            byte* at = _cells + ((long)cell * CellBytes);
            *(int*)at = next;
            ReadOnlySpan<byte> piece = content[(i * ContentBytes)..];
            piece[..Math.Min(piece.Length, ContentBytes)].CopyTo(new Span<byte>(at + sizeof(int), ContentBytes));
            next = cell;
        }

        return next;
    }

    /// <summary>Copies a text, from its first byte, until the destination is full.</summary>
    internal void Load(int first, Span<byte> destination)
    {
        int cell = first;
        while (!destination.IsEmpty && cell != 0)
        {
            byte* at = _cells + ((long)cell * CellBytes);
            int count = Math.Min(destination.Length, ContentBytes);
            new ReadOnlySpan<byte>(at + sizeof(int), count).CopyTo(destination);
            destination = destination[count..];
            cell = *(int*)at;
        }
    }

    /// <summary>Gives the cells of a text back.</summary>
    internal void Free(int first)
    {
        for (int cell = first; cell != 0; cell = *(int*)(_cells + ((long)cell * CellBytes)))
        {
            _free.Push(cell);
        }
    }

    /// <summary>Marks the cells of a chain as used.</summary>
    /// <returns>False when the chain is broken: leads outside, or to a cell of another.</returns>
    internal bool Mark(System.Collections.BitArray used, int first)
    {
        for (int cell = first; cell != 0; cell = *(int*)(_cells + ((long)cell * CellBytes)))
        {
            if (cell < 0 || cell >= _header->FreshCell || used[cell])
            {
                return false;
            }

            used[cell] = true;
        }

        return true;
    }

    /// <summary>Takes every cell that is not marked for free.</summary>
    internal void SetFree(System.Collections.BitArray used)
    {
        _free.Clear();
        for (int cell = _header->FreshCell - 1; cell >= 1; cell--)
        {
            if (!used[cell])
            {
                _free.Push(cell);
            }
        }
    }

    private int Take() => _free.TryPop(out int cell) ? cell : _header->FreshCell++;
}
