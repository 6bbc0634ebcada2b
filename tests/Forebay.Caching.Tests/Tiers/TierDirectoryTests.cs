using System.Globalization;
using System.Runtime.InteropServices;
using Forebay.Core;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

public sealed partial class TierDirectoryTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void AFreshDirectoryIsPrivateAndKeepsItsPageSize()
    {
        string path = _temp["fresh"];
        ObjectVersion version = Version("a", 3 * PageBytes);
        using (Tier tier = Open(path))
        {
            PutAll(tier, version);
        }

        var options = new TierOptions { Directory = path, QuotaBytes = 64 << 20, PageSizeBytes = 1 << 20 };
        using Tier again = Tier.Open(options, new TierOwners([]), new ManualTimeProvider());

        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(PageBytes, again.PageSizeBytes);
        Assert.Equal(Owner | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        Assert.Equal(Owner | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(path, "objects", "00")));
        Assert.Equal(Owner, File.GetUnixFileMode(DataPath(path, version)));
        Assert.Equal(Owner, File.GetUnixFileMode(Path.Combine(path, "forebay-tier")));
        Assert.Equal(3 * PageBytes, new FileInfo(DataPath(path, version)).Length);
    }

    [Fact]
    public void ADirectoryOfSomebodyElseIsRefusedAndLeftAlone()
    {
        File.WriteAllText(_temp["thesis.txt"], "years of work");

        ForebayException error = Assert.Throws<ForebayException>(() => Open(_temp.Path));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("not empty", error.Message, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], Directory.GetFileSystemEntries(_temp.Path).Select(path => Path.GetFileName(path)));
    }

    [Fact]
    public void AFirstStartThatWasKilledIsTakenUp()
    {
        Directory.CreateDirectory(_temp["objects/00"]);
        File.WriteAllText(_temp["forebay-tier.new"], "forebay cache ti");

        using Tier tier = Open(_temp.Path);

        Assert.Equal("ok", tier.State);
    }

    [Theory]
    [InlineData("format: 1", "format: 2", "newer Forebay")]
    [InlineData("forebay cache tier", "something else", "damaged")]
    [InlineData("page-size: 65536", "page-size: 65537", "damaged")]
    [InlineData("uuid: ", "uuid: x", "damaged")]
    public void AMarkerThatCannotBeUnderstoodIsRefusedWithTheRemedy(string from, string to, string expected)
    {
        Open(_temp["tier"]).Dispose();
        string marker = _temp["tier/forebay-tier"];
        File.WriteAllText(marker, File.ReadAllText(marker).Replace(from, to, StringComparison.Ordinal));

        ForebayException error = Assert.Throws<ForebayException>(() => Open(_temp["tier"]));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("emove", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A child has all descriptors of its parent until it runs its own program: closing them is not letting go.</summary>
    [Fact]
    public void ALockThatAChildInheritedIsLetGo()
    {
        Tier first = Open(_temp["tier"]);
        string path = Path.Combine(_temp["tier"], "lock");
        string number = Directory.EnumerateFiles("/proc/self/fd").First(link => new FileInfo(link).LinkTarget == path);
        using SafeFileHandle inherited = new(Duplicate(int.Parse(Path.GetFileName(number), CultureInfo.InvariantCulture)), ownsHandle: true);
        Assert.False(inherited.IsInvalid);
        first.Dispose();

        Open(_temp["tier"]).Dispose();
    }

    [Fact]
    public void ASecondOpenerIsRefusedWhileTheFirstWorks()
    {
        using (Open(_temp["tier"]))
        {
            ForebayException error = Assert.Throws<ForebayException>(() => Open(_temp["tier"]));
            Assert.Contains("in use by another", error.Message, StringComparison.Ordinal);
        }

        Open(_temp["tier"]).Dispose();
    }

    [Fact]
    public void ADirectoryThatCannotBeWrittenIsRefusedInASentence()
    {
        using SmallDisk disk = new("size=1m,ro");
        if (!disk.IsMounted)
        {
            return;
        }

        ForebayException error = Assert.Throws<ForebayException>(() => Open(disk.Path));
        Assert.Contains(disk.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains("right to write", error.Message.Replace("may write", "right to write", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Duplicate(int descriptor);
}
