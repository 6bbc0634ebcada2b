using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Forebay.Core;

namespace Forebay.Fuse;

/// <summary>Mounts and unmounts FUSE file systems, as root by mount(2), else through <c>fusermount3</c>. Never touches a mount by its path, which would hang where nobody serves it.</summary>
public static class FuseMount
{
    private const nuint ReadOnlyFlag = 1;
    private const nuint NoSetUserIdFlag = 2;
    private const nuint NoDevicesFlag = 4;
    private const nuint NoExecuteFlag = 8;
    private const nuint NoAccessTimeFlag = 1024;
    private const int ForceFlag = 1;
    private const int DetachFlag = 2;

    /// <summary>Whoever looks the directory up (another unmount, <c>df</c>) has it in use for a moment, and so has a program that is ending.</summary>
    private static readonly TimeSpan BusyPatience = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan BusyPause = TimeSpan.FromMilliseconds(10);

    /// <summary>Mounts as root or as an ordinary user, whichever this process is.</summary>
    /// <returns>The device to serve the mount from, owned by the caller. The kernel's INIT waits in it.</returns>
    /// <exception cref="ForebayException">As <see cref="Attach"/> and <see cref="AttachAsUser"/>.</exception>
    public static FuseDevice Mount(FuseMountOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (Native.EffectiveUserId() != 0)
        {
            return AttachAsUser(options);
        }

        FuseDevice device = FuseDevice.Open();
        try
        {
            Attach(device, options);
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>Mounts by mount(2); needs CAP_SYS_ADMIN.</summary>
    /// <param name="device">Newly opened; its descriptor stands for the mount afterwards.</param>
    /// <param name="options">Where and how.</param>
    /// <exception cref="ForebayException">
    /// <see cref="ErrorKind.NotFound"/>: no such directory; <see cref="ErrorKind.InvalidArgument"/>: not a directory, something is mounted there, an option the kernel refuses;
    /// <see cref="ErrorKind.AccessDenied"/>: no permission; <see cref="ErrorKind.NotSupported"/>: a kernel without FUSE.
    /// </exception>
    public static void Attach(FuseDevice device, FuseMountOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        string directory = CheckDirectory(options.Directory);
        nuint flags = (options.ReadOnly ? ReadOnlyFlag : 0) | (options.SetUserId ? 0 : NoSetUserIdFlag) | (options.Devices ? 0 : NoDevicesFlag)
            | (options.Execute ? 0 : NoExecuteFlag) | (options.NoAccessTime ? NoAccessTimeFlag : 0);
        string data = string.Create(CultureInfo.InvariantCulture, $"fd={(int)device.Handle.DangerousGetHandle()},rootmode=40000,user_id={Native.EffectiveUserId()},group_id={Native.EffectiveGroupId()}")
            + CommonOptions(options);
        if (Native.Mount(options.Source, directory, "fuse." + CheckSubtype(options.Subtype), flags, data) != 0)
        {
            throw Refused(Marshal.GetLastPInvokeError(), directory);
        }
    }

    /// <summary>Mounts through <c>fusermount3</c>, which is set-uid root; for ordinary users, on directories they own.</summary>
    /// <returns>The device, owned by the caller.</returns>
    /// <exception cref="ForebayException">As <see cref="Attach"/>; also <see cref="ErrorKind.NotSupported"/>: the program is not installed.</exception>
    public static FuseDevice AttachAsUser(FuseMountOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string directory = CheckDirectory(options.Directory);
        string words = (options.ReadOnly ? "ro" : "rw") + (options.Execute ? "" : ",noexec") + (options.NoAccessTime ? ",noatime" : "") + ",nosuid,nodev"
            + $",fsname={EscapeOption(options.Source)},subtype={CheckSubtype(options.Subtype)}" + CommonOptions(options);
        return Fusermount.Mount(directory, words);
    }

    /// <summary>Unmounts the topmost file system at a directory: by umount2(2) as root, else by <c>fusermount3 -u</c>.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NotFound"/>: nothing is mounted there; <see cref="ErrorKind.Unavailable"/>: in use; <see cref="ErrorKind.AccessDenied"/>: no permission.</exception>
    public static void Unmount(string directory, FuseUnmountMode mode)
    {
        using ManualResetEventSlim never = new();
        Unmount(directory, mode, time => never.Wait(time));
    }

    /// <summary>As above, for whoever knows another way to wait.</summary>
    /// <param name="directory">Where.</param>
    /// <param name="mode">How.</param>
    /// <param name="wait">Called between two tries with the time that is to pass.</param>
    internal static void Unmount(string directory, FuseUnmountMode mode, Action<TimeSpan> wait)
    {
        ArgumentNullException.ThrowIfNull(directory);
        string path = Resolve(directory);

        // Who is not content with the plain way does not wait for others either.
        TimeSpan left = mode == FuseUnmountMode.Plain ? BusyPatience : TimeSpan.Zero;
        for (; !TryUnmount(path, mode); left -= BusyPause)
        {
            if (left <= TimeSpan.Zero)
            {
                throw new ForebayException(ErrorKind.Unavailable, $"{path} is in use: close the files and shells in it (fuser -vm {path} shows them), or unmount lazily.");
            }

            wait(BusyPause);
        }
    }

    /// <returns>False while it is in use.</returns>
    private static bool TryUnmount(string path, FuseUnmountMode mode)
    {
        if (MountEntry.Find(path) is null)
        {
            throw new ForebayException(ErrorKind.NotFound, $"Nothing is mounted at {path}.");
        }

        if (Native.EffectiveUserId() != 0)
        {
            return Fusermount.TryUnmount(path, lazy: mode != FuseUnmountMode.Plain);
        }

        int flags = mode switch { FuseUnmountMode.Force => ForceFlag, FuseUnmountMode.Lazy => DetachFlag, _ => 0 };
        if (Native.Unmount(path, flags) == 0)
        {
            return true;
        }

        int errno = Marshal.GetLastPInvokeError();
        return errno switch
        {
            Errno.EBUSY => false,
            Errno.EINVAL or Errno.ENOENT => throw new ForebayException(ErrorKind.NotFound, $"Nothing is mounted at {path}."),
            Errno.EPERM => throw new ForebayException(ErrorKind.AccessDenied, $"{path} may not be unmounted: it needs root."),
            _ => throw new ForebayException(ErrorKind.Unavailable, $"{path} could not be unmounted: {Marshal.GetPInvokeErrorMessage(errno)}."),
        };
    }

    /// <summary>Sets how far the kernel reads ahead on a mount; INIT can only lower it from 128 KiB. Needs root.</summary>
    /// <param name="directory">Mount point, absolute and without symbolic links.</param>
    /// <param name="kibibytes">1024 makes READs of 1 MiB.</param>
    /// <returns>False when nothing is mounted there or it is not allowed: reads are smaller then.</returns>
    public static bool SetReadAhead(string directory, int kibibytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(kibibytes);
        if (MountEntry.Find(directory) is not { IsFuse: true } entry)
        {
            return false;
        }

        try
        {
            File.WriteAllText(string.Create(CultureInfo.InvariantCulture, $"/sys/class/bdi/{entry.Major}:{entry.Minor}/read_ahead_kb"), kibibytes.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The directory as the kernel names it, checked to be one that can be mounted on.</summary>
    /// <exception cref="ForebayException">As <see cref="Attach"/>.</exception>
    public static string CheckDirectory(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        string path = Resolve(directory);

        // Before any stat: on a mount that nobody serves it would never return, and mounting over one would not either.
        if (MountEntry.Find(path) is { } entry)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, entry.IsFuse
                ? $"{path} is mounted already ({entry.Type}, {entry.Source}): unmount it first (umount {path}, or umount -l when nothing serves it)."
                : $"{path} is a mount point already ({entry.Type}, {entry.Source}): choose another directory.");
        }

        if (RealPath(path) is null)
        {
            throw Unreachable(Marshal.GetLastPInvokeError(), path);
        }

        return Directory.Exists(path) ? path : throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is not a directory: a file system is mounted on a directory.");
    }

    /// <summary>A path as the kernel names it: absolute, without links, as far as it is there. A mount point that is named so is not touched: nobody may serve it.</summary>
    public static string Resolve(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (MountEntry.Find(full) is not null)
        {
            return full;
        }

        string rest = "";
        for (string? there = full; there is not null; there = Path.GetDirectoryName(there))
        {
            if (RealPath(there) is { } real)
            {
                return Path.TrimEndingDirectorySeparator(Path.Combine(real, rest));
            }

            rest = Path.Combine(Path.GetFileName(there), rest);
        }

        return full;
    }

    /// <summary>Commas and backslashes would end the option.</summary>
    internal static string EscapeOption(string value)
    {
        StringBuilder result = new(value.Length);
        foreach (char character in value)
        {
            _ = character is ',' or '\\' ? result.Append('\\').Append(character) : result.Append(character);
        }

        return result.ToString();
    }

    private static ForebayException Unreachable(int errno, string directory) => errno == Errno.EACCES
        ? new ForebayException(ErrorKind.AccessDenied, $"{directory} may not be reached: this user lacks the right to enter a directory above it (namei -l {directory} shows which).")
        : new ForebayException(ErrorKind.NotFound, $"{directory} is not there: make the directory first (mkdir -p).");

    internal static ForebayException Refused(int errno, string directory) => errno switch
    {
        Errno.EPERM or Errno.EACCES => new ForebayException(ErrorKind.AccessDenied, $"Mounting at {directory} is not permitted: run as root, or as an ordinary user with fusermount3 installed; a container needs CAP_SYS_ADMIN."),
        Errno.ENOENT => new ForebayException(ErrorKind.NotFound, $"{directory} is not there: make the directory first (mkdir -p)."),
        Errno.ENOTDIR => new ForebayException(ErrorKind.InvalidArgument, $"{directory} is not a directory: a file system is mounted on a directory."),
        Errno.EBUSY => new ForebayException(ErrorKind.InvalidArgument, $"{directory} is in use by another mount: unmount it first."),
        Errno.ENODEV => new ForebayException(ErrorKind.NotSupported, "The kernel knows no FUSE: load the module (modprobe fuse)."),
        Errno.EINVAL => new ForebayException(ErrorKind.InvalidArgument, $"The kernel refuses the mount options for {directory}."),
        _ => new ForebayException(ErrorKind.Unavailable, $"Mounting at {directory} failed: {Marshal.GetPInvokeErrorMessage(errno)}."),
    };

    private static string CommonOptions(FuseMountOptions options)
        => (options.AllowOther ? ",allow_other" : "") + (options.DefaultPermissions ? ",default_permissions" : "")
            + (options.MaxReadBytes > 0 ? string.Create(CultureInfo.InvariantCulture, $",max_read={options.MaxReadBytes}") : "");

    private static string CheckSubtype(string subtype)
        => subtype.Length > 0 && subtype.All(static character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.')
            ? subtype
            : throw new ArgumentException($"'{subtype}' cannot be a subtype: letters, digits, '-', '_' and '.' only.", nameof(subtype));

    private static unsafe string? RealPath(string directory)
    {
        byte* resolved = stackalloc byte[4097];
        return Native.RealPath(directory, resolved) is null ? null : Marshal.PtrToStringUTF8((nint)resolved);
    }
}
