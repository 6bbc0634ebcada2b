namespace Forebay.Fuse;

/// <summary>How a FUSE file system is mounted. Only what the kernel itself understands.</summary>
public sealed record FuseMountOptions
{
    /// <summary>Where to mount: an existing directory.</summary>
    public required string Directory { get; init; }

    /// <summary>What <c>mount</c> and <c>df</c> show as the device. Must not hold a secret.</summary>
    public required string Source { get; init; }

    /// <summary>Shown as <c>fuse.SUBTYPE</c>; letters, digits, '-', '_' and '.'.</summary>
    public string Subtype { get; init; } = "forebay";

    /// <summary>The kernel refuses every write with EROFS.</summary>
    public bool ReadOnly { get; init; } = true;

    /// <summary>Other users may use the mount. Ordinary users need <c>user_allow_other</c> in /etc/fuse.conf.</summary>
    public bool AllowOther { get; init; }

    /// <summary>The kernel checks permissions by mode, owner and group.</summary>
    public bool DefaultPermissions { get; init; } = true;

    /// <summary>Most bytes of a READ; 0 for no limit but <see cref="FuseConnectionOptions.MaxPages"/>.</summary>
    public int MaxReadBytes { get; init; }

    /// <summary>Programs on the mount can be run.</summary>
    public bool Execute { get; init; } = true;

    /// <summary>Set-uid bits count. Root only.</summary>
    public bool SetUserId { get; init; }

    /// <summary>Device nodes work. Root only.</summary>
    public bool Devices { get; init; }

    /// <summary>Access times are never asked to be written.</summary>
    public bool NoAccessTime { get; init; } = true;
}

/// <summary>How hard to unmount.</summary>
public enum FuseUnmountMode
{
    /// <summary>Only when no file is open.</summary>
    Plain,

    /// <summary>Aborts open requests first (MNT_FORCE); still fails while files are open.</summary>
    Force,

    /// <summary>Out of sight at once, gone with the last open file (MNT_DETACH).</summary>
    Lazy,
}
