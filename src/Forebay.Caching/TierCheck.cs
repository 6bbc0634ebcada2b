using Forebay.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>
/// Verifies a cache directory that no process uses, changes nothing in it, and says what recovery would do. Steps: 1. lock and marker,
/// 2. index, 3. every row against its data file and checksums, 4. files that no row names.
/// </summary>
/// <remarks>
/// The lock is held while it runs, so a node that is started meanwhile is refused. The sentences about recovery describe
/// <see cref="Tier"/>: change them together. Memory: 16 bytes per row, one page, and a bounded list of findings.
/// </remarks>
public sealed partial class TierCheck
{
    /// <summary>Most findings that are listed; the rest is counted.</summary>
    public const int MostFindings = 1000;

    private const string Refetched = "its bytes are fetched again at the next read";
    private const string BegunAnew = "the index is set aside as index.db.damaged-TIME and begun anew; all data files are removed as orphans and fetched again when read";
    private readonly TierDirectory _directory;
    private readonly bool _quick;
    private readonly Action<TierCheckProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly string _bootId = Tier.ReadBootId();
    private readonly List<TierFinding> _findings = [];
    private readonly HashSet<(VersionId Id, int Generation)> _named = [];
    private TierCheckReport _report;
    private long _found;

    private TierCheck(TierDirectory directory, bool quick, Action<TierCheckProgress>? progress, CancellationToken cancellationToken)
    {
        _directory = directory;
        _quick = quick;
        _progress = progress;
        _cancellation = cancellationToken;
        _report = new TierCheckReport { Directory = directory.Path, Uuid = directory.Uuid, PageSizeBytes = directory.PageSizeBytes, IsQuick = quick, Findings = _findings };
    }

    /// <summary>Checks one directory on the calling thread.</summary>
    /// <param name="directory">The cache directory.</param>
    /// <param name="quick">Leave out the page checksums: reads no data, only names, lengths and the index.</param>
    /// <param name="progress">Called after every row and every few MiB; null for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ForebayException">Nothing was checked: the directory does not exist, is no tier, is in use, or has a newer format.</exception>
    /// <exception cref="IOException">There is no room for a copy of the index, or the directory cannot be listed.</exception>
    public static TierCheckReport Run(string directory, bool quick, Action<TierCheckProgress>? progress, CancellationToken cancellationToken)
    {
        using var opened = TierDirectory.OpenReadOnly(directory);
        return new TierCheck(opened, quick, progress, cancellationToken).Run();
    }

    private TierCheckReport Run()
    {
        bool indexIsReadable = CheckIndex();
        CheckFiles(indexIsReadable);
        return _report with { OmittedFindings = Math.Max(0, _found - _findings.Count) };
    }

    private void Add(TierFindingKind kind, bool isDamage, string file, string? key, long? firstByte, long bytes, string what, string recovery)
    {
        _found++;
        if (isDamage)
        {
            _report = _report with { DamageCount = _report.DamageCount + 1 };
        }

        if (_findings.Count < MostFindings)
        {
            _findings.Add(new TierFinding(kind, isDamage, file, key, firstByte, bytes, what, recovery));
        }
    }

    /// <returns>False when rows are unknown, so that no file can be called an orphan.</returns>
    private bool CheckIndex()
    {
        string name = Path.GetFileName(_directory.IndexPath);
        _report = _report with { IndexBytes = LengthOf("") + LengthOf("-wal") + LengthOf("-shm") };
        if (_directory.IsIndexMarkedDamaged)
        {
            Add(TierFindingKind.IndexDamaged, isDamage: true, TierDirectory.IndexDamagedName, key: null, firstByte: null, bytes: 0, "a node found the index damaged while it used it", BegunAnew);
        }

        if (!File.Exists(_directory.IndexPath))
        {
            if (HasDataFiles())
            {
                Add(TierFindingKind.IndexDamaged, isDamage: true, name, key: null, firstByte: null, bytes: 0, "there is no index, but there are data files", "an empty index is made; all data files are removed as orphans and fetched again when read");
                return false;
            }

            return true;
        }

        try
        {
            using var index = TierIndexSnapshot.Open(_directory.IndexPath);
            foreach (string fault in index.StructureFaults())
            {
                Add(TierFindingKind.IndexDamaged, isDamage: true, name, key: null, firstByte: null, bytes: 0, $"the index is damaged: {fault}", "the next start uses the rows before the damage and fetches the rest again when it is read; the start after it begins an empty index");
            }

            if (index.HasTables)
            {
                CheckRows(index, name);
            }
            else if (index.SchemaVersion > 0)
            {
                Add(TierFindingKind.IndexDamaged, isDamage: true, name, key: null, firstByte: null, bytes: 0, "tables are missing in the index", BegunAnew);
            }

            return _report.IsClean || _findings.TrueForAll(finding => finding.Kind != TierFindingKind.IndexDamaged);
        }
        catch (SqliteException e)
        {
            bool atOpen = TierIndex.IsDamage(e) || e.SqliteErrorCode == 1;
            Add(
                TierFindingKind.IndexDamaged, isDamage: true, name, key: null, firstByte: null, bytes: 0, $"the index cannot be read: {e.Message}",
                atOpen ? BegunAnew : "the start fails with the same message; remove the directory, nothing but cached copies is lost");
            return false;
        }

        long LengthOf(string suffix) => new FileInfo(_directory.IndexPath + suffix) is { Exists: true } file ? file.Length : 0;
    }

