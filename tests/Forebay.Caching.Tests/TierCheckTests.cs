using System.Security.Cryptography;
using Forebay.Core;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Forebay.Caching.Tests;

/// <summary>Each test damages a real cache directory in one way; the directory is compared before and after, for a check changes nothing.</summary>
public sealed class TierCheckTests : IDisposable
{
    private const int PageSize = 64 << 10;
    private readonly TempDirectory _temp = new();
    private readonly ObjectVersion _large = Version("models/large", (5 * PageSize) + 77);
    private readonly ObjectVersion _small = Version("labels/small", 1234);

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void ADirectoryThatWasClosedInOrderIsClean()
    {
        Fill();

        TierCheckReport report = Check();

        Assert.Empty(report.Findings);
        Assert.True(report.IsClean);
        Assert.Equal((2, 2, 7, 7), (report.Objects, report.WholeObjects, report.PresentPages, report.CheckedPages));
        Assert.Equal(report.RowBytes, report.PresentBytes);
        Assert.Equal(report.RowBytes, report.DiskBytes);
        Assert.False(File.Exists(_temp["tier/index.db-shm"]), "a check made a file");
    }

    [Fact]
    public void WhatWasCommittedBeforeAKillIsReadFromTheLog()
    {
        using (Tier tier = Open())
        {
            Store(tier, _large, pages: 3);
            tier.FlushIndex();
            Copy(_temp["tier"], _temp["killed"]);
        }

        Assert.True(new FileInfo(_temp["killed/index.db-wal"]).Length > 0);
        TierCheckReport report = Check("killed");

        Assert.True(report.IsClean);
        Assert.Equal((1, 0, 3), (report.Objects, report.WholeObjects, report.CheckedPages));
    }

    [Fact]
    public void AFlippedBitIsFoundWithItsPageAndWhatBecomesOfIt()
    {
        Fill();
        Flip(FileOf(_large), (2 * PageSize) + 5);

        TierCheckReport report = Check();

        TierFinding finding = Assert.Single(report.Findings);
        Assert.Equal((TierFindingKind.PageCorrupt, true, "models/large", 2L * PageSize, (long)PageSize), (finding.Kind, finding.IsDamage, finding.Key, finding.FirstByte!.Value, finding.Bytes));
        Assert.Contains("replaced by a new one", finding.Recovery, StringComparison.Ordinal);
        Assert.Equal((1, 1, 1), (report.DamagedObjects, report.WholeObjects, report.CorruptPages));
        using Tier tier = Open();
        Assert.False(tier.Find(_large)!.Verify(2), "recovery did not do what the check said");
        Assert.Equal(1, tier.CorruptPages);
    }

    [Fact]
    public void NeighbouringBadPagesAreOneFinding()
    {
        Fill();
        Flip(FileOf(_large), PageSize + 1);
        Flip(FileOf(_large), 2 * PageSize);
        Flip(FileOf(_large), (5 * PageSize) + 76);

        IReadOnlyList<TierFinding> findings = Check().Findings;

        Assert.Equal([(PageSize, 2 * PageSize), (5 * PageSize, 77)], findings.Select(finding => ((int)finding.FirstByte!.Value, (int)finding.Bytes)));
    }

    [Fact]
    public void ABitFlippedBehindTheBackOfTheFileSystemIsFoundThoughRecoveryWouldTrustTheFile()
    {
        Fill();
        Flip(FileOf(_small), 7);
        Trust(_small);

        TierFinding finding = Assert.Single(Check().Findings);

        Assert.Equal(TierFindingKind.PageCorrupt, finding.Kind);
        Assert.Contains("nothing before the next reboot", finding.Recovery, StringComparison.Ordinal);
        using Tier tier = Open();
        Assert.True(tier.Find(_small)!.IsWholeAndVerified, "recovery noticed it, the check said it would not");
    }

