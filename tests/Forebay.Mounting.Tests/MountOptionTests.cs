using Forebay.Mounting.Options;

namespace Forebay.Mounting.Tests;

public sealed class MountOptionTests
{
    [Fact]
    public void DefaultsAreThoseThatPeopleKnow()
    {
        MountOptions options = Good();

        Assert.Equal((20, 20, 1000), (options.ParallelCount, options.MaxRequests, options.MaxStatCacheSize));
        Assert.Equal((10L << 20, 0L), (options.MultipartBytes, options.EnsureDiskFreeBytes));
        Assert.Equal(("640", "750"), (Octal(options.EffectiveFileMode), Octal(options.EffectiveDirectoryMode)));
        Assert.False(options.WriteAsked || options.AllowOther || options.Suid || options.Devices);
        Assert.True(options.Execute);
    }

    [Theory]
    [InlineData("umask=022", "755", "755")]
    [InlineData("mask=077", "700", "700")]
    [InlineData("file_mode=0644,dir_mode=0755", "644", "755")]
    [InlineData("file_mode=666,umask=022", "644", "755")]
    [InlineData("dir_mode=0777", "640", "777")]
    public void PermissionBitsComeFromMasksAndModes(string text, string file, string directory)
    {
        MountOptions options = Good(text);

        Assert.Equal((file, directory), (Octal(options.EffectiveFileMode), Octal(options.EffectiveDirectoryMode)));
    }

    [Fact]
    public void EveryNameOfTheIssueIsKnown()
    {
        const string Text = "ro,rw,allow_other,default_permissions,uid=1,gid=2,umask=022,mask=022,file_mode=0600,dir_mode=0700,noatime,attr_timeout=1,entry_timeout=0.5,"
            + "negative_timeout=0,kernel_cache,auto_cache,direct_io,max_read=131072,parallel_count=5,max_multireq=30,max_stat_cache_size=0,stat_cache_expire=900,multipart_size=16,"
            + "use_cache=/tmp,ensure_diskfree=100,url=http://h:1,endpoint=eu-west-1,passwd_file=/x,dbglevel=info,"
            + "defaults,_netdev,nofail,auto,noauto,user,users,suid,nosuid,dev,nodev,exec,noexec,x-systemd.automount,x-gvfs-hide";
        MountOptions options = Good(Text);

        Assert.True(options is { AllowOther: true, DefaultPermissions: true, UserId: 1, GroupId: 2, DirectIo: true, MaxReadBytes: 131072, ParallelCount: 5, MaxRequests: 30, MaxStatCacheSize: 0 });
        Assert.True(options is { Url: "http://h:1", Region: "eu-west-1", PasswordFile: "/x", CacheParent: "/tmp", LogLevel: MountLogLevel.Info, Suid: false, Devices: false, Execute: false });
        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(0.5), TimeSpan.Zero), (options.AttributeTimeout, options.EntryTimeout, options.NegativeTimeout));
        Assert.Equal((16L << 20, 100L << 20, 900.0), (options.MultipartBytes, options.EnsureDiskFreeBytes, options.StatCacheExpire.TotalSeconds));
        Assert.True(Good("allow_root").AllowRoot);
    }

    [Fact]
    public void WhatComesLaterWins()
    {
        Assert.Equal(7, Good("parallel_count=3", "ro,parallel_count=7,").ParallelCount);
        Assert.False(Good("rw", "ro").WriteAsked);
    }

    [Fact]
    public void QuotesProtectCommas()
    {
        MountOptions options = Good("use_cache=\"/tmp/a,b\",uid=5");

        Assert.Equal(("/tmp/a,b", 5u), (options.CacheParent, options.UserId));
    }

    [Fact]
    public void WritingIsWarnedOfAndNotDone()
    {
        MountOptionResult result = MountOptionParser.Parse(["rw"]);

        Assert.Empty(result.Faults);
        Assert.Contains("read-only", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void MoreRangesOfAFileRaiseTheRequests()
    {
        Assert.Equal(64, Good("parallel_count=64").MaxRequests);
        Assert.Contains("max_multireq=10", Assert.Single(MountOptionParser.Parse(["parallel_count=64,max_multireq=10"]).Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alow_other", "\"allow_other\"")]
    [InlineData("max_stat_cache_siz=5", "\"max_stat_cache_size\"")]
    [InlineData("parralel_count=5", "\"parallel_count\"")]
    [InlineData("qqqqqqqqqqqqqqqqqq", "docs/MOUNT.md")]
    [InlineData("umask=9", "octal")]
    [InlineData("umask=01000", "octal")]
    [InlineData("umask=", "octal")]
    [InlineData("uid=root", "number")]
    [InlineData("attr_timeout=-1", "seconds")]
    [InlineData("attr_timeout", "seconds")]
    [InlineData("attr_timeout=1e9", "seconds")]
    [InlineData("parallel_count=0", "1 to 256")]
    [InlineData("page_size=300Ki", "power of two")]
    [InlineData("use_cache", "path")]
    [InlineData("ro=maybe", "ro=false")]
    [InlineData("dbglevel=loud", "crit, err")]
    [InlineData("allow_other,allow_root", "exclude")]
    [InlineData("small_files,direct_io", "exclude")]
    [InlineData("use_cache=\"/tmp", "quote")]
    [InlineData("anonymous,passwd_file=/x", "anonymous")]
    public void AFaultNamesTheOptionAndTheRemedy(string text, string part)
        => Assert.Contains(part, Assert.Single(MountOptionParser.Parse([text]).Faults), StringComparison.Ordinal);

    [Fact]
    public void AllFaultsAreFoundAtOnce()
        => Assert.Equal(4, MountOptionParser.Parse(["umask=9,foo_bar_baz=1,uid=x", "threads=0"]).Faults.Count);

    [Fact]
    public void AValueOfAnUnknownOptionIsNotRepeated()
        => Assert.DoesNotContain("hunter2", MountOptionParser.Parse(["secret_key=hunter2"]).Faults[0], StringComparison.Ordinal);

    [Fact]
    public void UnknownOnesArePassedOverWhereMountAsksForIt()
        => Assert.Empty(MountOptionParser.Parse(["foo=1"], ignoreUnknown: true).Faults);

    [Fact]
    public void EveryOptionIsDocumentedWithItsDefaultAndMeaning()
    {
        string file = Path.Combine(Repository.Root, "docs", "MOUNT.md");
        string text = File.ReadAllText(file);
        string table = "|---|---|---|---|\n" + string.Join('\n', MountOptionParser.MarkdownRows) + "\n";
        int start = text.IndexOf("|---|---|---|---|\n", text.IndexOf("\n## Options\n", StringComparison.Ordinal), StringComparison.Ordinal);
        int end = start;
        while (end < text.Length && text[end] == '|')
        {
            end = text.IndexOf('\n', end) + 1;
        }

        string expected = text[..start] + table + text[end..];
        if (Environment.GetEnvironmentVariable("FOREBAY_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.True(File.ReadAllText(file) == expected, "docs/MOUNT.md is outdated: run this test with FOREBAY_UPDATE_DOCS=1");
    }

    private static MountOptions Good(params string[] texts)
    {
        MountOptionResult result = MountOptionParser.Parse(texts);
        Assert.Empty(result.Faults);
        return result.Options;
    }

    private static string Octal(int mode) => Convert.ToString(mode, 8);
}
