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
/// </remarks>
internal sealed unsafe class LocalFile
{
    private const int MaxPathBytes = 4096;

    private readonly string _realRoot;
    private readonly string _root;

    public LocalFile(string root, string displayName)
    {
        _root = root;
        DisplayName = displayName;
        using SafeFileHandle handle = Native.Open(root, Native.OpenPath | Native.OpenCloseOnExec);
        _realRoot = handle.IsInvalid ? throw Failure($"opening {displayName}") : RealPath(handle);
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
                ? (((ulong)attributes.DeviceMajor << 32) | attributes.DeviceMinor, attributes.Inode)
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
            throw failure;
        }

        if (IsInside(RealPath(handle)))
        {
            return handle;
        }

        handle.Dispose();
        throw NotFound(key);
    }

    private bool IsInside(string path)
        => _realRoot is "/" || (path.StartsWith(_realRoot, StringComparison.Ordinal) && (path.Length == _realRoot.Length || path[_realRoot.Length] == '/'));

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
}
