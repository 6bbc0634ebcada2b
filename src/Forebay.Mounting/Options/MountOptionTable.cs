using System.Globalization;
using Forebay.Core;

namespace Forebay.Mounting.Options;

/// <summary>Every option of a mount: the one list that the parser and docs/MOUNT.md share.</summary>
internal static class MountOptionTable
{
    private const int MostOctal = 0x1FF; // 0777
    private const long Mebi = 1L << 20;
    private const double MostSeconds = 31_536_000;
    private static readonly MountOptions Defaults = new();

    /// <summary>All names, in the order of the documentation.</summary>
    public static IReadOnlyList<MountOption> Rows { get; } =
    [
        Flag("ro", "on", "Read-only: every write is refused with EROFS.", (o, v) => o with { WriteAsked = !v }),
        Flag("rw", "off", "Warns and mounts read-only: this version does not write.", (o, v) => o with { WriteAsked = v }),
        Flag("allow_other", "off", "Other users may use the mount (an ordinary user needs `user_allow_other` in /etc/fuse.conf).", (o, v) => o with { AllowOther = v }),
        Flag("allow_root", "off", "Root may use the mount too: always so when root mounts; an ordinary user is told to take `allow_other`. Not together with it.", (o, v) => o with { AllowRoot = v }),
        Flag("default_permissions", "off", "The kernel checks owner and permission bits; without it, who may use the mount may read all of it.", (o, v) => o with { DefaultPermissions = v }),
        Id("uid", "who mounts", "Owner of files and directories.", (o, v) => o with { UserId = v }),
        Id("gid", "group of who mounts", "Group of files and directories.", (o, v) => o with { GroupId = v }),
        Octal("umask", "not set", "Permission bits taken away from 0777, or from `file_mode` and `dir_mode` when they are given.", (o, v) => o with { Umask = v }),
        Octal("mask", "not set", "The same as `umask`.", (o, v) => o with { Umask = v }),
        Octal("file_mode", "`0640`", "Permission bits of files that say none themselves.", (o, v) => o with { FileMode = v }),
        Octal("dir_mode", "`0750`", "Permission bits of directories that say none themselves.", (o, v) => o with { DirectoryMode = v }),
        Choice("object_attributes", "`auto`", "auto, always, ignore", "Whether mode, owner, group and time count that s3fs, ossfs or rclone wrote into headers of objects (`x-amz-meta-mode`…). Listings lack them, so each file costs a question; `auto` asks a few files and goes on if one names a mode or owner.", ObjectAttributesOf),
        Flag("noatime", "on", "Reads change no access time; objects have none.", (o, v) => o with { NoAccessTime = v }),
        Seconds("attr_timeout", "as long as the metadata is believed", "Longest time the kernel keeps attributes; never longer than the default.", (o, v) => o with { AttributeTimeout = v }),
        Seconds("entry_timeout", "as long as the metadata is believed", "Longest time the kernel keeps names; never longer than the default.", (o, v) => o with { EntryTimeout = v }),
        Seconds("negative_timeout", "as long as the metadata is believed", "Longest time the kernel keeps \"does not exist\"; never longer than the default.", (o, v) => o with { NegativeTimeout = v }),
        Flag("kernel_cache", "on", "The kernel keeps file data over opens. Always so: a changed object is another file to the kernel.", (o, _) => o),
        Flag("auto_cache", "on", "The kernel drops file data when the object changed. Always so.", (o, _) => o),
        Flag("direct_io", "off", "Reads go past the kernel's page cache; no passthrough then.", (o, v) => o with { DirectIo = v }),
        Number("max_read", "the kernel's", "Largest read the kernel sends, bytes.", 4096, 1 << 20, (o, v) => o with { MaxReadBytes = v }),
        Number("parallel_count", Text(Defaults.ParallelCount), "Ranges of one file fetched at the same time.", 1, 256, (o, v) => o with { ParallelCount = v }),
        Number("max_multireq", Text(Defaults.MaxRequests), "Requests to the source at the same time; at least `parallel_count`, which raises it.", 1, 1024, (o, v) => o with { MaxRequests = v }),
        Number("max_stat_cache_size", Text(Defaults.MaxStatCacheSize), "Objects whose stat is kept; 0 asks the source every time and lets the kernel keep nothing.", 0, 100_000_000, (o, v) => o with { MaxStatCacheSize = v }),
        Seconds("stat_cache_expire", $"`{Defaults.StatCacheExpire.TotalSeconds:0}`", "How long a stat or listing is believed.", (o, v) => o with { StatCacheExpire = v }),
        MegaBytes("multipart_size", $"`{Defaults.MultipartBytes / Mebi}`", "Largest range fetched at once; more than 16 means 16.", 1, 5120, (o, v) => o with { MultipartBytes = v }),
        Path("use_cache", "`forebay-mounts` in the user's cache folder", "Directory below which the cache directory of this source is made.", (o, v) => o with { CacheParent = v }),
        MegaBytes("ensure_diskfree", "`0`", "Space of the disk of each cache directory left free: with less, cached files make way and nothing is added.", 0, 1L << 30, (o, v) => o with { EnsureDiskFreeBytes = v }),
        Word("url", "by the source", "http(s)://HOST:PORT", "Address of the S3 service, for a source written as `BUCKET:/PATH` or `s3://BUCKET/PATH`.", (o, v) => o with { Url = v }),
        Word("endpoint", "by the source or the environment", "REGION", "Region that requests are signed for.", (o, v) => o with { Region = v }),
        Path("passwd_file", "the AWS chain", "File with `ID:SECRET` or `BUCKET:ID:SECRET` lines, readable by its owner only (0600).", (o, v) => o with { PasswordFile = v }),
        Choice("dbglevel", "`warn`", "crit, err, warn, info, dbg", "How much is logged.", LogLevelOf),
        Flag("immutable", "off", "Objects are never overwritten: what was seen once is believed until `forebay refresh`.", (o, v) => o with { Immutable = v }),
        Size("cache_size", "by the disk", "Bound of the cache on its disk.", 16 * Mebi, long.MaxValue, (o, v) => o with { CacheSizeBytes = v }),
        Size("page_size", $"`{ByteSize.Format(Defaults.PageSizeBytes)}`", "Unit of validity of a new cache directory, a power of two.", 64 << 10, 16 * Mebi, (o, v) => o with { PageSizeBytes = (int)v }),
        Size("memory_limit", $"`{ByteSize.Format(Defaults.MemoryLimitBytes)}`", "Resident memory of the worker.", 128 * Mebi, long.MaxValue, (o, v) => o with { MemoryLimitBytes = v }),
        Number("max_inodes", Text(Defaults.MaxInodes), "Files and directories the kernel may know at the same time; memory is taken as they are used.", 1000, 64_000_000, (o, v) => o with { MaxInodes = v }),
        Number("max_prefetch", Text(Defaults.MaxPrefetch), "Small files of a directory fetched ahead of their readers at the same time, besides `max_multireq`.", 1, 256, (o, v) => o with { MaxPrefetch = v }),
        Number("threads", Text(Defaults.Threads), "Threads that read requests of the kernel.", 1, 64, (o, v) => o with { Threads = v }),
        Number("spin_us", Text(Defaults.SpinMicroseconds), "Microseconds for which one of them asks for the next request before it sleeps, while opens of small files come quickly; it keeps a processor busy meanwhile. 0 for never.", 0, 1000, (o, v) => o with { SpinMicroseconds = v }),
        Switch("passthrough", "on", "Whole cached files are handed to the kernel, where it can take them.", (o, v) => o with { Passthrough = v }),
        Flag("small_files", "off", "For trees of small files: the kernel opens them without asking the worker. No passthrough then, which large files miss.", (o, v) => o with { SmallFiles = v }),
        Switch("standby", "on", "A second worker waits, started and warm, to take over from one that dies.", (o, v) => o with { Standby = v }),
        Switch("path_style", "by the service", "The bucket's name is in the path, not in the host name.", (o, v) => o with { PathStyle = v }),
        Flag("use_path_request_style", "by the service", "The same as `path_style`.", (o, v) => o with { PathStyle = v }),
        Flag("anonymous", "off", "Requests are not signed.", (o, v) => o with { Anonymous = v }),
        Flag("public_bucket", "off", "The same as `anonymous`.", (o, v) => o with { Anonymous = v }),
        Word("profile", "the AWS chain", "NAME", "Profile of the AWS configuration files.", (o, v) => o with { Profile = v }),
        Path("logfile", "in the runtime directory", "File that the processes of the mount log to.", (o, v) => o with { LogFile = v }),
        AbsolutePath("access_log", "none", "File that each request is logged to from the beginning; `forebay access-log` switches it while it is mounted.", (o, v) => o with { AccessLogFile = v }),
        Flag("nonempty", "off", "The mount point may hold files; they are hidden while it is mounted.", (o, v) => o with { NonEmpty = v }),
        Flag("suid", "off", "Set-user-id bits count.", (o, v) => o with { Suid = v }),
        Flag("nosuid", "on", "Set-user-id bits do not count.", (o, v) => o with { Suid = !v }),
        Flag("dev", "off", "Device files count.", (o, v) => o with { Devices = v }),
        Flag("nodev", "on", "Device files do not count.", (o, v) => o with { Devices = !v }),
        Flag("exec", "on", "Files may be executed.", (o, v) => o with { Execute = v }),
        Flag("noexec", "off", "Files may not be executed.", (o, v) => o with { Execute = !v }),
        .. Accepted("defaults", "_netdev", "nofail", "auto", "noauto", "user", "users", "nouser", "owner", "group", "async", "sync", "atime", "relatime", "norelatime", "strictatime", "nodiratime", "x-*"),
    ];

