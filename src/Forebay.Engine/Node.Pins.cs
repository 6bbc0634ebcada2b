using Forebay.Core;

namespace Forebay.Engine;

/// <content>Pins. They are of a source and a key: mount points of one source share them.</content>
public sealed partial class Node
{
    /// <inheritdoc/>
    public async Task<CacheChange> PinAsync(string path, CancellationToken cancellationToken)
    {
        (MountPoint mount, string target) = await ResolveTargetAsync(path, cancellationToken);
        Pin(mount.UnderStore, [target]);
        PinDescription pinned = Measure(mount.UnderStore, target, [target])[target];
        return new CacheChange(pinned.CachedObjects, pinned.CachedBytes);
    }

    /// <inheritdoc/>
    public CacheChange Unpin(string path)
    {
        // The source may be away or have lost the object, so it is not asked what the path means: what is pinned there as an object and as a tree goes.
        (MountPoint mount, NamespacePath parsed) = Resolve(path);
        string target = mount.FullKey(parsed.Key);
        string tree = parsed.IsTree ? target : target + "/";
        List<string> taken = [];
        foreach (string pin in _cache.PinsOf(mount.UnderStore))
        {
            bool isMeant = Covers(tree, pin) || string.Equals(pin, target, StringComparison.Ordinal);
            if (isMeant || (parsed.Key.Length == 0 && Nearest(mount.UnderStore, pin) is null))
            {
                taken.Add(pin);
            }
            else if (Covers(pin, target))
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"'{path}' lies in '{PathOf(mount, pin)}', which is pinned as a whole: unpin that.");
            }
        }

        if (taken.Count == 0)
        {
            return new CacheChange(0, 0);
        }

        long objects = 0;
        long bytes = 0;
        foreach ((ObjectVersion version, long stored, _) in _cache.Enumerate(mount.UnderStore, target))
        {
            if ((Covers(tree, version.Key) || string.Equals(version.Key, target, StringComparison.Ordinal)) && IsPinned(version))
            {
                objects++;
                bytes += stored;
            }
        }

        _cache.SetPin(mount.UnderStore, taken, pinned: false);
        return new CacheChange(objects, bytes);
    }

    /// <inheritdoc/>
    public IReadOnlyList<PinDescription> GetPins()
    {
        List<PinDescription> pins = [];
        foreach (IGrouping<UnderStoreId, MountPoint> store in _mountPoints.GroupBy(mount => mount.UnderStore))
        {
            pins.AddRange(Measure(store.Key, "", _cache.PinsOf(store.Key))
                .Select(pin => pin.Value with { Path = PathOf(store.FirstOrDefault(mount => Covers(pin.Key, mount.Options.Prefix)) ?? store.First(), pin.Key) }));
        }

        return [.. pins.OrderBy(pin => pin.Path, StringComparer.Ordinal)];
    }

    /// <summary>Pins keys of one source. Not where there is nothing that could keep them.</summary>
    private void Pin(UnderStoreId store, IReadOnlyCollection<string> targets)
    {
        if (_cache.Tiers.Count == 0)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "Nothing can be pinned: there is no cache directory.");
        }

        _cache.SetPin(store, targets, pinned: true);
    }

    private bool IsPinned(ObjectVersion version) => _cache.Tiers.Any(tier => tier.IsPinned(version));

    /// <summary>The mount point that begins nearest above a pin; null for one that only a mount point of another configuration reached.</summary>
    private MountPoint? Nearest(UnderStoreId store, string pin)
        => _mountPoints.Where(mount => mount.UnderStore == store && pin.StartsWith(mount.Options.Prefix, StringComparison.Ordinal)).MaxBy(mount => mount.Options.Prefix.Length);

    /// <summary>A pin as a path; one that no mount point reaches as the whole of <paramref name="otherwise"/>, where it can be taken back.</summary>
    private string PathOf(MountPoint otherwise, string pin)
        => Nearest(otherwise.UnderStore, pin) is { } nearest ? $"/{nearest.Name}/{pin.AsSpan(nearest.Options.Prefix.Length)}" : $"/{otherwise.Name}/";

    /// <summary>A pin that is empty or ends in a slash holds everything below it, another one key.</summary>
    private static bool Covers(string pin, string key)
        => pin.Length == 0 || pin[^1] == '/' ? key.StartsWith(pin, StringComparison.Ordinal) : string.Equals(pin, key, StringComparison.Ordinal);

    /// <summary>What is cached of each pin, by one look at the index, however many there are.</summary>
    private Dictionary<string, PinDescription> Measure(UnderStoreId store, string prefix, IReadOnlyList<string> pins)
    {
        Dictionary<string, PinDescription> sums = pins.ToDictionary(pin => pin, pin => new PinDescription(pin, 0, 0), StringComparer.Ordinal);
        Dictionary<string, PinDescription>.AlternateLookup<ReadOnlySpan<char>> byPath = sums.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach ((ObjectVersion version, long stored, _) in sums.Count > 0 ? _cache.Enumerate(store, prefix) : [])
        {
            Count(version.Key, stored);
            Count("", stored);
            for (int end = version.Key.IndexOf('/') + 1; end > 0 && end < version.Key.Length; end = version.Key.IndexOf('/', end) + 1)
            {
                Count(version.Key.AsSpan(0, end), stored);
            }
        }

        return sums;

        void Count(ReadOnlySpan<char> path, long stored)
        {
            if (byPath.TryGetValue(path, out PinDescription? sum))
            {
                byPath[path] = sum with { CachedObjects = sum.CachedObjects + 1, CachedBytes = sum.CachedBytes + stored };
            }
        }
    }
}
