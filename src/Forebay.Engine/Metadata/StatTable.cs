using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Entries by key, at most <c>capacity</c> of them, with CLOCK eviction: an entry that was used since the hand last passed gets
/// another round. Lookups are lock-free; every other member needs the owner's lock.
/// </summary>
internal sealed class StatTable
{
    private readonly int _capacity;
    private readonly ConcurrentDictionary<string, StatEntry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StatEntry>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly Stack<int> _freeSlots = new();
    private StatEntry?[] _slots = new StatEntry?[256];
    private int _slotCount;
    private int _hand;
    private int _count;

    public StatTable(int capacity)
    {
        _capacity = capacity;
        _bySpan = _entries.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Entries now; needs no lock.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Finds an entry without a lock.</summary>
    public bool TryFind(string key, [NotNullWhen(true)] out StatEntry? entry) => _entries.TryGetValue(key, out entry);

    /// <summary>Finds an entry without a lock.</summary>
    public bool TryFind(ReadOnlySpan<char> key, [NotNullWhen(true)] out StatEntry? entry) => _bySpan.TryGetValue(key, out entry);

    /// <summary>All entries, as they are while it is read; needs no lock.</summary>
    public IEnumerable<StatEntry> All() => _entries.Select(pair => pair.Value);

    /// <summary>Adds an entry, or puts it in the place of the one with its key, evicting another if there is no room.</summary>
    public void Set(StatEntry entry)
    {
        if (_entries.TryGetValue(entry.Key, out StatEntry? old))
        {
            entry.Slot = old.Slot;
            old.Slot = -1;
        }
        else
        {
            entry.Slot = TakeSlot();
            Volatile.Write(ref _count, _count + 1);
        }

        _slots[entry.Slot] = entry;
        _entries[entry.Key] = entry;
    }

    /// <summary>Drops a key.</summary>
    public void Remove(string key)
    {
        if (_entries.TryRemove(key, out StatEntry? entry))
        {
            _slots[entry.Slot] = null;
            _freeSlots.Push(entry.Slot);
            entry.Slot = -1;
            Volatile.Write(ref _count, _count - 1);
        }
    }

    /// <summary>Marks every entry whose key begins with <paramref name="prefix"/>; needs no lock and misses none that was there before.</summary>
    public void MarkRefreshed(string prefix)
    {
        foreach (KeyValuePair<string, StatEntry> pair in _entries)
        {
            if (pair.Key.StartsWith(prefix, StringComparison.Ordinal))
            {
                pair.Value.MarkRefreshed();
            }
        }
    }

    private int TakeSlot()
    {
        if (_freeSlots.TryPop(out int free))
        {
            return free;
        }

        if (_slotCount < _capacity)
        {
            if (_slotCount == _slots.Length)
            {
                Array.Resize(ref _slots, Math.Min(_capacity, _slots.Length * 2));
            }

            return _slotCount++;
        }

        // Every pass clears the marks it meets, so the hand stops after at most two rounds.
        while (true)
        {
            int slot = _hand;
            _hand = (_hand + 1) % _slotCount;
            if (_slots[slot] is { } candidate && !candidate.TakeVisited())
            {
                _entries.TryRemove(candidate.Key, out _);
                candidate.Slot = -1;
                Volatile.Write(ref _count, _count - 1);
                return slot;
            }
        }
    }
}
