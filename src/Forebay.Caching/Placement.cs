using Forebay.Core;

namespace Forebay.Caching;

/// <summary>
/// Which tier a version belongs in. New bytes go to the fastest medium that takes them, among the directories of one medium by weighted
/// rendezvous; what is evicted goes one medium down; what proves reuse on HDD goes one medium up.
/// </summary>
/// <remarks>Nothing goes up from SSD to MEM: above an SSD the kernel's page cache already is the memory tier, and it costs no copy.</remarks>
internal sealed class Placement
{
    private readonly Tier[][] _media;

    /// <param name="tiers">All tiers, fastest medium first.</param>
    internal Placement(IEnumerable<Tier> tiers)
    {
        _media = [.. tiers.GroupBy(tier => tier.Options.Medium).OrderBy(medium => medium.Key).Select(medium => medium.ToArray())];
    }

    /// <summary>Directories by medium, fastest first.</summary>
    internal IReadOnlyList<Tier[]> Media => _media;

    /// <summary>Directories of the next slower medium; empty when there is none.</summary>
    internal Tier[] Below(Tier tier) => Array.Find(_media, medium => medium[0].Options.Medium > tier.Options.Medium) ?? [];

    /// <summary>Directories that reuse promotes to; empty when it promotes nowhere.</summary>
    internal Tier[] Above(Tier tier)
        => tier.Options.Medium == Medium.Hdd ? Array.FindLast(_media, medium => medium[0].Options.Medium < Medium.Hdd) ?? [] : [];

    /// <summary>Directories of one medium in the order in which a version prefers them: each gets its share by quota, a version always its own.</summary>
    internal static IEnumerable<Tier> InOrder(Tier[] tiers, VersionId id)
        => tiers.Length == 1 ? tiers : tiers.OrderBy(tier => RendezvousDistance(tier, id));

    /// <summary>Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): -ln(uniform hash) / weight, smallest wins.</summary>
    private static double RendezvousDistance(Tier tier, VersionId id)
    {
        ulong mixed = (id.High ^ tier.Seed) * 0x9E3779B97F4A7C15UL;
        mixed ^= mixed >> 32;
        mixed *= 0xD6E8FEB86659FD93UL;
        mixed ^= mixed >> 32;
        return -Math.Log((mixed + 1.0) / (ulong.MaxValue + 2.0)) / tier.Options.QuotaBytes;
    }
}
