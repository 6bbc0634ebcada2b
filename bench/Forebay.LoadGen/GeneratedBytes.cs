namespace Forebay.LoadGen;

/// <summary>
/// Content of every generated object: one random block whose length is a prime, entered at a place that depends on the key.
/// Byte <c>o</c> of a key is <c>block[(o + hash(key)) mod length]</c>, so that a page at a wrong offset, of a wrong key or repeated never
/// matches, and serving costs no computation.
/// </summary>
internal static class GeneratedBytes
{
    private const int Period = 1_048_573;
    private static readonly byte[] Block = CreateBlock();

    public static ulong Hash(ReadOnlySpan<char> key)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in key)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return hash;
    }

    /// <summary>The bytes from <paramref name="offset"/> on, at most <paramref name="maxLength"/> and at most one period.</summary>
    public static ReadOnlyMemory<byte> At(ulong keyHash, long offset, long maxLength)
    {
        int start = (int)(((ulong)offset + (keyHash % Period)) % Period);
        return Block.AsMemory(start, (int)Math.Min(maxLength, Period));
    }

    public static bool Matches(ulong keyHash, long offset, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ReadOnlySpan<byte> expected = At(keyHash, offset, bytes.Length).Span;
            if (!bytes[..expected.Length].SequenceEqual(expected))
            {
                return false;
            }

            bytes = bytes[expected.Length..];
            offset += expected.Length;
        }

        return true;
    }

    private static byte[] CreateBlock()
    {
        byte[] twice = new byte[2 * Period];
        new Random(20260101).NextBytes(twice.AsSpan(0, Period));
        twice.AsSpan(0, Period).CopyTo(twice.AsSpan(Period));
        return twice;
    }
}