    private static readonly Dictionary<string, MountOption> ByName = Rows.ToDictionary(row => row.Name, StringComparer.Ordinal);

    /// <summary>The option of a name; null when there is none.</summary>
    public static MountOption? Find(string name)
        => name.StartsWith("x-", StringComparison.Ordinal) ? ByName["x-*"] : ByName.GetValueOrDefault(name);

    private static string Text(int number) => $"`{number.ToString(CultureInfo.InvariantCulture)}`";

    private static IEnumerable<MountOption> Accepted(params string[] names)
        => names.Select(name => new MountOption(name, "", "–", "Accepted from /etc/fstab and mount(8); changes nothing here.", static (MountOptions options, string? _, out string fault) =>
        {
            fault = "";
            return options;
        }));

    /// <summary>A flag is on when written; <c>=0</c> and the like switch it off, as scripts write it.</summary>
    private static MountOption Flag(string name, string standard, string meaning, Func<MountOptions, bool, MountOptions> set)
        => new(name, "", standard, meaning, (MountOptions options, string? value, out string fault) => BindSwitch(name, options, value, set, out fault));

    private static MountOption Switch(string name, string standard, string meaning, Func<MountOptions, bool, MountOptions> set)
        => new(name, "true, false", standard, meaning, (MountOptions options, string? value, out string fault) => BindSwitch(name, options, value, set, out fault));