    private void CheckRows(TierIndexSnapshot index, string indexName)
    {
        (long objects, long bytes) = index.Totals();
        _report = _report with { Objects = objects, RowBytes = bytes };
        long doneObjects = 0;
        long doneBytes = 0;
        foreach ((byte[] id, ObjectRow? row) in index.Rows())
        {
            _cancellation.ThrowIfCancellationRequested();
            long damageBefore = _report.DamageCount;
            if (row is null || id.Length != 16 || VersionId.FromBytes(id) != row.Version.Id)
            {
                Add(TierFindingKind.RowDamaged, isDamage: true, indexName, row?.Version.Key, firstByte: null, row?.StoredBytes ?? 0, $"row {Convert.ToHexStringLower(id)} does not describe the object it is stored under", $"the row is never found; {Refetched}");
                if (id.Length == 16)
                {
                    _named.Add((VersionId.FromBytes(id), row?.Generation ?? 0));
                }
            }
            else
            {
                _named.Add((row.Version.Id, row.Generation));
                CheckObject(row, index.Extents(id), bytesRead => _progress?.Invoke(new TierCheckProgress(doneBytes + Math.Min(bytesRead, row.StoredBytes), bytes, doneObjects, objects)));
            }

            if (_report.DamageCount > damageBefore)
            {
                _report = _report with { DamagedObjects = _report.DamagedObjects + 1 };
            }

            doneObjects++;
            doneBytes += row?.StoredBytes ?? 0;
            _progress?.Invoke(new TierCheckProgress(doneBytes, bytes, doneObjects, objects));
        }

        if (index.LooseExtents() is > 0 and var loose)
        {
            Add(TierFindingKind.RowDamaged, isDamage: false, indexName, key: null, firstByte: null, bytes: 0, $"{loose} extents in the index belong to no object", "they are ignored");
        }
    }

    private void CheckObject(ObjectRow row, List<ExtentRow> extents, Action<long> progress)
    {
        string path = _directory.DataPath(row.Version.Id, row.Generation);
        string file = Path.GetRelativePath(_directory.Path, path);
        SafeFileHandle handle;
        FileIdentity identity;
        try
        {
            handle = LocalFile.Open(path, create: false, writable: false);
        }
        catch (TierIOException e)
        {
            bool missing = e.Errno == Native.NoSuchFile;
            Add(missing ? TierFindingKind.FileMissing : TierFindingKind.FileUnreadable, isDamage: true, file, row.Version.Key, firstByte: null, row.StoredBytes, missing ? "the data file is missing" : e.Message, missing ? $"the row is dropped; {Refetched}" : "it is served through and tried again later");
            return;
        }

        using (handle)
        {
            identity = LocalFile.Identify(handle);
            _report = _report with { DiskBytes = _report.DiskBytes + LocalFile.DiskBytesOf(handle) };
            if (identity.SizeBytes != row.Version.Length)
            {
                Add(TierFindingKind.FileLength, isDamage: true, file, row.Version.Key, firstByte: null, row.StoredBytes, $"the data file has {identity.SizeBytes} bytes, the object {row.Version.Length}", $"the file is dropped; {Refetched}");
                return;
            }

            bool trusted = identity == row.Identity && string.Equals(row.BootId, _bootId, StringComparison.Ordinal);
            if (ReadPages(row, extents, file) is { } pages)
            {
                CheckPages(row, pages, handle, file, trusted, progress);
            }
        }
    }

