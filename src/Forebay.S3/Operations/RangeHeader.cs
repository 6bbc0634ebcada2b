using System.Globalization;
using Forebay.Core;
using Microsoft.Extensions.Primitives;

namespace Forebay.S3.Operations;

/// <summary>
/// The one byte range of a request (RFC 9110 §14.1.2). What cannot be read, other units and several ranges count as no range, as in Amazon S3.
/// </summary>
internal readonly record struct RangeHeader
{
    private readonly long _first;
    private readonly long _last;

    private RangeHeader(long first, long last, bool isSuffix)
    {
        IsPresent = true;
        IsSuffix = isSuffix;
        _first = first;
        _last = last;
    }

    public bool IsPresent { get; }

    /// <summary>True for <c>-n</c>, the last n bytes.</summary>
    public bool IsSuffix { get; }

    /// <summary>What the engine is told that will be read; null for a suffix, whose place is not known yet.</summary>
    public ByteRange? Wanted
    {
        get
        {
            if (!IsPresent)
            {
                return new ByteRange(0, long.MaxValue);
            }

            return IsSuffix || _first == long.MaxValue ? null : ByteRange.FromBounds(_first, _last == long.MaxValue ? _last : _last + 1);
        }
    }

    public static RangeHeader Parse(StringValues values)
    {
        if (values.Count != 1)
        {
            return default;
        }

        ReadOnlySpan<char> text = values[0].AsSpan().Trim(" \t");
        if (!text.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
        {
            return default;
        }

        text = text[6..].Trim(" \t");
        int dash = text.IndexOf('-');
        if (dash < 0)
        {
            return default;
        }

        ReadOnlySpan<char> first = text[..dash];
        ReadOnlySpan<char> last = text[(dash + 1)..];
        if (first.IsEmpty)
        {
            return TryParse(last, out long suffix) ? new RangeHeader(0, suffix, isSuffix: true) : default;
        }

        if (!TryParse(first, out long from))
        {
            return default;
        }

        if (last.IsEmpty)
        {
            return new RangeHeader(from, long.MaxValue, isSuffix: false);
        }

        return TryParse(last, out long to) && to >= from ? new RangeHeader(from, to, isSuffix: false) : default;
    }

    /// <summary>The bytes of an object of this length.</summary>
    /// <returns>False when none of them exists (416).</returns>
    public bool TryResolve(long length, out ByteRange range)
    {
        if (IsSuffix)
        {
            long start = Math.Max(0, length - _last);
            range = ByteRange.FromBounds(start, length);
            return _last > 0 && length > 0;
        }

        range = _first >= length ? default : ByteRange.FromBounds(_first, Math.Min(_last, length - 1) + 1);
        return _first < length;
    }

    /// <summary>Reads digits only; what exceeds 63 bits is as good as the largest number.</summary>
    private static bool TryParse(ReadOnlySpan<char> digits, out long value)
    {
        value = 0;
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9'))
        {
            return false;
        }

        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value))
        {
            value = long.MaxValue;
        }

        return true;
    }
}
