using Microsoft.Data.Sqlite;

namespace Forebay.Engine.Metadata;

/// <content>The log of listings.</content>
internal sealed partial class MetadataDatabase
{
    /// <summary>Adds to the log of listings; what the entry makes superfluous goes.</summary>
    /// <returns>Bytes added.</returns>
    internal long Log(long mount, in KeptListing change)
    {
        ListingRow row = ListingRow.From(change);
        if (change.Kind == KeptListingKind.Listing)
        {
            Set(_deleteCovered, mount, row.Delimiter, row.Prefix, row.Lower, row.Upper);
            _deleteCovered.ExecuteNonQuery();
        }
        else if (change is { Kind: KeptListingKind.PrefixDropped, Prefix.Length: 0 })
        {
            using SqliteCommand deleteAll = Writing("DELETE FROM listing WHERE mount = $mount", "$mount");
            Set(deleteAll, mount);
            deleteAll.ExecuteNonQuery();
            return 0;
        }

        Set(_log, mount, (long)row.Kind, row.Delimiter, row.Prefix, row.Lower, row.Upper, row.Entries, row.Bytes, row.Checksum(mount));
        _log.ExecuteNonQuery();
        return row.Bytes;
    }

    /// <summary>Cuts the log of listings at its oldest end: what is dropped there has nothing older left that it counts for.</summary>
    /// <param name="mount">Whose.</param>
    /// <param name="mostBytes">What may stay.</param>
    /// <param name="mostDrops">Entries that only say what was dropped.</param>
    /// <returns>True when something was cut.</returns>
    internal bool CutLog(long mount, long mostBytes, long mostDrops)
    {
        using SqliteCommand prune = Writing(
            "DELETE FROM listing WHERE mount = $mount AND kind <> 0 AND number < coalesce((SELECT min(number) FROM listing WHERE mount = $mount AND kind = 0), 9e18)", "$mount");
        Set(prune, mount);
        prune.ExecuteNonQuery();

        (long bytes, long drops) = MeasureLog(mount);
        if (bytes <= mostBytes && drops <= mostDrops)
        {
            return false;
        }

        long last = 0;
        using (SqliteCommand oldest = Writing("SELECT number, kind, bytes FROM listing WHERE mount = $mount ORDER BY number", "$mount"))
        {
            Set(oldest, mount);
            using SqliteDataReader found = oldest.ExecuteReader();
            while ((bytes > mostBytes / 8 * 7 || drops > mostDrops / 8 * 7) && found.Read())
            {
                last = Number(found.GetValue(0));
                drops -= Number(found.GetValue(1)) == 0 ? 0 : 1;
                bytes -= Number(found.GetValue(2));
            }
        }

        using SqliteCommand cut = Writing("DELETE FROM listing WHERE mount = $mount AND number <= $last", "$mount", "$last");
        Set(cut, mount, last);
        cut.ExecuteNonQuery();
        return true;
    }

    /// <summary>Bytes of the log of listings, and entries that only say what was dropped.</summary>
    internal (long Bytes, long Drops) MeasureLog(long mount)
    {
        using SqliteCommand sum = Writing("SELECT coalesce(sum(bytes), 0), coalesce(sum(kind <> 0), 0) FROM listing WHERE mount = $mount", "$mount");
        Set(sum, mount);
        using SqliteDataReader found = sum.ExecuteReader();
        return found.Read() ? (Number(found.GetValue(0)), Number(found.GetValue(1))) : default;
    }

    /// <summary>The log of listings in its order, by a connection of its own. A damaged row ends what is believed before it: an entry without a segment that drops everything.</summary>
    internal static IEnumerable<KeptListing> ReadLog(string path, long mount)
    {
        using SqliteConnection connection = Connect(path);
        using SqliteCommand select = Command(
            connection, "SELECT number, kind, delimiter, prefix, lower, upper, entries, checksum FROM listing WHERE mount = $mount ORDER BY number", "$mount");
        Set(select, mount);
        using SqliteDataReader found = select.ExecuteReader();
        while (found.Read())
        {
            yield return ListingRow.Read(found, mount) ?? new KeptListing(KeptListingKind.PrefixDropped, Delimiter: null, "", Segment: null);
        }
    }
}
