namespace Forebay.Caching;

/// <summary>What a tier directory lies on; faster media are used first.</summary>
public enum Medium
{
    /// <summary>A tmpfs directory.</summary>
    Mem,

    /// <summary>A solid-state disk.</summary>
    Ssd,

    /// <summary>A spinning disk.</summary>
    Hdd,
}

/// <summary>One cache directory.</summary>
public sealed record TierOptions
{
    /// <summary>Absolute path; made if missing; refused when not empty and not a tier directory.</summary>
    public required string Directory { get; init; }

    /// <summary>A small file that is there as long as the directory is in use.</summary>
    public string MarkerPath => Path.Combine(Directory, TierDirectory.MarkerName);

    /// <summary>Most bytes on its disk, index included; a bound, never a reservation. ≥ 16 MiB.</summary>
    public required long QuotaBytes { get; init; }

    /// <summary>Bytes of its disk that are left to others, looked at once a second: with less, files make way and nothing is added. 0 for none.</summary>
    public long MinFreeBytes { get; init; }

    /// <summary>What it lies on.</summary>
    public Medium Medium { get; init; } = Medium.Ssd;

    /// <summary>Fill ratio that starts eviction, 0 &lt; low &lt; high ≤ 1.</summary>
    public double HighWatermark { get; init; } = 0.95;

    /// <summary>Fill ratio at which eviction stops.</summary>
    public double LowWatermark { get; init; } = 0.90;

    /// <summary>Page size in bytes for a new directory: a power of two from 64 KiB to 16 MiB. An existing directory keeps its own.</summary>
    public int PageSizeBytes { get; init; } = 256 << 10;

    /// <summary>Bytes of the disk of a directory that may still be used; null when they cannot be told.</summary>
    internal Func<string, long?> FreeBytesOf { get; init; } = static directory =>
    {
        try
        {
            return new DriveInfo(directory).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    };
}
