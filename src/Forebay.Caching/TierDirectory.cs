using System.Globalization;
using System.Runtime.InteropServices;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>
/// One tier directory on disk, whole by itself: marker, lock, index and data files. See docs/ON_DISK_LAYOUT.md.
/// <code>
/// DIR/forebay-tier      marker: magic, format version, uuid, page size (text, one "name: value" a line)
/// DIR/lock              flock(2)ed while a process uses the directory
/// DIR/index.db          SQLite (WAL): objects, extents, pins
/// DIR/metadata.db       SQLite (WAL): stats and listings that outlive the process; not the tier's, only counted by it
/// DIR/objects/xx/…      one sparse file per object version, exactly the object's bytes
/// </code>
/// </summary>
internal sealed class TierDirectory : IDisposable
{
    /// <summary>Newest format this build reads and the only one it writes.</summary>
    internal const int FormatVersion = 1;

    /// <summary>Name of the file that makes a directory a tier.</summary>
    internal const string MarkerName = "forebay-tier";

    /// <summary>Name of the file that is locked.</summary>
    internal const string LockName = "lock";

    /// <summary>Name of the file of stats and listings that outlive the process; not the tier's.</summary>
    internal const string MetadataName = "metadata.db";

    /// <summary>Name of the empty file that says: the index was found damaged while it was used; the next start begins it anew.</summary>
    internal const string IndexDamagedName = "index-damaged";

    private const string Magic = "forebay cache tier";
    private readonly SafeFileHandle? _lock;

    private TierDirectory(string path, Guid uuid, int pageSizeBytes, SafeFileHandle? lockFile)
    {
        Path = path;
        Uuid = uuid;
        PageSizeBytes = pageSizeBytes;
        _lock = lockFile;
    }

    internal string Path { get; }

    internal Guid Uuid { get; }

    internal int PageSizeBytes { get; }

    internal string IndexPath => System.IO.Path.Combine(Path, "index.db");

    internal string MetadataPath => System.IO.Path.Combine(Path, MetadataName);

    internal string ObjectsPath => System.IO.Path.Combine(Path, "objects");

    /// <summary>Makes or opens a tier directory and takes its lock.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: not a tier directory, a newer format, or in use;
    /// <see cref="ErrorKind.AccessDenied"/>/<see cref="ErrorKind.Unavailable"/>: it cannot be made or opened.</exception>
    internal static TierDirectory Open(string path, int pageSizeBytes, bool create = true)
        => Translate(path, () => OpenCore(System.IO.Path.GetFullPath(path), pageSizeBytes, create));

    /// <summary>Takes the lock of an existing tier directory without changing anything in it: nothing is made, not even a missing lock file.</summary>
    /// <exception cref="ForebayException">As <see cref="Open"/>; a directory without a marker is <see cref="ErrorKind.InvalidArgument"/>, also when it is empty.</exception>
    internal static TierDirectory OpenReadOnly(string path)
        => Translate(path, () =>
        {
            string full = System.IO.Path.GetFullPath(path);
            string markerPath = System.IO.Path.Combine(full, MarkerName);
            CheckMarkerExists(full, markerPath);
            SafeFileHandle? lockFile = null;
            try
            {
                if (File.Exists(System.IO.Path.Combine(full, LockName)))
                {
                    lockFile = LocalFile.Open(System.IO.Path.Combine(full, LockName), create: false, writable: false);
                    TakeLock(full, lockFile);
                }

                (Guid uuid, int pageSize) = ReadMarker(full, markerPath);
                return new TierDirectory(full, uuid, pageSize, lockFile);
            }
            catch
            {
                LetGo(lockFile);
                throw;
            }
        });

    /// <summary>Tries whether the file system can punch holes, on the lock file, which holds nothing.</summary>
    internal bool CanPunch()
    {
        try
        {
            LocalFile.Punch(_lock!, 0, 4096);
            return true;
        }
        catch (TierIOException)
        {
            return false;
        }
    }

