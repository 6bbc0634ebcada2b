using System.Runtime.InteropServices;
using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting.Options;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting;

/// <summary>The kernel itself.</summary>
internal sealed unsafe class FuseKernelMount : IKernelMount, IDisposable
{
    /// <summary>INIT can only lower what the kernel begins with, 128 KiB; with this it reads 1 MiB at once.</summary>
    private const int ReadAheadKibibytes = 1024;

    private SafeFileHandle? _table;

    public SafeFileHandle Mount(MountDescription description, MountOptions options)
    {
        FuseMountOptions mount = new()
        {
            Directory = description.Directory,
            Source = description.Source,
            ReadOnly = true,
            AllowOther = options.AllowOther,
            DefaultPermissions = options.DefaultPermissions,
            MaxReadBytes = options.MaxReadBytes ?? 0,
            Execute = options.Execute,
            SetUserId = options.Suid,
            Devices = options.Devices,
            NoAccessTime = options.NoAccessTime,
        };
        return FuseMount.Mount(mount).Handle;
    }

    // An ordinary user may not: reads of the kernel are smaller then.
    public void Tune(string directory) => _ = FuseMount.SetReadAhead(directory, ReadAheadKibibytes);

    public bool Unmount(string directory, UnmountMode mode)
    {
        FuseUnmountMode way = mode switch { UnmountMode.Clean => FuseUnmountMode.Plain, UnmountMode.Lazy => FuseUnmountMode.Lazy, _ => FuseUnmountMode.Force };
        try
        {
            FuseMount.Unmount(directory, way);
            return true;
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.NotFound)
        {
            return true;
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.Unavailable)
        {
            return false;
        }
    }

    public IReadOnlyList<MountEntry> MountsAt(string directory)
        => [.. MountEntry.ReadAll().Where(entry => string.Equals(entry.Directory, directory, StringComparison.Ordinal))];

    public bool MountsChanged()
    {
        if (_table is null)
        {
            _table = new SafeFileHandle(Native.Open("/proc/self/mountinfo", Native.OpenCloseOnExec, 0), ownsHandle: true);
            return true;
        }

        // The kernel notes for each open table what its reader has been told.
        Native.PollEntry entry = new() { Descriptor = (int)_table.DangerousGetHandle(), Events = Native.PollPriority };
        return _table.IsInvalid || Native.Poll(&entry, 1, 0) != 0;
    }

    public void Dispose() => _table?.Dispose();

    public bool IsGone(SafeFileHandle device)
    {
        // Without waiting: whoever waits on the device is woken by every request.
        Native.PollEntry entry = new() { Descriptor = (int)device.DangerousGetHandle() };
        return Native.Poll(&entry, 1, 0) > 0 && (entry.Returned & (Native.PollError | Native.PollHangUp)) != 0;
    }
}
