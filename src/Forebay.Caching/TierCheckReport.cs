namespace Forebay.Caching;

/// <summary>What a check of a cache directory can find.</summary>
public enum TierFindingKind
{
    /// <summary>The index cannot be read, wholly or in part.</summary>
    IndexDamaged,

    /// <summary>A row of the index contradicts itself or its extents.</summary>
    RowDamaged,

    /// <summary>A row has no data file.</summary>
    FileMissing,

    /// <summary>A data file has another length than its object.</summary>
    FileLength,

    /// <summary>A data file cannot be opened or read.</summary>
    FileUnreadable,

    /// <summary>Pages do not match their checksums.</summary>
    PageCorrupt,

    /// <summary>A data file without a row: left by a death between two commits.</summary>
    Orphan,

    /// <summary>A file that is not Forebay's.</summary>
    Stray,

    /// <summary>Rows claim other bytes than their pages have.</summary>
    Accounting,
}

/// <summary>One thing found.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="IsDamage">True when cached bytes are lost or wrong; false for what a start tidies up or leaves alone.</param>
/// <param name="File">The file concerned, relative to the cache directory.</param>
/// <param name="Key">Key of the object in its under-store; null when none is concerned.</param>
/// <param name="FirstByte">First byte of the object concerned; null when it is not about bytes.</param>
/// <param name="Bytes">Bytes concerned.</param>
/// <param name="What">What was found, one sentence.</param>
/// <param name="Recovery">What the next start, or the first use after it, does about it.</param>
public sealed record TierFinding(TierFindingKind Kind, bool IsDamage, string File, string? Key, long? FirstByte, long Bytes, string What, string Recovery);

/// <summary>Result of checking one cache directory.</summary>
public sealed record TierCheckReport
{
    /// <summary>Absolute path.</summary>
    public required string Directory { get; init; }

    /// <summary>Identity of the directory.</summary>
    public required Guid Uuid { get; init; }

    /// <summary>Unit of validity, bytes.</summary>
    public required int PageSizeBytes { get; init; }

    /// <summary>True when page checksums were not looked at.</summary>
    public required bool IsQuick { get; init; }

    /// <summary>True when no cached byte is lost or wrong.</summary>
    public bool IsClean => DamageCount == 0;

    /// <summary>Rows of the index.</summary>
    public long Objects { get; init; }

    /// <summary>Objects of which every page is present and nothing is damaged.</summary>
    public long WholeObjects { get; init; }

    /// <summary>Objects with damage.</summary>
    public long DamagedObjects { get; init; }

    /// <summary>Pages present by the index.</summary>
    public long PresentPages { get; init; }

    /// <summary>Pages whose bytes were read and compared.</summary>
    public long CheckedPages { get; init; }

    /// <summary>Pages that failed.</summary>
    public long CorruptPages { get; init; }

    /// <summary>Bytes of present pages, in whole disk blocks.</summary>
    public long PresentBytes { get; init; }

    /// <summary>Bytes that the rows claim; what a node counts against the quota.</summary>
    public long RowBytes { get; init; }

    /// <summary>Bytes that the data files with a row take on the disk.</summary>
    public long DiskBytes { get; init; }

    /// <summary>Bytes of the index and its log.</summary>
    public long IndexBytes { get; init; }

    /// <summary>Data files without a row.</summary>
    public long OrphanFiles { get; init; }

    /// <summary>Bytes that they take on the disk.</summary>
    public long OrphanBytes { get; init; }

    /// <summary>Findings that are damage, also those not listed.</summary>
    public long DamageCount { get; init; }

    /// <summary>The first findings, damage or not.</summary>
    public required IReadOnlyList<TierFinding> Findings { get; init; }

    /// <summary>Findings beyond the bound of the list.</summary>
    public long OmittedFindings { get; init; }
}

/// <summary>How far a check has come.</summary>
/// <param name="DoneBytes">Bytes of rows that were looked at.</param>
/// <param name="TotalBytes">Bytes of all rows.</param>
/// <param name="DoneObjects">Rows that were looked at.</param>
/// <param name="TotalObjects">All rows.</param>
public readonly record struct TierCheckProgress(long DoneBytes, long TotalBytes, long DoneObjects, long TotalObjects);