    /// <summary>Path of the data file of one generation of an object version.</summary>
    internal string DataPath(VersionId id, int generation)
    {
        string name = id.ToString();
        string suffix = generation == 0 ? "" : "." + generation.ToString(CultureInfo.InvariantCulture);
        return string.Concat(ObjectsPath, "/", name.AsSpan(0, 2), string.Concat("/", name, suffix));
    }

    /// <summary>Reads the name of a data file back; false when it is not one of ours.</summary>
    internal static bool TryParseDataName(ReadOnlySpan<char> name, out VersionId id, out int generation)
    {
        int dot = name.IndexOf('.');
        ReadOnlySpan<char> digits = dot < 0 ? name : name[..dot];
        id = default;
        generation = 0;
        if (digits.Length != 32
            || !ulong.TryParse(digits[..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong high)
            || !ulong.TryParse(digits[16..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong low)
            || (dot >= 0 && !int.TryParse(name[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out generation)))
        {
            return false;
        }

        id = new VersionId(high, low);
        return true;
    }

    /// <summary>True when the index must not be believed.</summary>
    internal bool IsIndexMarkedDamaged => File.Exists(IndexDamagedPath);

    private string IndexDamagedPath => System.IO.Path.Combine(Path, IndexDamagedName);

    /// <summary>Lets the next start begin the index anew.</summary>
    /// <exception cref="TierIOException">The directory cannot be written.</exception>
    internal void MarkIndexDamaged() => LocalFile.Open(IndexDamagedPath, create: true).Dispose();

    /// <summary>Keeps a damaged index for a look, the latest one only, and leaves none.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    internal void SetIndexAside(DateTimeOffset now)
    {
        // Whoever is killed in between is continued by the next start: the log of one index must never meet another.
        MarkIndexDamaged();
        if (File.Exists(IndexPath))
        {
            foreach (string older in Directory.EnumerateFiles(Path, "index.db.damaged-*"))
            {
                File.Delete(older);
            }

            File.Move(IndexPath, $"{IndexPath}.damaged-{now:yyyyMMddHHmmss}");
        }

        File.Delete(IndexPath + "-wal");
        File.Delete(IndexPath + "-shm");
        File.Delete(IndexDamagedPath);
    }

    public void Dispose() => LetGo(_lock);

    private static TierDirectory Translate(string path, Func<TierDirectory> open)
    {
        try
        {
            return open();
        }
        catch (TierIOException e)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"Cache directory {path} cannot be used: {e.Message}. Check that it exists on a healthy disk and that this user may write to it.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new ForebayException(ErrorKind.AccessDenied, $"Cache directory {path} cannot be used: {e.Message}. Give this user the right to write there or name another directory.", e);
        }
    }

    private static TierDirectory OpenCore(string path, int pageSizeBytes, bool create)
    {
        if (create)
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        else if (!Directory.Exists(path))
        {
            throw new ForebayException(ErrorKind.NotFound, $"Cache directory {path} does not exist.");
        }

        string markerPath = System.IO.Path.Combine(path, MarkerName);
        if (!File.Exists(markerPath) && !IsEmptyOrInterrupted(path))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is not empty and not a Forebay cache directory (no file '{MarkerName}'). Name an empty or new directory, so that nothing of yours is removed.");
        }

        if (!create)
        {
            CheckMarkerExists(path, markerPath);
        }

        SafeFileHandle lockFile = LocalFile.Open(System.IO.Path.Combine(path, LockName), create: true);
        try
        {
            TakeLock(path, lockFile);
            if (!File.Exists(markerPath))
            {
                Initialize(path, markerPath, pageSizeBytes);
            }

            (Guid uuid, int actualPageSize) = ReadMarker(path, markerPath);
            return new TierDirectory(path, uuid, actualPageSize, lockFile);
        }
        catch
        {
            LetGo(lockFile);
            throw;
        }
    }

    private static void CheckMarkerExists(string path, string markerPath)
    {
        if (!Directory.Exists(path))
        {
            throw new ForebayException(ErrorKind.NotFound, $"Cache directory {path} does not exist.");
        }

        if (!File.Exists(markerPath))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is not a Forebay cache directory (no file '{MarkerName}').");
        }
    }

