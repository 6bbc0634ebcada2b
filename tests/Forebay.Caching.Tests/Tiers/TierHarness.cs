using System.Diagnostics;
using Forebay.Core;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>Short forms for tests of one tier: pages of 64 KiB, content that follows from key and offset.</summary>
internal static class TierHarness
{
    internal const int PageBytes = 64 << 10;
    internal static readonly UnderStoreId Store = UnderStoreId.From("memory", "", "tier-tests");

    internal static Tier Open(string directory, TimeProvider? time = null, long quotaBytes = 64 << 20, TierOwners? owners = null)
    {
        var options = new TierOptions { Directory = directory, QuotaBytes = quotaBytes, PageSizeBytes = PageBytes };
        Tier tier = Tier.Open(options, owners ?? new TierOwners([]), time ?? new ManualTimeProvider());
        Await(() => tier.IsStartupScanDone, "the start-up scan ends");
        return tier;
    }

    internal static ObjectVersion Version(string key, long length, string token = "\"v1\"") => new(Store, key, new VersionToken(token), length);

    internal static PatternContent ContentOf(ObjectVersion version) => new(version.Key + version.Token.Value, version.Length);

    internal static byte[] PageOf(ObjectVersion version, int page)
        => ContentOf(version).Bytes((long)page * PageBytes, (int)Math.Min(PageBytes, version.Length - ((long)page * PageBytes)));

    /// <summary>Stores one page; false when the tier refused it.</summary>
    internal static bool Put(Tier tier, ObjectVersion version, int page)
    {
        CacheFile? file = tier.FindOrCreate(version, inPart: true);
        var range = new ByteRange((long)page * PageBytes, Math.Min(PageBytes, version.Length - ((long)page * PageBytes)));
        if (file is null || !Hold(file, range))
        {
            return false;
        }

        try
        {
            byte[] bytes = PageOf(version, page);
            switch (file.Reserve(page))
            {
                case ReserveStatus.Present:
                    return true;
                case ReserveStatus.Reserved when file.Write((long)page * PageBytes, bytes):
                    file.Commit(page, Crc32C.Compute(bytes));
                    return true;
                default:
                    return false;
            }
        }
        finally
        {
            file.Release(range);
        }
    }

    /// <summary>As a fill holds its range, but on this thread: waits while a part of it is being punched.</summary>
    private static bool Hold(CacheFile file, ByteRange range)
    {
        bool isHeld = false;
        SpinWait.SpinUntil(() => (isHeld = file.TryHold(range, out _)) || IsGone(file), TimeSpan.FromSeconds(30));
        return isHeld;
    }

    private static bool IsGone(CacheFile file)
    {
        if (!file.TryAcquire(out _))
        {
            return true;
        }

        file.Release();
        return false;
    }

    internal static void PutAll(Tier tier, ObjectVersion version)
    {
        for (int page = 0; (long)page * PageBytes < version.Length; page++)
        {
            Assert.True(Put(tier, version, page), $"page {page} of {version.Key} was refused: {tier.State}");
        }
    }

    /// <summary>Reads one page as a reader does: verifies it first where it must be. False when it is not there.</summary>
    internal static bool Holds(Tier tier, ObjectVersion version, int page)
    {
        while (true)
        {
            CacheFile? file = tier.Find(version);
            if (file is null)
            {
                return false;
            }

            switch (file.TryGetSegment((long)page * PageBytes, PageBytes, out FileSegment segment))
            {
                case SegmentStatus.Hit:
                    using (segment)
                    {
                        AssertExact(version, segment);
                    }

                    return true;
                case SegmentStatus.Unverified:
                    file.Verify(page);
                    break;
                case SegmentStatus.Miss:
                    return false;
            }
        }
    }

    internal static void AssertExact(ObjectVersion version, FileSegment segment)
    {
        byte[] bytes = new byte[segment.Length];
        Assert.Equal(bytes.Length, RandomAccess.Read(segment.File!, bytes, segment.Offset));
        Assert.Equal(-1, ContentOf(version).FirstMismatch(segment.Offset, bytes));
    }

    internal static string DataPath(string directory, ObjectVersion version, string suffix = "")
    {
        string name = version.Id.ToString();
        return Path.Combine(directory, "objects", name[..2], name + suffix);
    }

    internal static void FlipByte(string path, long offset)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        byte[] one = new byte[1];
        RandomAccess.Read(file, one, offset);
        one[0] ^= 0x40;
        RandomAccess.Write(file, one, offset);
    }

    /// <summary>
    /// What a killed process leaves behind, as another directory: its index as it is now, and the very files (moved with their folder, so
    /// that inode and times stay) or copies of them.
    /// </summary>
    internal static void Seize(string from, string to, bool sameFiles)
    {
        Directory.CreateDirectory(to);
        foreach (string path in Directory.EnumerateFiles(from))
        {
            if (Path.GetFileName(path) != "lock")
            {
                File.Copy(path, Path.Combine(to, Path.GetFileName(path)));
            }
        }

        if (sameFiles)
        {
            Directory.Move(Path.Combine(from, "objects"), Path.Combine(to, "objects"));
            return;
        }

        foreach (string folder in Directory.EnumerateDirectories(Path.Combine(from, "objects")))
        {
            string target = Path.Combine(to, "objects", Path.GetFileName(folder));
            Directory.CreateDirectory(target);
            foreach (string path in Directory.EnumerateFiles(folder))
            {
                File.Copy(path, Path.Combine(target, Path.GetFileName(path)));
            }
        }
    }

    internal static void Await(Func<bool> condition, string what)
        => Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30)), $"waited 30 s until {what}");

    /// <summary>Blocks of all data files on the disk, bytes; 0 for what is unlinked.</summary>
    internal static long DiskBytes(string directory)
    {
        long bytes = 0;
        foreach (string path in Directory.EnumerateFiles(Path.Combine(directory, "objects"), "*", SearchOption.AllDirectories))
        {
            try
            {
                using SafeFileHandle file = LocalFile.Open(path, create: false, writable: false);
                bytes += LocalFile.DiskBytesOf(file);
            }
            catch (TierIOException)
            {
                // Unlinked since it was listed.
            }
        }

        return bytes;
    }

    internal static (int ExitCode, string Output) Run(string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}

/// <summary>A tmpfs of its own, where the test may mount one; else <see cref="IsMounted"/> is false and the reason was printed.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempDirectory _directory = new();

    internal SmallDisk(string options, string type = "tmpfs")
    {
        (int exitCode, string output) = TierHarness.Run("mount", "-t", type, "-o", options, type, _directory.Path);
        IsMounted = exitCode == 0;
        if (!IsMounted)
        {
            Console.WriteLine($"SKIPPED: a {type} cannot be mounted here (needs root): {output.Trim()}");
        }
    }

    internal bool IsMounted { get; }

    internal string Path => _directory.Path;

    public void Dispose()
    {
        if (IsMounted)
        {
            TierHarness.Run("umount", "-l", _directory.Path);
        }

        _directory.Dispose();
    }
}
