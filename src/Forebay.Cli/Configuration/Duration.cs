using System.Globalization;

namespace Forebay.Cli.Configuration;

/// <summary>Durations as people write them: a number with <c>ms s m h d</c>; <c>0</c> needs no unit.</summary>
internal static class Duration
{
    /// <summary>What a duration looks like, for messages.</summary>
    public const string Form = "a duration such as 50ms, 30s, 5m, 2h or 7d";

    // "ms" before "m" and "s", which it ends with.
    private static readonly (string Suffix, TimeSpan Unit)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)),
        ("d", TimeSpan.FromDays(1)),
    ];

    /// <summary>Reads a duration ≥ 0, at most 100 years.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        if (number is "0")
        {
            return true;
        }

        foreach ((string suffix, TimeSpan unit) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.Ordinal))
            {
                number = number[..^suffix.Length].TrimEnd();
                if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
                    || value * unit.Ticks > TimeSpan.FromDays(36_525).Ticks)
                {
                    return false;
                }

                duration = TimeSpan.FromTicks((long)(value * unit.Ticks));
                return true;
            }
        }

        return false;
    }

    /// <summary>The shortest form that <see cref="TryParse"/> reads back to the same duration.</summary>
    public static string Format(TimeSpan duration)
    {
        for (int unit = Units.Length - 1; unit >= 0; unit--)
        {
            if (duration.Ticks != 0 && duration.Ticks % Units[unit].Unit.Ticks == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / Units[unit].Unit.Ticks}{Units[unit].Suffix}");
            }
        }

        return duration.Ticks == 0 ? "0" : string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds}ms");
    }
}