    private static void TakeLock(string path, SafeFileHandle lockFile)
    {
        if (Native.FileLock(lockFile, Native.LockExclusive | Native.LockNonBlocking) != 0)
        {
            throw Marshal.GetLastPInvokeError() == Native.WouldBlock
                ? new ForebayException(ErrorKind.InvalidArgument, $"Cache directory {path} is in use by another Forebay process. Stop that process or name another directory.")
                : new TierIOException("lock", path, Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Closing alone leaves the lock to a child of this process that has not come to its own program yet, for the moment that takes.</summary>
    private static void LetGo(SafeFileHandle? lockFile)
    {
        if (lockFile is { IsClosed: false })
        {
            _ = Native.FileLock(lockFile, Native.LockNone);
            lockFile.Dispose();
        }
    }

    /// <summary>A directory in which a first start was killed before its marker was written holds nothing but our own names.</summary>
    private static bool IsEmptyOrInterrupted(string path)
        => Directory.EnumerateFileSystemEntries(path).All(entry => System.IO.Path.GetFileName(entry) is LockName or "objects" or MarkerName + ".new" or "lost+found");

    private static void Initialize(string path, string markerPath, int pageSizeBytes)
    {
        string objects = System.IO.Path.Combine(path, "objects");
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        File.SetUnixFileMode(path, Private);
        for (int i = 0; i < 256; i++)
        {
            Directory.CreateDirectory(System.IO.Path.Combine(objects, i.ToString("x2", CultureInfo.InvariantCulture)), Private);
        }

        string fresh = markerPath + ".new";
        using (SafeFileHandle file = LocalFile.Open(fresh, create: true))
        {
            string text = $"{Magic}\nformat: {FormatVersion}\nuuid: {Guid.NewGuid()}\npage-size: {pageSizeBytes}\n";
            LocalFile.SetLength(file, 0);
            LocalFile.Write(file, System.Text.Encoding.ASCII.GetBytes(text), 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(fresh, markerPath);
    }

    private static (Guid Uuid, int PageSizeBytes) ReadMarker(string path, string markerPath)
    {
        string[] lines = File.ReadAllLines(markerPath);
        if (lines.Length < 4 || !string.Equals(lines[0], Magic, StringComparison.Ordinal))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{markerPath} is damaged: it does not begin with '{Magic}'. If this is a cache directory of Forebay, remove it whole; nothing but cached copies is lost.");
        }

        int format = int.TryParse(Value(lines, "format"), CultureInfo.InvariantCulture, out int f) ? f : 0;
        if (format > FormatVersion)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"Cache directory {path} has format {format}, this build reads up to {FormatVersion}. Run the newer Forebay that made it, or remove the directory; nothing but cached copies is lost.");
        }

        if (format < 1
            || !Guid.TryParse(Value(lines, "uuid"), CultureInfo.InvariantCulture, out Guid uuid)
            || !int.TryParse(Value(lines, "page-size"), CultureInfo.InvariantCulture, out int pageSize)
            || pageSize is < (64 << 10) or > (16 << 20)
            || !int.IsPow2(pageSize))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{markerPath} is damaged: format, uuid or page-size is missing or out of range. Remove the directory; nothing but cached copies is lost.");
        }

        return (uuid, pageSize);
    }

    private static string Value(string[] lines, string name)
    {
        string start = name + ": ";
        return Array.Find(lines, line => line.StartsWith(start, StringComparison.Ordinal))?[start.Length..] ?? "";
    }
}
