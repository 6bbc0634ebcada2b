using Forebay.Core;

namespace Forebay.Caching;

/// <summary>Pinned keys, and prefixes that end in a slash or are empty. Guarded by the tier's lock.</summary>
internal sealed class PinSet
{
    private readonly Dictionary<string, HashSet<string>> _pins = new(StringComparer.Ordinal);

    internal void Add(string store, string prefix)
    {
        if (!_pins.TryGetValue(store, out HashSet<string>? pins))
        {
            pins = new HashSet<string>(StringComparer.Ordinal);
            _pins.Add(store, pins);
        }

        pins.Add(prefix);
    }

    internal void Remove(string store, string prefix) => _pins.GetValueOrDefault(store)?.Remove(prefix);

    /// <summary>Pins of one store, in the order of their keys.</summary>
    internal IReadOnlyList<string> Of(string store) => _pins.TryGetValue(store, out HashSet<string>? pins) ? [.. pins.Order(StringComparer.Ordinal)] : [];

    internal IReadOnlyList<(string Store, string Prefix)> All() => [.. _pins.SelectMany(store => store.Value.Select(prefix => (store.Key, prefix)))];

    internal bool Covers(ObjectVersion version) => Covers(version.UnderStore.Value, version.Key);

    /// <summary>However many are pinned: looks for the key and for each directory above it.</summary>
    internal bool Covers(string ofStore, string key)
    {
        if (!_pins.TryGetValue(ofStore, out HashSet<string>? pins) || pins.Count == 0)
        {
            return false;
        }

        if (pins.Contains("") || pins.Contains(key))
        {
            return true;
        }

        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> prefixes = pins.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int end = key.IndexOf('/') + 1; end > 0; end = key.IndexOf('/', end) + 1)
        {
            if (prefixes.Contains(key.AsSpan(0, end)))
            {
                return true;
            }
        }

        return false;
    }
}
