namespace Forebay.Core;

/// <summary>Contiguous bytes of an object: the half-open interval [<see cref="Offset"/>, <see cref="End"/>).</summary>
/// <param name="Offset">First byte, ≥ 0.</param>
/// <param name="Length">Number of bytes, ≥ 0.</param>
public readonly record struct ByteRange(long Offset, long Length)
{
    /// <summary>First byte after the range.</summary>
    public long End => Offset + Length;

    /// <summary>True when the range holds no byte.</summary>
    public bool IsEmpty => Length == 0;

    /// <summary>Makes a range from its two ends.</summary>
    public static ByteRange FromBounds(long start, long end) => new(start, end - start);

    /// <summary>The part of this range that lies below <paramref name="length"/>.</summary>
    public ByteRange ClampTo(long length)
    {
        long start = Math.Min(Offset, length);
        return FromBounds(start, Math.Max(start, Math.Min(End, length)));
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{Offset}, {End})";
}
