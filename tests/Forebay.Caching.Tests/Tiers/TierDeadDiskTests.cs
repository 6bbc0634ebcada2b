using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>A disk whose kernel driver really answers EIO: an ext4 on a loop device, the end of whose backing file is cut off.</summary>
public sealed class TierDeadDiskTests : IDisposable
{
    private const int Pages = 512;
    private readonly TempDirectory _temp = new();
    private readonly ManualTimeProvider _time = new();
    private string _device = "";

    public void Dispose()
    {
        if (_device.Length > 0)
        {
            Run("umount", "-l", _temp["disk"]);
            Run("losetup", "-d", _device);
        }

        _temp.Dispose();
    }

    [Fact]
    public void PagesThatTheDiskCannotReadAreMissesAndEverythingElseIsServedOn()
    {
        if (!TryMount())
        {
            return;
        }

        ObjectVersion good = Version("good", 4 * PageBytes);
        ObjectVersion bad = Version("bad", Pages * PageBytes);
        string directory = _temp["disk/tier"];
        using (Tier tier = Open(directory, _time, 48 << 20))
        {
            PutAll(tier, good);
            PutAll(tier, bad);
        }

        File.SetLastWriteTimeUtc(DataPath(directory, bad), DateTime.UnixEpoch);
        Run("sync", "-f", directory);
        Run("dd", $"of={DataPath(directory, bad)}", "oflag=nocache", "conv=notrunc,fdatasync", "count=0");
        using Tier again = Open(directory, _time, 48 << 20);
        CacheFile file = again.Find(bad)!;
        Assert.False(file.IsWholeAndVerified, "the test needs pages that must be read");
        using (FileStream image = File.OpenWrite(_temp["image"]))
        {
            image.SetLength(image.Length * 3 / 8);
        }

        int unread = Enumerable.Range(0, Pages).First(page => !file.Verify(page));

        Assert.True(again.IoErrors > 0);
        Assert.Contains("Input/output error", again.State, StringComparison.Ordinal);
        Assert.Null(again.FindOrCreate(Version("new", PageBytes)));
        Assert.True(Holds(again, good, 3));
        Assert.False(Holds(again, bad, unread));
        Assert.True(Holds(again, good, 0));
    }

    private bool TryMount()
    {
        using (FileStream image = File.Create(_temp["image"]))
        {
            image.SetLength(64 << 20);
        }

        Directory.CreateDirectory(_temp["disk"]);
        string output = "";
        // Direct I/O: without it the loop driver answers zeros beyond the end of its file.
        bool isMounted = Works("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", _temp["image"])
            && Works("losetup", "-f", "--show", "--direct-io=on", _temp["image"]);
        _device = isMounted ? output.Trim() : "";
        isMounted = isMounted && Works("mount", _device, _temp["disk"]);
        if (!isMounted)
        {
            Console.WriteLine($"SKIPPED: a file system on a loop device cannot be mounted here (needs root and loop devices): {output.Trim()}");
        }

        return isMounted;

        bool Works(string command, params string[] arguments)
        {
            try
            {
                (int exitCode, output) = Run(command, arguments);
                return exitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception e)
            {
                output = $"{command}: {e.Message}";
                return false;
            }
        }
    }
}
