namespace Forebay.Engine.Metadata;

/// <summary>
/// Positions in the space of keys as byte strings. Every bound is a half-open cut: a lower bound is the first position inside, an upper
/// bound the first outside, null the end of the space.
/// </summary>
internal static class KeyBytes
{
    /// <summary>The first position behind every key that begins with <paramref name="prefix"/>; null when there is none.</summary>
    public static byte[]? EndOfPrefix(ReadOnlySpan<byte> prefix)
    {
        // 0xFF never occurs in UTF-8; keys of odd stores are handled all the same.
        int length = prefix.Length;
        while (length > 0 && prefix[length - 1] == 0xFF)
        {
            length--;
        }

        if (length == 0)
        {
            return null;
        }

        byte[] end = prefix[..length].ToArray();
        end[^1]++;
        return end;
    }

    /// <summary>The first position behind <paramref name="key"/>.</summary>
    public static byte[] After(ReadOnlySpan<byte> key)
    {
        byte[] after = new byte[key.Length + 1];
        key.CopyTo(after);
        return after;
    }

    /// <summary>True when <paramref name="position"/> lies before <paramref name="upper"/>.</summary>
    public static bool IsBefore(ReadOnlySpan<byte> position, byte[]? upper)
        => upper is null || position.SequenceCompareTo(upper) < 0;

    /// <summary>The lower of two upper bounds.</summary>
    public static byte[]? MinUpper(byte[]? x, byte[]? y)
        => x is null ? y : IsBefore(x, y) ? x : y;
}
