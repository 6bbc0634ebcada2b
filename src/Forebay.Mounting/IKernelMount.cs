using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting.Options;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting;

/// <summary>How a mount is ended.</summary>
public enum UnmountMode
{
    /// <summary>Only when nothing uses it.</summary>
    Clean,

    /// <summary>It disappears at once and ends with its last user.</summary>
    Lazy,

    /// <summary>The connection is aborted: users get errors.</summary>
    Force,
}

/// <summary>What a holder asks of the kernel.</summary>
internal interface IKernelMount
{
    /// <summary>Opens the device and mounts it.</summary>
    /// <exception cref="ForebayException">A sentence with the remedy; nothing is mounted.</exception>
    SafeFileHandle Mount(MountDescription description, MountOptions options);

    /// <summary>Sets what can be set only after INIT.</summary>
    void Tune(string directory);

    /// <summary>Ends a mount.</summary>
    /// <returns>False when it is in use and the mode does not allow that.</returns>
    bool Unmount(string directory, UnmountMode mode);

    /// <summary>What is mounted at exactly this directory, lower ones first. Reads no path of the mount.</summary>
    /// <exception cref="IOException">The table of mounts cannot be read.</exception>
    IReadOnlyList<MountEntry> MountsAt(string directory);

    /// <summary>True when the table of mounts may have changed since this was last asked. Does not wait.</summary>
    bool MountsChanged();

    /// <summary>True when the kernel has ended the connection of a device. Does not wait.</summary>
    bool IsGone(SafeFileHandle device);
}