    [Fact]
    public void AQuickCheckReadsNoPages()
    {
        Fill();
        Flip(FileOf(_large), 0);

        TierCheckReport report = Check(quick: true);

        Assert.Empty(report.Findings);
        Assert.Equal((7, 0), (report.PresentPages, report.CheckedPages));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ATruncatedFileIsFound(bool quick)
    {
        Fill();
        using (FileStream file = File.OpenWrite(FileOf(_large)))
        {
            file.SetLength(PageSize);
        }

        TierFinding finding = Assert.Single(Check(quick: quick).Findings);

        Assert.Equal((TierFindingKind.FileLength, true), (finding.Kind, finding.IsDamage));
    }

    [Fact]
    public void AMissingFileIsFound()
    {
        Fill();
        File.Delete(FileOf(_small));

        TierCheckReport report = Check();

        TierFinding finding = Assert.Single(report.Findings);
        Assert.Equal((TierFindingKind.FileMissing, "labels/small"), (finding.Kind, finding.Key));
        Assert.Equal(1, report.DamagedObjects);
    }

    [Fact]
    public void AnOrphanIsNoDamageAndIsRemovedByTheNextStart()
    {
        Fill();
        string orphan = _temp["tier/objects/ab/" + "ab".PadRight(32, '0')];
        File.WriteAllText(orphan, "left over");

        TierCheckReport report = Check();

        TierFinding finding = Assert.Single(report.Findings);
        Assert.Equal((TierFindingKind.Orphan, false), (finding.Kind, finding.IsDamage));
        Assert.True(report.IsClean);
        Assert.Equal((1, 4096), (report.OrphanFiles, report.OrphanBytes));
        using (Open())
        {
            Assert.True(SpinWait.SpinUntil(() => !File.Exists(orphan), TimeSpan.FromSeconds(20)), "recovery did not do what the check said");
        }
    }

    [Fact]
    public void StrayFilesAreNamedAndLeftAlone()
    {
        Fill();
        File.WriteAllText(_temp["tier/notes.txt"], "mine");
        File.WriteAllText(_temp["tier/objects/00/notes.txt"], "mine");
        foreach (string ours in (ReadOnlySpan<string>)["metadata.db", "metadata.db-wal", "metadata.db-shm", "lost+found"])
        {
            File.WriteAllText(_temp[$"tier/{ours}"], "ours, or the disk's");
        }

        TierCheckReport report = Check();

        Assert.True(report.IsClean);
        Assert.Equal([("notes.txt", TierFindingKind.Stray), ("objects/00/notes.txt", TierFindingKind.Stray)], report.Findings.Select(finding => (finding.File, finding.Kind)));
    }

    [Fact]
    public void AnIndexThatIsNoDatabaseIsDamage()
    {
        Fill();
        File.WriteAllText(_temp["tier/index.db"], new string('x', 8192));

        TierCheckReport report = Check();

        TierFinding finding = Assert.Single(report.Findings);
        Assert.Equal(TierFindingKind.IndexDamaged, finding.Kind);
        Assert.Contains("set aside", finding.Recovery, StringComparison.Ordinal);
        Assert.Equal(2, report.OrphanFiles);
    }

    [Fact]
    public void AMissingIndexIsDamageOnlyWhenThereAreFiles()
    {
        Fill();
        File.Delete(_temp["tier/index.db"]);
        Assert.Equal(TierFindingKind.IndexDamaged, Assert.Single(Check().Findings).Kind);

        File.Delete(FileOf(_large));
        File.Delete(FileOf(_small));
        Assert.Empty(Check().Findings);
    }

    [Theory]
    [InlineData("UPDATE object SET length = length + 1 WHERE key = 'labels/small'", TierFindingKind.RowDamaged, true)]
    [InlineData("UPDATE object SET token = x'00ff' WHERE key = 'labels/small'", TierFindingKind.RowDamaged, true)]
    [InlineData("UPDATE extent SET present = x'01' WHERE id = (SELECT id FROM object WHERE key = 'labels/small')", TierFindingKind.RowDamaged, true)]
    [InlineData("UPDATE object SET stored = stored + 4096 WHERE key = 'labels/small'", TierFindingKind.Accounting, false)]
    public void RowsThatContradictThemselvesAreFound(string sql, TierFindingKind kind, bool isDamage)
    {
        Fill();
        Execute(sql);

        Assert.Contains(Check().Findings, finding => finding.Kind == kind && finding.IsDamage == isDamage);
    }

    [Fact]
    public void AForeignOrMissingDirectoryIsRefused()
    {
        Directory.CreateDirectory(_temp["photos"]);
        File.WriteAllText(_temp["photos/cat.jpg"], "");

        Assert.Equal(ErrorKind.InvalidArgument, Refusal("photos").Kind);
        Assert.Equal(ErrorKind.NotFound, Refusal("nowhere").Kind);
        Assert.False(Directory.Exists(_temp["nowhere"]));
    }

    [Fact]
    public void ADirectoryInUseIsRefused()
    {
        using Tier tier = Open();

        Assert.Contains("in use", Refusal("tier").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ANewerFormatIsRefusedWithTheRemedy()
    {
        Fill();
        string marker = _temp["tier/forebay-tier"];
        File.WriteAllText(marker, File.ReadAllText(marker).Replace("format: 1", "format: 2", StringComparison.Ordinal));

        Assert.Contains("newer Forebay", Refusal("tier").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FindingsAreListedUpToABoundAndCountedBeyond()
    {
        Fill();
        for (int i = 0; i < TierCheck.MostFindings + 3; i++)
        {
            File.WriteAllText(_temp[$"tier/objects/00/stray-{i}"], "");
        }

        TierCheckReport report = Check();

        Assert.Equal((TierCheck.MostFindings, 3), (report.Findings.Count, report.OmittedFindings));
    }

    [Fact]
    public void ProgressEndsAtTheTotal()
    {
        Fill();
        List<TierCheckProgress> seen = [];

        TierCheckReport report = TierCheck.Run(_temp["tier"], quick: false, seen.Add, CancellationToken.None);

        Assert.Equal(new TierCheckProgress(report.RowBytes, report.RowBytes, 2, 2), seen[^1]);
        Assert.Equal(seen.OrderBy(step => step.DoneBytes), seen);
    }

    private static ObjectVersion Version(string key, long length) => new(new UnderStoreId("store"), key, new VersionToken("v1"), length);

    private Tier Open() => Tier.Open(new TierOptions { Directory = _temp["tier"], QuotaBytes = 64 << 20, PageSizeBytes = PageSize }, new TierOwners([]), TimeProvider.System);

    private void Fill()
    {
        using Tier tier = Open();
        Store(tier, _large, pages: 6);
        Store(tier, _small, pages: 1);
    }

    private static void Store(Tier tier, ObjectVersion version, int pages)
    {
        CacheFile file = tier.FindOrCreate(version)!;
        Assert.True(file.TryAcquire(out _));
        for (int page = 0; page < pages; page++)
        {
            byte[] bytes = new byte[file.LengthOf(page)];
            new Random(page).NextBytes(bytes);
            Assert.Equal(ReserveStatus.Reserved, file.Reserve(page));
            Assert.True(file.Write((long)page * PageSize, bytes));
            file.Commit(page, Crc32C.Compute(bytes));
        }

        file.Release();
    }

    private TierCheckReport Check(string name = "tier", bool quick = false)
    {
        string before = Picture(_temp[name]);
        TierCheckReport report = TierCheck.Run(_temp[name], quick, progress: null, CancellationToken.None);
        Assert.True(string.Equals(before, Picture(_temp[name]), StringComparison.Ordinal), "the check changed the directory");
        return report;
    }

    private ForebayException Refusal(string name) => Assert.Throws<ForebayException>(() => TierCheck.Run(_temp[name], quick: false, progress: null, CancellationToken.None));

    private string FileOf(ObjectVersion version) => Path.Combine(_temp["tier/objects"], version.Id.ToString()[..2], version.Id.ToString());

    private static void Flip(string path, long at)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        int value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 4));
    }

    /// <summary>Writes the file's present identity into its row, as if nothing had touched it.</summary>
    private void Trust(ObjectVersion version)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = LocalFile.Open(FileOf(version), create: false, writable: false);
        FileIdentity identity = LocalFile.Identify(handle);
        Execute($"UPDATE object SET modified = {identity.ModifiedNanoseconds}, changed = {identity.ChangedNanoseconds} WHERE key = '{version.Key}'");
    }

    private void Execute(string sql)
    {
        using SqliteConnection connection = new($"Data Source={_temp["tier/index.db"]};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Copies a directory in use as a kill would leave it; its lock file cannot be copied while it is held.</summary>
    private static void Copy(string from, string to)
    {
        foreach (string path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (Path.GetFileName(path) != "lock")
            {
                File.Copy(path, target);
            }
        }
    }

    /// <summary>Names, lengths, times and bytes of everything below a directory.</summary>
    private static string Picture(string directory)
        => string.Join('\n', Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(path =>
            $"{path} {File.GetLastWriteTimeUtc(path):O} {(File.Exists(path) ? Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path))) : "")}"));
}
