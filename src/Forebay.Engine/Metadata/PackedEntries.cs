using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>How the parts of a packed entry are stored.</summary>
[Flags]
internal enum PackedFlags : byte
{
    /// <summary>Seconds, ETag and token all raw: see the other members.</summary>
    None = 0,

    /// <summary>A prefix entry: nothing follows the name.</summary>
    Prefix = 1,

    /// <summary>The time is given in ticks, not whole seconds.</summary>
    Ticks = 2,

    /// <summary>The ETag is 16 bytes: quoted lower-case hex (an MD5).</summary>
    HexETag = 4,

    /// <summary>A part count follows the 16 bytes: the ETag of a multipart upload.</summary>
    Parts = 8,

    /// <summary>The version token is not the ETag but a string of its own.</summary>
    OwnToken = 16,
}

/// <summary>
/// Names of a listing with what it tells about them, in UTF-8 byte order, packed and immutable.
/// </summary>
/// <remarks>
/// <code>
/// entry   := flags:1  shared:varint  suffixLength:varint  suffix  body
/// body    := (empty for a prefix entry)
///          | length:varint  time:zigzag varint  etag  token
/// time    := seconds (or 100 ns ticks) since the base of the block
/// etag    := 16 bytes [parts:varint] | count:varint UTF-8
/// token   := (empty: same as the ETag) | count:varint UTF-8
/// </code>
/// <c>shared</c> bytes come from the name before; every 16th entry shares nothing and has its offset in the restart table, so that a name
/// is found by binary search. Measured in bench/Forebay.MetadataBench.
/// </remarks>
internal sealed class PackedEntries
{
    internal const int RestartInterval = 16;
    private const int HeaderBytes = 21;

    private static readonly SearchValues<char> LowerHexDigits = SearchValues.Create("0123456789abcdef");

    private PackedEntries(byte[] bytes, int[] restarts, int count, long baseSeconds, int longestName, bool isAscii, byte[] lastName)
    {
        Bytes = bytes;
        Restarts = restarts;
        Count = count;
        BaseSeconds = baseSeconds;
        LongestName = longestName;
        IsAscii = isAscii;
        LastName = lastName;
    }

    /// <summary>The entries one after the other.</summary>
    public byte[] Bytes { get; }

    /// <summary>Offset of every 16th entry.</summary>
    public int[] Restarts { get; }

    /// <summary>Number of entries.</summary>
    public int Count { get; }

    /// <summary>Unix seconds that times are relative to.</summary>
    public long BaseSeconds { get; }

    /// <summary>Bytes of the longest name.</summary>
    public int LongestName { get; }

    /// <summary>True when all names are ASCII, so that they widen without decoding.</summary>
    public bool IsAscii { get; }

    /// <summary>The last name; empty when there is no entry.</summary>
    public byte[] LastName { get; }

    /// <summary>Bytes on the heap, object headers included.</summary>
    public long SizeBytes => Bytes.Length + (Restarts.Length * sizeof(int)) + LastName.Length + 160;

    /// <summary>Packs entries that are in UTF-8 byte order.</summary>
    public static PackedEntries Pack(IReadOnlyList<ListEntry> entries)
    {
        var output = new ArrayBufferWriter<byte>(Math.Max(64, entries.Count * 64));
        int[] restarts = new int[(entries.Count + RestartInterval - 1) / RestartInterval];
        long baseSeconds = BaseOf(entries);
        byte[] previous = [];
        int longest = 0;
        bool isAscii = true;
        for (int i = 0; i < entries.Count; i++)
        {
            byte[] name = Encoding.UTF8.GetBytes(entries[i].Name);
            longest = Math.Max(longest, name.Length);
            isAscii &= Ascii.IsValid(name);
            int shared = 0;
            if (i % RestartInterval == 0)
            {
                restarts[i / RestartInterval] = output.WrittenCount;
            }
            else
            {
                shared = name.AsSpan().CommonPrefixLength(previous);
            }

            WriteEntry(output, name, shared, entries[i].Stat, baseSeconds);
            previous = name;
        }

        return new PackedEntries(output.WrittenSpan.ToArray(), restarts, entries.Count, baseSeconds, longest, isAscii, previous);
    }

