using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <content>Pins.</content>
public sealed partial class Tier
{
    private readonly PinSet _pins = new();

    /// <summary>Pins or unpins all versions of some keys, or of the keys below prefixes (empty or with a trailing slash), now and later, also after a restart.</summary>
    public void SetPin(UnderStoreId store, IReadOnlyCollection<string> prefixes, bool pinned)
    {
        try
        {
            _index.SetPins(store.Value, prefixes, pinned);
        }
        catch (SqliteException e)
        {
            ReportIndexFailure(e);
            throw new ForebayException(ErrorKind.Unavailable, $"The index of {Path} cannot be written, so nothing was {(pinned ? "pinned" : "unpinned")}: {e.Message}", e);
        }

        lock (_lock)
        {
            Action<string, string> change = pinned ? _pins.Add : _pins.Remove;
            foreach (string prefix in prefixes)
            {
                change(store.Value, prefix);
            }

            // Loaded files first: what is being filled may have no row yet.
            foreach (TierEntry entry in _entries.Values)
            {
                if (entry.File is not null)
                {
                    entry.IsPinned = _pins.Covers(entry.File.Version);
                }
            }
        }

        foreach (ObjectRow row in Rows())
        {
            lock (_lock)
            {
                if (_entries.TryGetValue(row.Version.Id, out TierEntry? entry))
                {
                    entry.IsPinned = _pins.Covers(row.Version);
                }
            }
        }
    }

    /// <summary>Everything that is pinned here.</summary>
    internal IReadOnlyList<(string Store, string Prefix)> Pins()
    {
        lock (_lock)
        {
            return _pins.All();
        }
    }

    /// <summary>Pinned keys of a store, and prefixes (empty or with a trailing slash).</summary>
    public IReadOnlyList<string> PinsOf(UnderStoreId store)
    {
        lock (_lock)
        {
            return _pins.Of(store.Value);
        }
    }

    /// <summary>True when a key of a store is pinned.</summary>
    public bool IsPinned(ObjectVersion version)
    {
        lock (_lock)
        {
            return _pins.Covers(version);
        }
    }
}
