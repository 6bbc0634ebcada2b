using System.Numerics;
using System.Runtime.InteropServices;

namespace Forebay.Core;

/// <summary>CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720 and iSCSI; the check value of "123456789" is 0xE3069283.</summary>
public static class Crc32C
{
    /// <summary>Checksum of one buffer.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>Continues a checksum: <c>Append(Compute(a), b)</c> equals the checksum of a followed by b.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        crc = ~crc;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte b in data[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
