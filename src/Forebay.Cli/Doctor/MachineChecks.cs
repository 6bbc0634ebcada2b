using System.Globalization;
using Forebay.Cli.Verbs;
using Forebay.Fuse;

namespace Forebay.Cli.Doctor;

/// <summary>What a machine must have for mounts, judged from facts alone.</summary>
internal static class MachineChecks
{
    private const long EnoughOpenFiles = 4096;
    private const long FullShare = 20;
    private static readonly Version OldestKernel = new(5, 4);
    private static readonly Version ReplayingKernel = new(6, 9);

    /// <summary>Checks that concern every mount.</summary>
    public static IEnumerable<Finding> Of(MachineFacts facts)
    {
        Version? kernel = VersionOf(facts.KernelRelease);
        yield return Device(facts.FuseDevice);
        yield return Fusermount(facts);
        yield return Kernel(kernel, facts.KernelRelease);
        yield return Passthrough(kernel, facts.HasAdminCapability);
        yield return AllowOther(facts);
        yield return facts.OpenFilesLimit < EnoughOpenFiles
            ? new Finding("open-files", FindingState.Warn, string.Create(CultureInfo.InvariantCulture, $"A process may have {facts.OpenFilesLimit} open files; a mount under load needs more."), $"Raise the hard limit to {EnoughOpenFiles} or more (ulimit -Hn, LimitNOFILE= of a systemd unit).")
            : new Finding("open-files", FindingState.Ok, facts.OpenFilesLimit == long.MaxValue ? "Open files are not limited." : string.Create(CultureInfo.InvariantCulture, $"A process may have {facts.OpenFilesLimit} open files."));
    }

    /// <summary>Checks of a directory that is, or will be, a cache.</summary>
    /// <param name="directory">Absolute; need not exist.</param>
    /// <param name="mounts">All mounts.</param>
    /// <param name="size">Bytes of its disk; 0 when not known.</param>
    /// <param name="free">Bytes free there.</param>
    public static Finding Cache(string directory, IReadOnlyList<MountEntry> mounts, long size, long free)
    {
        MountEntry? below = mounts.Where(entry => IsBelow(directory, entry.Directory)).MaxBy(entry => entry.Directory.Length);
        if (below?.Type is "overlay")
        {
            return new Finding("cache", FindingState.Warn, $"{directory} is on overlayfs, where the kernel hands no cache file through: each read passes the worker.", "Put the cache on a volume of its own (ext4, XFS, tmpfs) with --cache or -o use_cache.");
        }

        if (size > 0 && free < size / FullShare)
        {
            return new Finding("cache", FindingState.Warn, $"The disk of {directory} is nearly full: {HumanText.Bytes(free)} of {HumanText.Bytes(size)} free. What does not fit is served through.", "Free space, or lower the bound (cache_size, --cache DIR:QUOTA).");
        }

        string type = below is null ? "" : $", {below.Type}";
        return new Finding("cache", FindingState.Ok, size > 0 ? $"{directory} has {HumanText.Bytes(free)} of {HumanText.Bytes(size)} free{type}." : $"{directory}{type}.");
    }

    /// <summary>The first two numbers of a release such as <c>6.9.3-amd64</c>; null when it has none.</summary>
    internal static Version? VersionOf(string release)
    {
        string[] parts = release.Split('.', 3);
        return parts.Length >= 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major)
            && int.TryParse(string.Concat(parts[1].TakeWhile(char.IsAsciiDigit)), NumberStyles.None, CultureInfo.InvariantCulture, out int minor) ? new Version(major, minor) : null;
    }

    private static Finding Device(Usability device) => device switch
    {
        Usability.Missing => new Finding("fuse-device", FindingState.Fail, "There is no /dev/fuse.", "Load the module (modprobe fuse); a container needs --device /dev/fuse."),
        Usability.Denied => new Finding("fuse-device", FindingState.Fail, "/dev/fuse may not be opened by this user.", "Give read and write permission (chmod 666 /dev/fuse is the usual); a container needs --device /dev/fuse."),
        _ => new Finding("fuse-device", FindingState.Ok, "/dev/fuse can be opened."),
    };

    private static Finding Fusermount(MachineFacts facts) => facts switch
    {
        { HasFusermount: true } => new Finding("fusermount3", FindingState.Ok, "fusermount3 is installed."),
        { IsRoot: true } => new Finding("fusermount3", FindingState.Ok, "fusermount3 is not installed; root needs none."),
        _ => new Finding("fusermount3", FindingState.Fail, "fusermount3 is not installed; only root can mount without it.", "Install the package fuse3."),
    };

    private static Finding Kernel(Version? kernel, string release)
        => kernel is null ? new Finding("kernel", FindingState.Warn, $"The kernel's release \"{HumanText.Safe(release)}\" cannot be understood.")
            : kernel < OldestKernel ? new Finding("kernel", FindingState.Fail, $"Linux {release} is too old for mounts.", "Linux 5.4 or newer is needed; 6.9 for every guarantee.")
            : kernel < ReplayingKernel ? new Finding("kernel", FindingState.Warn, $"Linux {release} cannot send requests again: what a killed worker had taken and not answered waits until its program is ended.", "Linux 6.9 or newer has no such gap.")
            : new Finding("kernel", FindingState.Ok, $"Linux {release} sends requests again when a worker is killed.");

    private static Finding Passthrough(Version? kernel, bool isAdmin)
        => kernel is null || kernel < ReplayingKernel ? new Finding("passthrough", FindingState.Warn, "The kernel does not read cache files itself before Linux 6.9: each read that is not in its page cache passes the worker.", "Reads are right either way; Linux 6.9 or newer is faster.")
            : isAdmin ? new Finding("passthrough", FindingState.Ok, "The kernel reads whole cache files itself.")
            : new Finding("passthrough", FindingState.Warn, "Passthrough needs CAP_SYS_ADMIN, which this user lacks: each read that is not in the page cache passes the worker.", "Mount as root for passthrough; reads are right either way.");

    private static Finding AllowOther(MachineFacts facts)
        => facts.IsRoot || facts.FuseConfiguration.Split('\n').Any(line => line.Trim() is "user_allow_other")
            ? new Finding("allow-other", FindingState.Ok, "-o allow_other is permitted.")
            : new Finding("allow-other", FindingState.Warn, "-o allow_other is refused to ordinary users.", "If others shall use the mount, write user_allow_other into /etc/fuse.conf.");

    private static bool IsBelow(string path, string directory)
        => directory is "/" || (path.StartsWith(directory, StringComparison.Ordinal) && (path.Length == directory.Length || path[directory.Length] == '/'));
}
