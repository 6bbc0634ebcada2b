using System.Globalization;

namespace Forebay.Core;

/// <summary>Sizes as people write them: plain bytes, or a number with <c>Ki Mi Gi Ti</c> (powers of 1,024; a closing B is allowed).</summary>
public static class ByteSize
{
    private static readonly (string Suffix, long Factor)[] Units =
        [("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("Ti", 1L << 40)];

    /// <summary>What a size looks like, for messages.</summary>
    public const string Form = "a size such as 512Mi, 10Gi or 1.5Ti (or plain bytes)";

    /// <summary>Reads a size ≥ 0 that fits in 63 bits; decimal fractions only with a unit.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        ArgumentNullException.ThrowIfNull(text);
        bytes = 0;
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        long factor = 1;
        if (number.EndsWith("B", StringComparison.Ordinal))
        {
            number = number[..^1];
        }

        foreach ((string suffix, long unit) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^suffix.Length].TrimEnd();
                factor = unit;
                break;
            }
        }

        NumberStyles style = factor == 1 ? NumberStyles.None : NumberStyles.AllowDecimalPoint;
        if (!decimal.TryParse(number, style, CultureInfo.InvariantCulture, out decimal value) || value > long.MaxValue / (decimal)factor)
        {
            return false;
        }

        bytes = (long)(value * factor);
        return true;
    }

    /// <summary>The shortest form that <see cref="TryParse"/> reads back to the same number.</summary>
    public static string Format(long bytes)
    {
        for (int unit = Units.Length - 1; unit >= 0; unit--)
        {
            if (bytes != 0 && bytes % Units[unit].Factor == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / Units[unit].Factor}{Units[unit].Suffix}");
            }
        }

        return bytes.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A size for people: three digits and a unit, rounded.</summary>
    public static string Round(double bytes)
    {
        string[] names = ["B", "KiB", "MiB", "GiB", "TiB"];
        int unit = 0;
        while (bytes >= 1000 && unit < names.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        string format = bytes < 10 && unit > 0 ? "0.0" : "0";
        return $"{bytes.ToString(format, CultureInfo.InvariantCulture)} {names[unit]}";
    }
}
