using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Fuse;

/// <summary>
/// An open <c>/dev/fuse</c>: the kernel's side of one mount. Owns its descriptor. Thread-safe. It is never cloned: requests read
/// through a clone would die with it. When the last descriptor of a mount is closed, in whatever process, the mount is dead (ENOTCONN).
/// </summary>
public sealed unsafe class FuseDevice : IDisposable, IFuseReplySink
{
    /// <summary>Path of the device.</summary>
    public const string DevicePath = "/dev/fuse";

    private readonly SafeFileHandle _handle;

    /// <summary>Takes over a descriptor, for example one that came from the holder of a mount.</summary>
    /// <param name="handle">Of <c>/dev/fuse</c>; owned by this object from now on.</param>
    public FuseDevice(SafeFileHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        _handle = handle;
    }

    /// <summary>The descriptor, to pass it on; owned by this object.</summary>
    public SafeFileHandle Handle => _handle;

    /// <summary>Opens the device; it belongs to no mount until <see cref="FuseMount.Attach"/>.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NotSupported"/>: there is no device; <see cref="ErrorKind.AccessDenied"/>: it may not be opened.</exception>
    public static FuseDevice Open()
    {
        int descriptor = Native.Open(DevicePath, Native.OpenReadWrite | Native.OpenCloseOnExec, 0);
        if (descriptor >= 0)
        {
            return new FuseDevice(new SafeFileHandle(descriptor, ownsHandle: true));
        }

        int errno = Marshal.GetLastPInvokeError();
        throw errno is Errno.ENOENT or Errno.ENODEV or Errno.ENXIO
            ? new ForebayException(ErrorKind.NotSupported, $"{DevicePath} is not there: load the kernel module (modprobe fuse), or give the container the device (--device {DevicePath}).")
            : new ForebayException(ErrorKind.AccessDenied, $"{DevicePath} cannot be opened ({Marshal.GetPInvokeErrorMessage(errno)}): run as root, or give the container the device and CAP_SYS_ADMIN.");
    }

    /// <summary>Lets the kernel read a file itself for opens that name the id (FUSE_DEV_IOC_BACKING_OPEN).</summary>
    /// <param name="file">A whole file on a file system that is not stacked; may be closed afterwards, the kernel has its own reference.</param>
    /// <param name="backingId">The id, &gt; 0, valid for the life of the mount or until <see cref="CloseBacking"/>; 0 on failure. It survives this process.</param>
    /// <returns>0, or an errno: EPERM without CAP_SYS_ADMIN, ELOOP on a stacked file system (overlayfs), EOPNOTSUPP or ENOTTY on a kernel without passthrough.</returns>
    public int OpenBacking(SafeFileHandle file, out int backingId)
    {
        ArgumentNullException.ThrowIfNull(file);
        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            FuseBackingMap map = new() { Descriptor = (int)file.DangerousGetHandle() };
            int id = Native.Control(_handle, Native.BackingOpen, &map);
            backingId = Math.Max(id, 0);
            return id > 0 ? 0 : id == 0 ? Errno.EINVAL : Marshal.GetLastPInvokeError();
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Gives a backing id back (FUSE_DEV_IOC_BACKING_CLOSE). Opens that use it go on; new ones cannot.</summary>
    /// <returns>0, or an errno: ENOENT for an id that is not there.</returns>
    public int CloseBacking(int backingId)
    {
        uint id = (uint)backingId;
        return Native.Control(_handle, Native.BackingClose, &id) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Asks whether the kernel takes files of a file system from this process at all, by handing one over and taking it back.</summary>
    /// <param name="path">A regular file there.</param>
    /// <returns>False too when the file cannot be opened.</returns>
    public bool TakesFilesLike(string path)
    {
        int descriptor = Native.Open(path, Native.OpenCloseOnExec, 0);
        if (descriptor < 0)
        {
            return false;
        }

        using SafeFileHandle file = new(descriptor, ownsHandle: true);
        if (OpenBacking(file, out int id) != 0)
        {
            return false;
        }

        CloseBacking(id);
        return true;
    }

    /// <inheritdoc/>
    public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
    {
        fixed (byte* headStart = head)
        fixed (byte* bodyStart = body)
        {
            Native.IoVector* pieces = stackalloc Native.IoVector[2];
            pieces[0] = new Native.IoVector { Base = headStart, Length = (nuint)head.Length };
            pieces[1] = new Native.IoVector { Base = bodyStart, Length = (nuint)body.Length };
            while (true)
            {
                nint written = body.IsEmpty ? Native.Write(_handle, headStart, head.Length) : Native.WriteVector(_handle, pieces, 2);
                if (written >= 0)
                {
                    return 0;
                }

                int errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR)
                {
                    return errno;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    /// <summary>Waits for one message.</summary>
    /// <returns>Its length, or a negated errno.</returns>
    internal int Receive(byte* buffer, int size)
    {
        nint count = Native.Read(_handle, buffer, size);
        return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
    }

    /// <summary>True when <see cref="Receive"/> would not wait.</summary>
    internal bool HasRequest()
    {
        Native.PollEntry entry = new() { Descriptor = (int)_handle.DangerousGetHandle(), Events = Native.PollIn };
        return Native.Poll(&entry, 1, 0) != 0;
    }

    /// <summary>Reads a range of a file into a reply buffer.</summary>
    /// <returns>0, or an errno; EIO when the file ends early.</returns>
    internal static int ReadExactly(SafeFileHandle file, FuseReplyBuffer buffer, long offset, int count)
    {
        int done = 0;
        while (done < count)
        {
            nint read = Native.ReadAt(file, buffer.Data + done, count - done, offset + done);
            if (read < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EINTR)
                {
                    continue;
                }

                return errno;
            }

            if (read == 0)
            {
                return Errno.EIO;
            }

            done += (int)read;
        }

        return 0;
    }
}
