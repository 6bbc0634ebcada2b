namespace Forebay.Core;

/// <summary>Compares keys in UTF-8 byte order, the order of S3 listings, without encoding them.</summary>
/// <remarks>
/// UTF-16 code units sort like UTF-8 except that surrogates (U+D800–U+DFFF, which stand for code points above U+FFFF) must sort
/// behind U+E000–U+FFFF; rotating the top of the range repairs that.
/// </remarks>
public sealed class KeyOrder : IComparer<string>
{
    /// <summary>The one instance.</summary>
    public static KeyOrder Instance { get; } = new();

    private KeyOrder()
    {
    }

    /// <inheritdoc/>
    public int Compare(string? x, string? y)
    {
        if (x is null || y is null)
        {
            return x is null ? (y is null ? 0 : -1) : 1;
        }

        return Compare(x.AsSpan(), y.AsSpan());
    }

    /// <summary>Less than, equal to or greater than 0, as <paramref name="x"/> sorts before, with or after <paramref name="y"/>.</summary>
    public static int Compare(ReadOnlySpan<char> x, ReadOnlySpan<char> y)
    {
        int common = x.CommonPrefixLength(y);
        if (common == x.Length || common == y.Length)
        {
            return x.Length.CompareTo(y.Length);
        }

        return Rank(x[common]) - Rank(y[common]);
    }

    private static int Rank(char unit)
        => unit < 0xD800 ? unit : unit >= 0xE000 ? unit - 0x800 : unit + 0x2000;
}
