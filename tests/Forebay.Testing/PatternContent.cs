using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.Testing;

/// <summary>
/// Bytes that follow from (key, version, offset) alone: an object of any size costs no memory, and each single byte proves which
/// version it belongs to.
/// </summary>
public sealed class PatternContent
{
    private readonly ulong _seed;

    public PatternContent(string key, long version)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\0{version}"));
        _seed = BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }

    /// <summary>Writes the bytes [offset, offset + destination.Length).</summary>
    public void Fill(long offset, Span<byte> destination)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        int done = 0;
        while (done < destination.Length)
        {
            long at = offset + done;
            int skip = (int)(at & 7);
            ulong value = Mix(_seed + (ulong)(at >> 3));
            if (skip == 0 && destination.Length - done >= sizeof(ulong))
            {
                BinaryPrimitives.WriteUInt64LittleEndian(destination[done..], value);
                done += sizeof(ulong);
                continue;
            }

            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            int count = Math.Min(sizeof(ulong) - skip, destination.Length - done);
            word.Slice(skip, count).CopyTo(destination[done..]);
            done += count;
        }
    }

    /// <summary>True when the span holds exactly the bytes at this offset.</summary>
    public bool Matches(long offset, ReadOnlySpan<byte> actual) => FirstMismatch(offset, actual) < 0;

    /// <summary>Offset in the object of the first wrong byte, or -1.</summary>
    public long FirstMismatch(long offset, ReadOnlySpan<byte> actual)
    {
        Span<byte> expected = stackalloc byte[4096];
        for (int done = 0; done < actual.Length; done += expected.Length)
        {
            ReadOnlySpan<byte> piece = actual.Slice(done, Math.Min(expected.Length, actual.Length - done));
            Fill(offset + done, expected[..piece.Length]);
            int common = piece.CommonPrefixLength(expected[..piece.Length]);
            if (common < piece.Length)
            {
                return offset + done + common;
            }
        }

        return -1;
    }

    /// <summary>A piece of the content as an array.</summary>
    public byte[] Bytes(long offset, int length)
    {
        byte[] bytes = new byte[length];
        Fill(offset, bytes);
        return bytes;
    }

    /// <summary>SplitMix64 (Steele, Lea, Flood 2014).</summary>
    private static ulong Mix(ulong value)
    {
        value *= 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
