using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Files of the directory that no row names.</summary>
public sealed partial class TierCheck
{
    private void CheckFiles(bool indexIsReadable)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries(_directory.Path).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(path);
            if (name is TierDirectory.MarkerName or TierDirectory.MarkerName + ".new" or TierDirectory.LockName or TierDirectory.IndexDamagedName or "index.db" or "index.db-wal" or "index.db-shm"
                or TierDirectory.MetadataName or TierDirectory.MetadataName + "-wal" or TierDirectory.MetadataName + "-shm" or "objects" or "lost+found")
            {
                continue;
            }

            AddStray(
                path,
                name.StartsWith("index.db.damaged-", StringComparison.Ordinal) ? "an index that an earlier start found damaged and set aside"
                    : name is TierDirectory.MetadataName + ".damaged" ? "kept metadata that an earlier start found damaged and set aside"
                    : "a file that is not Forebay's");
        }

        if (!Directory.Exists(_directory.ObjectsPath))
        {
            if (_report.Objects > 0)
            {
                Add(TierFindingKind.FileMissing, isDamage: true, "objects", key: null, firstByte: null, bytes: 0, "the folder of data files is missing", "nothing can be stored until it is made again; remove the directory, nothing but cached copies is lost");
            }

            return;
        }

        foreach (string folder in Directory.EnumerateFileSystemEntries(_directory.ObjectsPath))
        {
            if (!Directory.Exists(folder))
            {
                AddStray(folder, "a file that is not Forebay's");
                continue;
            }

            foreach (string path in Directory.EnumerateFileSystemEntries(folder))
            {
                _cancellation.ThrowIfCancellationRequested();
                CheckDataFile(path, Path.GetFileName(folder), indexIsReadable);
            }
        }
    }

    private void CheckDataFile(string path, string folder, bool indexIsReadable)
    {
        ReadOnlySpan<char> name = Path.GetFileName(path.AsSpan());
        if (!TierDirectory.TryParseDataName(name, out VersionId id, out int generation) || Directory.Exists(path))
        {
            AddStray(path, "a file that is not Forebay's");
            return;
        }

        if (_named.Contains((id, generation)))
        {
            if (!name.StartsWith(folder, StringComparison.Ordinal))
            {
                AddStray(path, "a data file in another folder than its name tells");
            }

            return;
        }

        long bytes = DiskBytesOf(path);
        _report = _report with { OrphanFiles = _report.OrphanFiles + 1, OrphanBytes = _report.OrphanBytes + bytes };
        if (indexIsReadable)
        {
            Add(TierFindingKind.Orphan, isDamage: false, Relative(path), key: null, firstByte: null, bytes, "a data file without a row: a process died between two commits of the index", "it is removed in the background");
        }
    }

    private void AddStray(string path, string what)
        => Add(TierFindingKind.Stray, isDamage: false, Relative(path), key: null, firstByte: null, DiskBytesOf(path), what, "it is left alone, and not counted; remove it if nobody needs it");

    private string Relative(string path) => Path.GetRelativePath(_directory.Path, path);

    private bool HasDataFiles()
        => Directory.Exists(_directory.ObjectsPath) && Directory.EnumerateFiles(_directory.ObjectsPath, "*", SearchOption.AllDirectories).Any();

    private static long DiskBytesOf(string path)
    {
        if (Directory.Exists(path))
        {
            return 0;
        }

        try
        {
            using SafeFileHandle handle = LocalFile.Open(path, create: false, writable: false);
            return LocalFile.DiskBytesOf(handle);
        }
        catch (TierIOException)
        {
            return 0;
        }
    }
}
