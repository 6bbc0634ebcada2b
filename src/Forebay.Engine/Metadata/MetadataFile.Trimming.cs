namespace Forebay.Engine.Metadata;

/// <content>Bounds: what the file may hold, in all and of each mount point.</content>
internal sealed partial class MetadataFile
{
    private const int MostTrimmed = 4_096;
    private const int LeastLookedAt = 256;
    private const long MostDrops = 4_096;

    private void Trim(MetadataDatabase database)
    {
        bool isTooLarge = database.UsedBytes() > _maxBytes;
        foreach (KeptMetadata mount in _mounts)
        {
            TrimListings(database, mount, isTooLarge);
        }

        isTooLarge = isTooLarge && database.UsedBytes() > _maxBytes;
        foreach (KeptMetadata mount in _mounts)
        {
            TrimStats(database, mount, isTooLarge);
        }
    }

    private static void TrimStats(MetadataDatabase database, KeptMetadata mount, bool isTooLarge)
    {
        // Counting reads an index: not after every handful of rows.
        KeptStats stats = mount.Stats;
        if (!isTooLarge && stats.PutsSinceCount <= stats.Capacity / 64)
        {
            return;
        }

        long count = database.Count(mount.Number);
        stats.PutsSinceCount = 0;
        long excess = Math.Max(count - stats.Capacity, isTooLarge ? (count + 7) / 8 : 0);
        if (excess > 0)
        {
            TrimStats(database, mount, (int)Math.Min(excess + (stats.Capacity / 64), MostTrimmed));
        }
    }

    private static void TrimListings(MetadataDatabase database, KeptMetadata mount, bool isTooLarge)
    {
        KeptListings listings = mount.Listings;
        if (isTooLarge || listings.BytesSinceMeasured > listings.MaxBytes / 64 || listings.DropsSinceMeasured > MostDrops / 8)
        {
            listings.BytesSinceMeasured = listings.DropsSinceMeasured = 0;
            if (database.CutLog(mount.Number, isTooLarge ? Math.Min(database.MeasureLog(mount.Number).Bytes / 8 * 7, listings.MaxBytes) : listings.MaxBytes, MostDrops))
            {
                // What is gone may be in use and never change: it is kept again when it is told again.
                listings.BeginAnew();
            }
        }
    }

    /// <summary>
    /// Drops rows of a mount point, those first whose object is not cached: they would help a HEAD, not a GET. Looks at few more than must go: where
    /// all that was read is cached, each look would write every row anew.
    /// </summary>
    private static void TrimStats(MetadataDatabase database, KeptMetadata mount, int excess)
    {
        List<long> deleted = [];
        List<long> cached = [];
        foreach ((long number, string key) in database.Oldest(mount.Number, Math.Clamp(2 * excess, LeastLookedAt, MostTrimmed)))
        {
            if (deleted.Count < excess)
            {
                (mount.Stats.IsCached(key) ? cached : deleted).Add(number);
            }
        }

        int missing = Math.Min(excess - deleted.Count, cached.Count);
        database.DeleteAndRenew([.. deleted, .. cached[..missing]], cached[missing..]);
    }
}
