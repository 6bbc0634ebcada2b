using System.Globalization;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>The header <c>Content-Range: bytes first-last/whole</c>.</summary>
internal static class ContentRange
{
    /// <summary>False for anything but a range with a known whole length.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ByteRange range, out long whole)
    {
        range = default;
        whole = 0;
        const string Unit = "bytes ";
        int dash = text.IndexOf('-');
        int slash = text.IndexOf('/');
        if (!text.StartsWith(Unit, StringComparison.OrdinalIgnoreCase) || dash < Unit.Length || slash < dash
            || !TryNumber(text[Unit.Length..dash], out long first)
            || !TryNumber(text[(dash + 1)..slash], out long last)
            || !TryNumber(text[(slash + 1)..], out whole)
            || last < first || last >= whole)
        {
            return false;
        }

        range = ByteRange.FromBounds(first, last + 1);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out long value)
        => long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
