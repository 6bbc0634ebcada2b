using System.Globalization;

namespace Forebay.LoadGen.Source;

/// <summary>All generated objects in key order. Groups must not overlap. Immutable.</summary>
internal sealed class ObjectSet
{
    private readonly ObjectGroup[] _groups;

    public ObjectSet(IEnumerable<ObjectGroup> groups)
    {
        _groups = [.. groups.OrderBy(g => g.KeyAt(0), StringComparer.Ordinal)];
        for (int i = 1; i < _groups.Length; i++)
        {
            if (string.CompareOrdinal(_groups[i - 1].KeyAt(_groups[i - 1].Count - 1), _groups[i].KeyAt(0)) >= 0)
            {
                throw new UsageException($"--objects: the keys from '{_groups[i].KeyAt(0)}' on overlap those before.");
            }
        }
    }

    /// <summary>Size of an object; null when there is none.</summary>
    public long? Find(string key)
    {
        foreach (ObjectGroup group in _groups)
        {
            long index = group.LowerBound(key);
            if (index < group.Count && group.KeyAt(index) == key)
            {
                return group.Size;
            }
        }

        return null;
    }

    /// <summary>Keys from <paramref name="first"/> on (inclusive), in order.</summary>
    public Cursor From(string first) => new(_groups, first);

    public static string ETag(string key, long size)
        => string.Create(CultureInfo.InvariantCulture, $"\"{GeneratedBytes.Hash(key):x16}{(ulong)size:x16}\"");

    /// <summary>A place in the ordered keys.</summary>
    internal sealed class Cursor
    {
        private readonly ObjectGroup[] _groups;
        private int _group;
        private long _index;

        public Cursor(ObjectGroup[] groups, string first)
        {
            _groups = groups;
            SkipTo(first);
        }

        /// <summary>The key here; null at the end.</summary>
        public string? Key { get; private set; }

        public long Size => _groups[_group].Size;

        public void SkipTo(string first)
        {
            for (; _group < _groups.Length; _group++)
            {
                _index = _groups[_group].LowerBound(first);
                if (_index < _groups[_group].Count)
                {
                    break;
                }
            }

            Read();
        }

        public void Next()
        {
            if (++_index >= _groups[_group].Count)
            {
                _group++;
                _index = 0;
            }

            Read();
        }

        private void Read() => Key = _group < _groups.Length ? _groups[_group].KeyAt(_index) : null;
    }
}
