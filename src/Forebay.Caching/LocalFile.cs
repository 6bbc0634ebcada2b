using System.Runtime.InteropServices;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Files of a tier directory: opened with mode 0600, read and written whole, failures as <see cref="IOException"/> with the errno.</summary>
internal static unsafe class LocalFile
{
    /// <summary>Opens (or makes) a file. The handle is owned by the caller.</summary>
    /// <exception cref="TierIOException">With the errno of open(2).</exception>
    internal static SafeFileHandle Open(string path, bool create, bool writable = true, bool truncate = false)
    {
        int flags = (writable ? Native.OpenReadWrite : Native.OpenReadOnly) | Native.OpenCloseOnExec | OpenFlags.NoFollow | (create ? Native.OpenCreate : 0) | (truncate ? Native.OpenTruncate : 0);
        int descriptor = Native.Open(path, flags, 0x180 /* 0600 */);
        if (descriptor < 0)
        {
            throw new TierIOException("open", path, Marshal.GetLastPInvokeError());
        }

        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Reads until the buffer is full or the file ends.</summary>
    /// <returns>Bytes read.</returns>
    internal static int Read(SafeFileHandle file, Span<byte> destination, long offset)
    {
        int done = 0;
        fixed (byte* start = destination)
        {
            while (done < destination.Length)
            {
                nint count = Native.Read(file, start + done, destination.Length - done, offset + done);
                if (count < 0)
                {
                    throw new TierIOException("read", "a cache file", Marshal.GetLastPInvokeError());
                }

                if (count == 0)
                {
                    break;
                }

                done += (int)count;
            }
        }

        return done;
    }

    /// <summary>Writes the whole buffer.</summary>
    internal static void Write(SafeFileHandle file, ReadOnlySpan<byte> source, long offset)
    {
        int done = 0;
        fixed (byte* start = source)
        {
            while (done < source.Length)
            {
                nint count = Native.Write(file, start + done, source.Length - done, offset + done);
                if (count <= 0)
                {
                    throw new TierIOException("write", "a cache file", count == 0 ? Native.NoSpace : Marshal.GetLastPInvokeError());
                }

                done += (int)count;
            }
        }
    }

    /// <summary>Sets the length without using space.</summary>
    internal static void SetLength(SafeFileHandle file, long length)
    {
        if (Native.Truncate(file, length) != 0)
        {
            throw new TierIOException("truncate", "a cache file", Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Gives the space of a range back; it reads as zeros from then on. A range beyond the end is cut there.</summary>
    internal static void Punch(SafeFileHandle file, long offset, long length)
    {
        if (Native.Allocate(file, Native.PunchHoleKeepSize, offset, length) != 0)
        {
            throw new TierIOException("punching a hole", "a cache file", Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Identity of an open file: what must not have changed for pages to count as verified.</summary>
    internal static FileIdentity Identify(SafeFileHandle file)
    {
        Native.StatxBuffer stat;
        if (Native.Statx(file, "", Native.AtEmptyPath, Native.StatxBasicStats, &stat) != 0)
        {
            throw new TierIOException("stat", "a cache file", Marshal.GetLastPInvokeError());
        }

        return new FileIdentity(
            (long)stat.Inode,
            (long)stat.SizeBytes,
            (stat.ModifiedSeconds * 1_000_000_000L) + stat.ModifiedNanoseconds,
            (stat.ChangedSeconds * 1_000_000_000L) + stat.ChangedNanoseconds);
    }

    /// <summary>Bytes that an open file takes on the disk; holes take none.</summary>
    internal static long DiskBytesOf(SafeFileHandle file)
    {
        Native.StatxBuffer stat;
        return Native.Statx(file, "", Native.AtEmptyPath, Native.StatxBasicStats, &stat) != 0
            ? throw new TierIOException("stat", "a cache file", Marshal.GetLastPInvokeError())
            : (long)stat.Blocks * 512;
    }

    /// <summary>Removes a name; a missing one is no error.</summary>
    internal static void Unlink(string path)
    {
        if (Native.Unlink(path) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Native.NoSuchFile)
            {
                throw new TierIOException("unlink", path, errno);
            }
        }
    }
}

/// <summary>A system call on a tier directory failed.</summary>
internal sealed class TierIOException(string operation, string what, int errno)
    : IOException($"{operation} of {what} failed: {Marshal.GetPInvokeErrorMessage(errno)}")
{
    /// <summary>Positive errno.</summary>
    internal int Errno { get; } = errno;

    /// <summary>True when the disk has no room (also: quota of the file system).</summary>
    internal bool IsNoSpace => Errno is Native.NoSpace or Native.QuotaExceeded;

    /// <summary>True when the process or the machine has no descriptor left.</summary>
    internal bool IsNoDescriptor => Errno is Native.TooManyOpenFiles or Native.TooManyOpenFilesOfAll;
}

/// <summary>Inode, size and times of a file; equal ones in the same boot mean that nobody else touched it.</summary>
internal readonly record struct FileIdentity(long Inode, long SizeBytes, long ModifiedNanoseconds, long ChangedNanoseconds);
