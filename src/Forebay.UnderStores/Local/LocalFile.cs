using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.UnderStores.Local;

/// <summary>Opens names below one root, never outside it, and describes what they are. All calls block.</summary>
/// <remarks>
/// A name is first opened without access (<c>O_PATH</c>), which has no effect on pipes and devices; the kernel then tells where that
/// descriptor really lies. So links are followed as long as they end inside the root, and no race can lead out of it.
/// <para>A share that is not mounted must look neither empty nor emptied: before anything is said to be absent, the root is looked at
/// (<see cref="CheckRoot"/>).</para>
/// </remarks>
internal sealed unsafe class LocalFile
{
    private const int MaxPathBytes = 4096;

    private readonly string _root;
    private RootPlace _place;

    /// <summary>Opens the root.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: it is not there or no directory.</exception>
    public LocalFile(string root, string displayName)
    {
        _root = root;
        DisplayName = displayName;
        _place = FindRoot();
    }

    public string DisplayName { get; }

    /// <summary>Absolute path of a key, or of a directory's prefix.</summary>
    public string PathOf(string key) => _root is "/" ? "/" + key : $"{_root}/{key}";

    /// <summary>True when each segment of the key is a name a directory can hold, so that the key means one path and no other.</summary>
    public static bool IsKey(string key)
    {
        if (key.Length == 0 || key.Contains('\0', StringComparison.Ordinal))
        {
            return false;
        }

        foreach (Range segment in key.AsSpan().Split('/'))
        {
            if (key.AsSpan()[segment] is "" or "." or "..")
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Makes sure that the root is the one that was looked into, so that what was not found in it is really not there. An empty directory on another
    /// device than before, which is not the top of a mount, is what an unmounted share leaves behind.
    /// </summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the root is away, or was exchanged during this call.</exception>
    public void CheckRoot()
    {
        RootPlace then = _place;
        RootPlace now = FindRoot();
        if (now == then)
        {
            return;
        }

        if (now.Device != then.Device && !now.IsMountRoot && IsEmpty())
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{DisplayName} is empty and lies on another device than before: the file system that it was on is not mounted");
        }

        _place = now;
        throw new ForebayException(ErrorKind.Unavailable, $"{DisplayName} was exchanged while it was looked into");
    }

    /// <summary>Stats a regular file; anything else is not found.</summary>
    public ObjectStat Stat(string key)
    {
        using SafeFileHandle handle = OpenInside(key);
        return StatOf(handle, key, out ObjectStat stat) ? stat : throw NotFound(key);
    }

    /// <summary>As <see cref="Stat"/>, with null for what is not there or is no regular file.</summary>
    public ObjectStat? TryStat(string key)
    {
        try
        {
            return Stat(key);
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>Opens a regular file for reading.</summary>
    public (SafeFileHandle Handle, ObjectStat Stat) OpenRead(string key)
    {
        using SafeFileHandle inside = OpenInside(key);
        if (!StatOf(inside, key, out _))
        {
            throw NotFound(key);
        }

        // The descriptor, not the name: it cannot have been exchanged meanwhile.
        SafeFileHandle handle = Native.Open($"/proc/self/fd/{inside.DangerousGetHandle()}", Native.OpenCloseOnExec | Native.OpenNonBlocking);
        try
        {
            if (handle.IsInvalid)
            {
                throw Failure($"opening '{key}' in {DisplayName}");
            }

            return StatOf(handle, key, out ObjectStat stat) ? (handle, stat) : throw NotFound(key);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Stats an open file again.</summary>
    public ObjectStat Refresh(SafeFileHandle handle, string key) => StatOf(handle, key, out ObjectStat stat) ? stat : throw NotFound(key);

    /// <summary>
    /// Returns when a write(2) to the file that had begun has ended. Its buffered reads do not wait for it, SEEK_DATA does: ext4, btrfs, tmpfs and overlayfs
    /// take the lock of the inode for it, which a write holds from before it sets the time to after its last byte (ext4_llseek in Linux 6.18; reads of XFS
    /// wait by themselves). A file system that answers without that lock (vfat, exfat and others) makes it wait for nothing.
    /// </summary>
    /// <returns>Whether the call was answered; of no use but to have one.</returns>
    public static bool AwaitWriter(SafeFileHandle handle) => Native.LSeek(handle, 0, Native.SeekData) >= 0;

    /// <summary>Identity of a directory inside the root; null when it is none, or leads outside.</summary>
    public (ulong Device, ulong Inode)? TryDirectory(string prefix)
    {
        try
        {
            using SafeFileHandle handle = prefix.Length == 0
                ? Native.Open(_root, Native.OpenPath | Native.OpenCloseOnExec)
                : OpenInside(prefix.TrimEnd('/'));
            Native.FileAttributesX attributes = Attributes(handle, prefix);
            return (attributes.Mode & Native.TypeMask) == Native.TypeDirectory
                ? (DeviceOf(attributes), attributes.Inode)
                : null;
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>Reads at an offset into the caller's buffer, which must stay where it is until the call returns.</summary>
    public int Read(SafeFileHandle handle, Span<byte> destination, long offset, string key)
    {
        fixed (byte* buffer = destination)
        {
            nint read = Native.PRead(handle, buffer, (nuint)destination.Length, offset);
            return read >= 0 ? (int)read : throw Failure($"reading '{key}' in {DisplayName}");
        }
    }

    public ForebayException NotFound(string key) => new(ErrorKind.NotFound, $"{DisplayName} has no file '{key}'");

    private SafeFileHandle OpenInside(string key)
    {
        SafeFileHandle handle = Native.Open(PathOf(key), Native.OpenPath | Native.OpenCloseOnExec);
        if (handle.IsInvalid)
        {
            ForebayException failure = Failure($"stat of '{key}' in {DisplayName}");
            handle.Dispose();
            if (failure.Kind == ErrorKind.NotFound)
            {
                CheckRoot();
            }

            throw failure;
        }

        if (IsInside(RealPath(handle)))
        {
            return handle;
        }

        handle.Dispose();
        CheckRoot();
        throw NotFound(key);
    }

    private bool IsInside(string path)
    {
        string root = _place.RealPath;
        return root is "/" || (path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] == '/'));
    }

    private RootPlace FindRoot()
    {
        using SafeFileHandle handle = Native.Open(_root, Native.OpenPath | Native.OpenCloseOnExec);
        if (handle.IsInvalid)
        {
            ForebayException failure = Failure($"opening {DisplayName}");
            throw failure.Kind == ErrorKind.NotFound ? RootMissing(failure) : failure;
        }

        Native.FileAttributesX attributes = Attributes(handle, "");
        return (attributes.Mode & Native.TypeMask) == Native.TypeDirectory
            ? new RootPlace(RealPath(handle), DeviceOf(attributes), (attributes.Attributes & Native.AttributeMountRoot) != 0)
            : throw RootMissing(null);
    }

    private ForebayException RootMissing(Exception? cause)
        => new(ErrorKind.Unavailable, $"{DisplayName} is not there or no directory; if it lies on a share, mount it", cause);

    private bool IsEmpty()
    {
        try
        {
            return !Directory.EnumerateFileSystemEntries(_root).Any();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{DisplayName} cannot be read: {error.Message}", error);
        }
    }

    private static ulong DeviceOf(in Native.FileAttributesX attributes) => ((ulong)attributes.DeviceMajor << 32) | attributes.DeviceMinor;

    private static string RealPath(SafeFileHandle handle)
    {
        byte* buffer = stackalloc byte[MaxPathBytes];
        nint length = Native.ReadLink($"/proc/self/fd/{handle.DangerousGetHandle()}", buffer, MaxPathBytes);
        return length > 0 ? Encoding.UTF8.GetString(buffer, (int)length) : throw Failure("reading /proc/self/fd");
    }

    private static bool StatOf(SafeFileHandle handle, string key, out ObjectStat stat)
    {
        Native.FileAttributesX attributes = Attributes(handle, key);
        bool regular = (attributes.Mode & Native.TypeMask) == Native.TypeRegular;
        stat = regular ? Describe(key, attributes) : null!;
        return regular;
    }

    private static Native.FileAttributesX Attributes(SafeFileHandle handle, string key)
    {
        Native.FileAttributesX attributes = default;
        return Native.StatX(handle, "", Native.AtEmptyPath | Native.AtStatxForceSync, Native.StatxBasicStats, &attributes) == 0
            ? attributes
            : throw Failure($"stat of '{key}'");
    }

    private static ObjectStat Describe(string key, in Native.FileAttributesX attributes)
    {
        string token = string.Create(
            CultureInfo.InvariantCulture,
            $"{attributes.Size}-{attributes.ModifiedSeconds}.{attributes.ModifiedNanoseconds:D9}-{attributes.Inode:x}");
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.ASCII.GetBytes(token), hash);
        DateTimeOffset modified = DateTimeOffset.FromUnixTimeSeconds(attributes.ModifiedSeconds).AddTicks(attributes.ModifiedNanoseconds / 100);
        return new ObjectStat(key, (long)attributes.Size, new VersionToken(token), modified)
        {
            ETag = $"\"{Convert.ToHexStringLower(hash[..16])}\"",
        };
    }

    private static ForebayException Failure(string what)
    {
        int error = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
        ErrorKind kind = error switch
        {
            Native.NoSuchEntry or Native.NotDirectory or Native.NameTooLong or Native.TooManyLinks or Native.IsDirectory or Native.NoDevice => ErrorKind.NotFound,
            Native.AccessDenied or Native.NotPermitted => ErrorKind.AccessDenied,
            Native.TimedOut => ErrorKind.Timeout,
            _ => ErrorKind.Unavailable,
        };
        return new ForebayException(kind, $"{what}: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>Where the root lies: one immutable value, exchanged whole.</summary>
    private sealed record RootPlace(string RealPath, ulong Device, bool IsMountRoot);
}
