using System.Text;
using Forebay.Core;
using Microsoft.Data.Sqlite;

namespace Forebay.Engine.Metadata;

/// <summary>An entry of the log of kept listings as a row of the file.</summary>
internal readonly record struct ListingRow(KeptListingKind Kind, byte[]? Delimiter, byte[] Prefix, byte[]? Lower, byte[]? Upper, byte[]? Entries)
{
    private const int Overhead = 128;

    /// <summary>What counts against the bound: the place stands in the row and in its index.</summary>
    internal long Bytes => Overhead + (2 * (Prefix.Length + (Lower?.Length ?? 0) + (Upper?.Length ?? 0))) + (Entries?.Length ?? 0);

    internal static ListingRow From(in KeptListing change)
        => new(
            change.Kind,
            change.Delimiter is null ? null : Encoding.UTF8.GetBytes(change.Delimiter),
            Encoding.UTF8.GetBytes(change.Prefix),
            change.Segment?.Lower,
            change.Segment?.Upper,
            change.Segment?.Entries.Encode());

    /// <summary>Reads number, kind, delimiter, prefix, lower, upper, entries and checksum; null when they are damaged.</summary>
    internal static KeptListing? Read(SqliteDataReader found, long mount)
    {
        if (found.GetValue(0) is not long number || found.GetValue(1) is not long kind || found.GetValue(3) is not byte[] prefix || found.GetValue(7) is not long checksum)
        {
            return null;
        }

        var row = new ListingRow((KeptListingKind)kind, found.GetValue(2) as byte[], prefix, found.GetValue(4) as byte[], found.GetValue(5) as byte[], found.GetValue(6) as byte[]);
        bool isListing = row is { Kind: KeptListingKind.Listing, Lower: not null, Entries: not null };
        if (row.Checksum(mount) != checksum || (row.Kind == KeptListingKind.Listing && !isListing))
        {
            return null;
        }

        try
        {
            ListingSegment? segment = !isListing ? null
                : new ListingSegment(row.Lower!, row.Upper, PackedEntries.Decode(row.Entries!), new MetadataMoment(number, 0), long.MinValue);
            return new KeptListing(row.Kind, row.Delimiter is null ? null : Encoding.UTF8.GetString(row.Delimiter), Encoding.UTF8.GetString(prefix), segment);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>CRC-32C of the mount point's number and of all parts, each with its length; one that is missing differs from an empty one.</summary>
    internal long Checksum(long mount)
    {
        uint crc = Crc32C.Append(Crc32C.Compute([(byte)Kind]), BitConverter.GetBytes(mount));
        foreach (byte[]? part in (ReadOnlySpan<byte[]?>)[Delimiter, Prefix, Lower, Upper, Entries])
        {
            crc = Crc32C.Append(crc, BitConverter.GetBytes(part?.Length ?? -1));
            crc = Crc32C.Append(crc, part);
        }

        return crc;
    }
}
