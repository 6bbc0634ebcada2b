using System.Security.Cryptography;

namespace Forebay.S3;

/// <summary>Makes request ids: 16 upper-case hexadecimal digits, unique in a process and unlikely to repeat in another.</summary>
internal static class RequestIds
{
    private static long _next = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));

    public static string Next() => Mix((ulong)Interlocked.Increment(ref _next)).ToString("X16", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection, so distinct counters give distinct ids.</summary>
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
