using Forebay.Caching;

namespace Forebay.Cli.Configuration;

/// <summary>The cache directory of a node that was given none.</summary>
internal static class DefaultCache
{
    /// <summary>Its largest quota.</summary>
    public const long LargestQuotaBytes = 10L << 30;

    private const long SmallestQuotaBytes = 64L << 20;

    /// <summary>A directory in the user's cache folder with a quota that leaves the disk usable.</summary>
    /// <remarks>The quota depends on the disk's size, so that it is the same after a restart; only a new directory looks at the free space.</remarks>
    public static TierOptions Choose(ConfigurationInput input)
    {
        string directory = DirectoryOf(input.Environment);
        (long size, long free) = input.DiskSpace(directory);
        long quota = Math.Min(LargestQuotaBytes, size / 10);
        if (!Directory.Exists(directory))
        {
            quota = Math.Min(quota, free / 2);
        }

        quota = Math.Max(quota >> 20 << 20, SmallestQuotaBytes);
        return new TierOptions { Directory = directory, QuotaBytes = quota };
    }

    /// <summary>Size and free bytes of the disk that holds a path, which need not exist yet.</summary>
    public static (long Size, long Free) DiskSpaceOf(string path)
    {
        string? existing = path;
        while (existing is not null && !Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing);
        }

        try
        {
            DriveInfo drive = new(existing ?? "/");
            return (drive.TotalSize, drive.AvailableFreeSpace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (0, 0);
        }
    }

    /// <summary>The directory of a node in the user's cache folder.</summary>
    public static string DirectoryOf(Func<string, string?> environment)
    {
        if (environment("XDG_CACHE_HOME") is { Length: > 0 } cache && Path.IsPathRooted(cache))
        {
            return Path.Combine(cache, "forebay");
        }

        return environment("HOME") is { Length: > 0 } home && Path.IsPathRooted(home)
            ? Path.Combine(home, ".cache", "forebay")
            : "/var/cache/forebay";
    }
}