    private PageMap? ReadPages(ObjectRow row, List<ExtentRow> extents, string file)
    {
        var pages = new PageMap(row.Version.Length, _directory.PageSizeBytes);
        foreach (ExtentRow extent in extents)
        {
            if (!pages.Fits(extent))
            {
                Add(TierFindingKind.RowDamaged, isDamage: true, file, row.Version.Key, extent.Extent * PageMap.ExtentBytes, bytes: 0, $"extent {extent.Extent} of the index has another shape than the object", $"the extent is ignored; {Refetched}");
            }

            pages.Restore(extent, verified: false);
        }

        long present = pages.StoredBytes;
        _report = _report with { PresentPages = _report.PresentPages + pages.PresentCount, PresentBytes = _report.PresentBytes + present };
        if (row.IsWhole && !pages.AllPresent)
        {
            Add(TierFindingKind.RowDamaged, isDamage: true, file, row.Version.Key, firstByte: null, row.StoredBytes - present, "the row says that the file is whole, but pages are missing in the index", "the missing pages are fetched again at the next read");
        }
        else if (row.StoredBytes != present)
        {
            Add(TierFindingKind.Accounting, isDamage: false, file, row.Version.Key, firstByte: null, row.StoredBytes - present, $"the row claims {row.StoredBytes} bytes, its pages take {present}", "the claim counts against the quota until the object is filled further or evicted");
        }

        return pages;
    }

    private void CheckPages(ObjectRow row, PageMap pages, SafeFileHandle handle, string file, bool trusted, Action<long> progress)
    {
        long damageBefore = _report.DamageCount;
        if (!_quick)
        {
            _report = _report with { CheckedPages = _report.CheckedPages + pages.PresentCount };
            byte[] buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(pages.PageSizeBytes, Math.Max(1, pages.Length)));
            long read = 0;
            int firstBad = -1;
            int punched = 0;
            bool mayHavePunched = !row.IsWhole && row.BootId.Length == 0;
            for (int page = 0; page <= pages.PageCount; page++)
            {
                _cancellation.ThrowIfCancellationRequested();
                bool bad = page < pages.PageCount && pages.IsPresent(page) && !IsGood(pages, page, handle, buffer);
                if (bad && mayHavePunched && !buffer.AsSpan(0, pages.LengthOf(page)).ContainsAnyExcept((byte)0))
                {
                    punched++;
                    bad = false;
                }

                if (bad && firstBad < 0)
                {
                    firstBad = page;
                }
                else if (!bad && firstBad >= 0)
                {
                    AddCorrupt(row, pages, firstBad, page - 1, file, trusted);
                    firstBad = -1;
                }

                if (page < pages.PageCount && pages.IsPresent(page))
                {
                    read += pages.LengthOf(page);
                    if ((page & 15) == 15)
                    {
                        progress(read);
                    }
                }
            }

            if (punched > 0)
            {
                Add(TierFindingKind.Accounting, isDamage: false, file, row.Version.Key, firstByte: null, (long)punched * pages.PageSizeBytes, $"{punched} pages of the row were given back as holes: a process died before the index knew", "found by their checksums at the next read: fetched again");
            }
        }

        if (pages.AllPresent && _report.DamageCount == damageBefore)
        {
            _report = _report with { WholeObjects = _report.WholeObjects + 1 };
        }
    }

    private static bool IsGood(PageMap pages, int page, SafeFileHandle handle, byte[] buffer)
    {
        Span<byte> bytes = buffer.AsSpan(0, pages.LengthOf(page));
        try
        {
            return LocalFile.Read(handle, bytes, pages.OffsetOf(page)) == bytes.Length && Crc32C.Compute(bytes) == pages.ChecksumOf(page);
        }
        catch (TierIOException)
        {
            // A page that cannot be read is as lost as one with wrong bytes; the run of bad pages is reported as one.
            return false;
        }
    }

    private void AddCorrupt(ObjectRow row, PageMap pages, int first, int last, string file, bool trusted)
    {
        long start = pages.OffsetOf(first);
        long bytes = pages.OffsetOf(last) + pages.LengthOf(last) - start;
        int count = last - first + 1;
        _report = _report with { CorruptPages = _report.CorruptPages + count };
        string recovery = (trusted, pages.AllPresent) switch
        {
            (true, _) => $"nothing before the next reboot: the file looks untouched since it was verified in this boot; remove {file} while no node runs, {Refetched}",
            (false, true) => "found by its checksum at the next read: the file is replaced by a new one with its good pages, these are fetched again",
            (false, false) => "found by its checksum at the next read: dropped and fetched again",
        };
        Add(TierFindingKind.PageCorrupt, isDamage: true, file, row.Version.Key, start, bytes, count == 1 ? $"page {first} does not match its checksum" : $"pages {first} to {last} do not match their checksums", recovery);
    }
}