    private static MountOptions? BindSwitch(string name, MountOptions options, string? value, Func<MountOptions, bool, MountOptions> set, out string fault)
    {
        fault = "";
        switch (value)
        {
            case null or "1" or "true" or "yes" or "on":
                return set(options, true);
            case "0" or "false" or "no" or "off":
                return set(options, false);
            default:
                fault = $"{name} is on when written; {name}=false switches it off.";
                return null;
        }
    }

    private static MountOption Number(string name, string standard, string meaning, int min, int max, Func<MountOptions, int, MountOptions> set)
        => new(name, $"{min} to {max}", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs a whole number from {min} to {max}.";
            return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max ? set(options, number) : null;
        });

    private static MountOption Id(string name, string standard, string meaning, Func<MountOptions, uint, MountOptions> set)
        => new(name, "number", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs a number; 'id NAME' tells that of a user.";
            return uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != uint.MaxValue ? set(options, number) : null;
        });

    private static MountOption Octal(string name, string standard, string meaning, Func<MountOptions, int, MountOptions> set)
        => new(name, "octal, 0 to 0777", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs an octal number from 0 to 0777.";
            int bits = 0;
            foreach (char digit in value ?? "")
            {
                if (digit is < '0' or > '7' || bits > MostOctal)
                {
                    return null;
                }

                bits = (bits << 3) | (digit - '0');
            }

            return string.IsNullOrEmpty(value) || bits > MostOctal ? null : set(options, bits);
        });

    private static MountOption Seconds(string name, string standard, string meaning, Func<MountOptions, TimeSpan, MountOptions> set)
        => new(name, "seconds", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs seconds, such as 60 or 0.5, at most a year.";
            return double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds <= MostSeconds
                ? set(options, TimeSpan.FromSeconds(seconds))
                : null;
        });

    private static MountOption MegaBytes(string name, string standard, string meaning, long min, long max, Func<MountOptions, long, MountOptions> set)
        => new(name, $"MiB, {min} to {max}", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs a whole number of MiB from {min} to {max}.";
            return long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max ? set(options, number * Mebi) : null;
        });

    private static MountOption Size(string name, string standard, string meaning, long min, long max, Func<MountOptions, long, MountOptions> set)
        => new(name, max == long.MaxValue ? $"size ≥ {ByteSize.Format(min)}" : $"size, {ByteSize.Format(min)} to {ByteSize.Format(max)}", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs {ByteSize.Form}, at least {ByteSize.Format(min)}{(max == long.MaxValue ? "" : $" and at most {ByteSize.Format(max)}")}.";
            return value is not null && ByteSize.TryParse(value, out long bytes) && bytes >= min && bytes <= max ? set(options, bytes) : null;
        });

    private static MountOption Word(string name, string standard, string form, string meaning, Func<MountOptions, string, MountOptions> set)
        => new(name, form, standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs a value: {name}={form}.";
            return string.IsNullOrEmpty(value) ? null : set(options, value);
        });

    private static MountOption Path(string name, string standard, string meaning, Func<MountOptions, string, MountOptions> set)
        => new(name, "PATH", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs a path: {name}=PATH.";
            return string.IsNullOrEmpty(value) ? null : set(options, System.IO.Path.GetFullPath(value));
        });

    /// <summary>For paths that a worker reads: its directory is not that of who mounts.</summary>
    private static MountOption AbsolutePath(string name, string standard, string meaning, Func<MountOptions, string, MountOptions> set)
        => new(name, "PATH", standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs an absolute path: {name}=/PATH.";
            return System.IO.Path.IsPathRooted(value) ? set(options, value) : null;
        });

    private static MountOption Choice(string name, string standard, string words, string meaning, Func<MountOptions, string, MountOptions?> set)
        => new(name, words, standard, meaning, (MountOptions options, string? value, out string fault) =>
        {
            fault = $"{name} needs one of {words}.";
            return value is null ? null : set(options, value);
        });

    private static MountOptions? ObjectAttributesOf(MountOptions options, string value)
        => Enum.TryParse(value, ignoreCase: true, out MountAttributes attributes) && !char.IsAsciiDigit(value[0]) ? options with { ObjectAttributes = attributes } : null;

    private static MountOptions? LogLevelOf(MountOptions options, string value) => value.ToLowerInvariant() switch
    {
        "crit" or "critical" or "err" or "error" => options with { LogLevel = MountLogLevel.Error },
        "warn" or "warning" or "wan" => options with { LogLevel = MountLogLevel.Warning },
        "info" or "inf" => options with { LogLevel = MountLogLevel.Info },
        "dbg" or "debug" => options with { LogLevel = MountLogLevel.Debug },
        _ => null,
    };
}