    /// <summary>The block as bytes that outlive the process.</summary>
    /// <remarks>Little-endian: count (4), base seconds (8), bytes of the longest name (4), ASCII (1), bytes of the last name (4), the last name, restarts (4 each), entries.</remarks>
    public byte[] Encode()
    {
        byte[] encoded = new byte[HeaderBytes + LastName.Length + (Restarts.Length * sizeof(int)) + Bytes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(encoded, Count);
        BinaryPrimitives.WriteInt64LittleEndian(encoded.AsSpan(4), BaseSeconds);
        BinaryPrimitives.WriteInt32LittleEndian(encoded.AsSpan(12), LongestName);
        encoded[16] = IsAscii ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(encoded.AsSpan(17), LastName.Length);
        Span<byte> rest = encoded.AsSpan(HeaderBytes);
        LastName.CopyTo(rest);
        rest = rest[LastName.Length..];
        foreach (int restart in Restarts)
        {
            BinaryPrimitives.WriteInt32LittleEndian(rest, restart);
            rest = rest[sizeof(int)..];
        }

        Bytes.CopyTo(rest);
        return encoded;
    }

    /// <summary>Reads what <see cref="Encode"/> wrote, whose checksum was compared.</summary>
    /// <exception cref="InvalidDataException">It is shorter than it says.</exception>
    public static PackedEntries Decode(ReadOnlySpan<byte> encoded)
    {
        if (encoded.Length < HeaderBytes)
        {
            throw new InvalidDataException("A block of entries is cut off.");
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(encoded);
        int lastLength = BinaryPrimitives.ReadInt32LittleEndian(encoded[17..]);
        long restartCount = ((long)count + RestartInterval - 1) / RestartInterval;
        if (count < 0 || lastLength < 0 || HeaderBytes + lastLength + (restartCount * sizeof(int)) > encoded.Length)
        {
            throw new InvalidDataException("A block of entries is cut off.");
        }

        int[] restarts = new int[restartCount];
        ReadOnlySpan<byte> rest = encoded[(HeaderBytes + lastLength)..];
        for (int i = 0; i < restarts.Length; i++)
        {
            restarts[i] = BinaryPrimitives.ReadInt32LittleEndian(rest[(i * sizeof(int))..]);
        }

        return new PackedEntries(
            rest[(restarts.Length * sizeof(int))..].ToArray(),
            restarts,
            count,
            BinaryPrimitives.ReadInt64LittleEndian(encoded[4..]),
            BinaryPrimitives.ReadInt32LittleEndian(encoded[12..]),
            encoded[16] != 0,
            encoded.Slice(HeaderBytes, lastLength).ToArray());
    }

    /// <summary>True when the other block has the same entries.</summary>
    public bool IsSame(PackedEntries other)
        => Count == other.Count && BaseSeconds == other.BaseSeconds && Bytes.AsSpan().SequenceEqual(other.Bytes);

    private static long BaseOf(IReadOnlyList<ListEntry> entries)
    {
        foreach (ListEntry entry in entries)
        {
            if (entry.Stat is { } stat)
            {
                return stat.LastModified.ToUnixTimeSeconds();
            }
        }

        return 0;
    }

    private static void WriteEntry(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name, int shared, ObjectStat? stat, long baseSeconds)
    {
        Span<byte> hash = stackalloc byte[16];
        int parts = 0;
        PackedFlags flags = stat is null ? PackedFlags.Prefix : FlagsOf(stat, hash, out parts);
        output.GetSpan(1)[0] = (byte)flags;
        output.Advance(1);
        WriteVarint(output, (ulong)shared);
        WriteVarint(output, (ulong)(name.Length - shared));
        output.Write(name[shared..]);
        if (stat is null)
        {
            return;
        }

        WriteVarint(output, (ulong)stat.Length);
        long time = flags.HasFlag(PackedFlags.Ticks)
            ? stat.LastModified.UtcTicks - DateTimeOffset.UnixEpoch.Ticks - (baseSeconds * TimeSpan.TicksPerSecond)
            : stat.LastModified.ToUnixTimeSeconds() - baseSeconds;
        WriteVarint(output, (ulong)((time << 1) ^ (time >> 63)));
        if (flags.HasFlag(PackedFlags.HexETag))
        {
            output.Write(hash);
            if (flags.HasFlag(PackedFlags.Parts))
            {
                WriteVarint(output, (ulong)parts);
            }
        }
        else
        {
            WriteString(output, stat.ETag);
        }

        if (flags.HasFlag(PackedFlags.OwnToken))
        {
            WriteString(output, stat.Token.Value);
        }
    }

    private static PackedFlags FlagsOf(ObjectStat stat, Span<byte> hash, out int parts)
    {
        PackedFlags flags = PackedFlags.None;
        if (stat.LastModified.UtcTicks % TimeSpan.TicksPerSecond != 0)
        {
            flags |= PackedFlags.Ticks;
        }

        if (TryParseETag(stat.ETag, hash, out parts))
        {
            flags |= parts > 0 ? PackedFlags.HexETag | PackedFlags.Parts : PackedFlags.HexETag;
        }

        if (!string.Equals(stat.Token.Value, stat.ETag, StringComparison.Ordinal))
        {
            flags |= PackedFlags.OwnToken;
        }

        return flags;
    }

    // Accepts exactly what PackedCursor writes back: quotes, 32 lower-case digits, and perhaps a part count without leading zeros.
    private static bool TryParseETag(string etag, Span<byte> hash, out int parts)
    {
        parts = 0;
        if (etag.Length < 34 || etag[0] != '"' || etag[^1] != '"')
        {
            return false;
        }

        ReadOnlySpan<char> hex = etag.AsSpan(1, 32);
        if (hex.ContainsAnyExcept(LowerHexDigits)
            || Convert.FromHexString(hex, hash, out _, out _) != OperationStatus.Done)
        {
            return false;
        }

        if (etag.Length == 34)
        {
            return true;
        }

        ReadOnlySpan<char> count = etag.AsSpan(34, etag.Length - 35);
        return etag[33] == '-' && count.Length is > 0 and <= 9 && count[0] != '0'
            && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out parts);
    }

    private static void WriteString(ArrayBufferWriter<byte> output, string value)
    {
        int count = Encoding.UTF8.GetByteCount(value);
        WriteVarint(output, (ulong)count);
        Encoding.UTF8.GetBytes(value, output.GetSpan(count));
        output.Advance(count);
    }

    private static void WriteVarint(ArrayBufferWriter<byte> output, ulong value)
    {
        Span<byte> span = output.GetSpan(10);
        int i = 0;
        while (value >= 0x80)
        {
            span[i++] = (byte)(value | 0x80);
            value >>= 7;
        }

        span[i++] = (byte)value;
        output.Advance(i);
    }
}
