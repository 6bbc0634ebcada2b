using System.Globalization;
using Forebay.Fuse;
using Forebay.Mounting;

namespace Forebay.Cli.Doctor;

/// <summary>Whether a device or program can be used.</summary>
internal enum Usability
{
    /// <summary>It can.</summary>
    Usable,

    /// <summary>It is not there.</summary>
    Missing,

    /// <summary>It is there, but not for this user.</summary>
    Denied,
}

/// <summary>What the checks of a machine look at; tests make their own.</summary>
internal sealed record MachineFacts
{
    private const int AdminCapabilityBit = 21;

    /// <summary>Release of the kernel, as <c>uname -r</c>.</summary>
    public required string KernelRelease { get; init; }

    /// <summary>/dev/fuse for reading and writing.</summary>
    public required Usability FuseDevice { get; init; }

    /// <summary>fusermount3 is in the PATH.</summary>
    public required bool HasFusermount { get; init; }

    /// <summary>This process runs as root.</summary>
    public required bool IsRoot { get; init; }

    /// <summary>CAP_SYS_ADMIN is effective; passthrough needs it.</summary>
    public required bool HasAdminCapability { get; init; }

    /// <summary>Text of /etc/fuse.conf; empty when there is none.</summary>
    public required string FuseConfiguration { get; init; }

    /// <summary>Most open files that a process may allow itself.</summary>
    public required long OpenFilesLimit { get; init; }

    /// <summary>Mounts as this process sees them.</summary>
    public required IReadOnlyList<MountEntry> Mounts { get; init; }

    /// <summary>Reads them from this machine. No mount is touched.</summary>
    public static MachineFacts Read() => new()
    {
        KernelRelease = TextOf("/proc/sys/kernel/osrelease").Trim(),
        FuseDevice = ProbeDevice("/dev/fuse"),
        HasFusermount = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => directory.Length > 0 && File.Exists(Path.Combine(directory, "fusermount3"))),
        IsRoot = ProcessOwner.User == 0,
        HasAdminCapability = CapabilitiesOf(TextOf("/proc/self/status")) is { } bits && (bits >> AdminCapabilityBit & 1) != 0,
        FuseConfiguration = TextOf("/etc/fuse.conf"),
        OpenFilesLimit = OpenFilesOf(TextOf("/proc/self/limits")),
        Mounts = MountEntry.ReadAll(),
    };

    /// <summary>Effective capabilities in the form of /proc/PID/status; null when they are not in it.</summary>
    internal static ulong? CapabilitiesOf(string status)
    {
        string? line = status.Split('\n').FirstOrDefault(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        return line is not null && ulong.TryParse(line.AsSpan(7).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits) ? bits : null;
    }

    /// <summary>The hard limit in the form of /proc/PID/limits; the largest number when it is unlimited or not in it.</summary>
    internal static long OpenFilesOf(string limits)
    {
        string? line = limits.Split('\n').FirstOrDefault(line => line.StartsWith("Max open files", StringComparison.Ordinal));
        string[] words = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        return words.Length >= 5 && long.TryParse(words[4], NumberStyles.None, CultureInfo.InvariantCulture, out long hard) ? hard : long.MaxValue;
    }

    private static Usability ProbeDevice(string path)
    {
        try
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle device = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            return Usability.Usable;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Usability.Missing;
        }
        catch (UnauthorizedAccessException)
        {
            return Usability.Denied;
        }
        catch (IOException)
        {
            // ENODEV, ENXIO: the node is there, the kernel has nothing behind it.
            return Usability.Missing;
        }
    }

    private static string TextOf(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
