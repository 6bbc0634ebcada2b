using System.Globalization;
using Forebay.Core;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <summary>Reads what s3fs, ossfs and rclone keep of a file in the headers of its object.</summary>
internal static class ObjectAttributeReader
{
    private const uint PermissionBits = 0xFFF;

    /// <summary>Attributes and kind of an object.</summary>
    /// <param name="stat">The object; without headers it is a file that says nothing.</param>
    /// <param name="rule">Whether headers count.</param>
    /// <param name="kind">A link when its mode says so.</param>
    internal static InodeAttributes Read(ObjectStat stat, ObjectAttributes rule, out InodeKind kind)
    {
        InodeAttributes attributes = Read(stat, rule, TryParseMode);
        kind = attributes.Mode != InodeAttributes.Unknown && (attributes.Mode & FuseMode.TypeMask) == FuseMode.SymbolicLink ? InodeKind.SymbolicLink : InodeKind.File;
        return WithoutType(attributes);
    }

    /// <summary>Attributes of a directory by its marker.</summary>
    /// <param name="marker">The object; without headers it says nothing but its time.</param>
    /// <param name="rule">Whether headers count.</param>
    internal static InodeAttributes ReadMarker(ObjectStat marker, ObjectAttributes rule) => WithoutType(Read(marker, rule, TryParseDirectoryMode));

    private static InodeAttributes WithoutType(in InodeAttributes attributes)
        => attributes.Mode == InodeAttributes.Unknown ? attributes : attributes with { Mode = attributes.Mode & PermissionBits };

    private static InodeAttributes Read(ObjectStat stat, ObjectAttributes rule, ModeParser tryParse)
    {
        long modified = stat.LastModified.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
        if (rule == ObjectAttributes.Ignore || stat.Headers is not { } headers)
        {
            return new InodeAttributes(InodeAttributes.Unknown, InodeAttributes.Unknown, InodeAttributes.Unknown, modified);
        }

        IReadOnlyDictionary<string, string> metadata = headers.UserMetadata;
        uint mode = InodeAttributes.Unknown;
        if (metadata.TryGetValue("mode", out string? text) && tryParse(text, out uint parsed))
        {
            mode = parsed;
        }

        if (metadata.TryGetValue("mtime", out text) && TryParseTime(text, out long ticks))
        {
            modified = ticks;
        }

        return new InodeAttributes(mode, Id(metadata, "uid"), Id(metadata, "gid"), modified, AreFromHeaders: true);
    }

    private delegate bool ModeParser(string text, out uint mode);

    /// <summary>
    /// As <see cref="TryParseMode"/>; but s3fs writes the mode of a directory that it makes as a decimal number without the type (493 for 0755): what can be
    /// that, up to 0777, is.
    /// </summary>
    internal static bool TryParseDirectoryMode(string text, out uint mode)
    {
        const uint AllPermissions = 0x1FF;
        string digits = text.Trim();
        if (digits.Length is > 0 and <= 3 && digits[0] != '0' && uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out mode) && mode <= AllPermissions)
        {
            return true;
        }

        return TryParseMode(text, out mode);
    }

    /// <summary>s3fs and ossfs write a decimal number with the type (33188), rclone an octal one (100644); 644 and 0644 are octal too.</summary>
    internal static bool TryParseMode(string text, out uint mode)
    {
        mode = 0;
        string digits = text.Trim();
        if (digits.Length is 0 or > 11 || digits.AsSpan().ContainsAnyExceptInRange('0', '9'))
        {
            return false;
        }

        uint value = uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint parsed) ? parsed : 0;
        if (digits[0] != '0' && value <= 0xFFFF && (value & FuseMode.TypeMask) is FuseMode.File or FuseMode.Directory or FuseMode.SymbolicLink)
        {
            mode = value;
            return true;
        }

        if (digits.AsSpan().ContainsAnyExceptInRange('0', '7'))
        {
            return false;
        }

        ulong octal = 0;
        foreach (char digit in digits)
        {
            octal = (octal << 3) | (uint)(digit - '0');
        }

        mode = (uint)octal;
        return octal <= 0xFFFF;
    }

    /// <summary>Seconds since 1970 with or without a fraction, or a time of RFC 3339.</summary>
    internal static bool TryParseTime(string text, out long ticks)
    {
        ticks = 0;
        if (decimal.TryParse(text.Trim(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds)
            && seconds is > -62_000_000_000m and < 250_000_000_000m)
        {
            ticks = (long)(seconds * TimeSpan.TicksPerSecond);
            return true;
        }

        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time))
        {
            ticks = time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
            return true;
        }

        return false;
    }

    private static uint Id(IReadOnlyDictionary<string, string> metadata, string name)
        => metadata.TryGetValue(name, out string? text) && uint.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out uint id)
            ? id
            : InodeAttributes.Unknown;
}
