using Forebay.Core;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests.Mounts;

/// <summary>A test that mounts through <c>fusermount3</c>; skipped with the reason where that cannot be.</summary>
internal sealed class FusermountFactAttribute : FactAttribute
{
    public FusermountFactAttribute()
        => Skip = new MountFactAttribute().Skip ?? (!File.Exists("/usr/bin/fusermount3") && !File.Exists("/bin/fusermount3") ? "needs fusermount3 (package fuse3)" : null);
}

/// <summary>What keeps a mount from being made, said in a sentence with its remedy.</summary>
public sealed class MountRefusalTests
{
    [MountFact]
    public void AMissingDirectoryIsNamedWithTheRemedy()
    {
        using TempDirectory place = new();

        ForebayException error = Assert.Throws<ForebayException>(() => FuseMount.Mount(Options(place["missing"])));

        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains("mkdir", error.Message, StringComparison.Ordinal);
    }

    [MountFact]
    public void AFileIsNoMountPoint()
    {
        using TempDirectory place = new();
        File.WriteAllText(place["file"], "");

        ForebayException error = Assert.Throws<ForebayException>(() => FuseMount.Mount(Options(place["file"])));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("not a directory", error.Message, StringComparison.Ordinal);
    }

    [MountFact]
    public async Task ADirectoryIsNotMountedTwice()
    {
        await using TestMount mount = await TestMount.StartAsync(new MemoryFileSystem());

        ForebayException error = Assert.Throws<ForebayException>(() => FuseMount.Mount(Options(mount.Path)));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("mounted already", error.Message, StringComparison.Ordinal);
        Assert.Equal("a test, with \\ and space", MountEntry.Find(mount.Path)!.Source);
        Assert.Equal("fuse.forebay", MountEntry.Find(mount.Path)!.Type);
    }

    [MountFact]
    public void AMountWhoseServerIsGoneIsSeenWithoutTouchingIt()
    {
        using TempDirectory place = new();
        FuseMount.Mount(Options(place.Path)).Dispose();

        try
        {
            ForebayException error = Assert.Throws<ForebayException>(() => FuseMount.Mount(Options(place.Path)));
            Assert.Contains("umount -l", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            FuseMount.Unmount(place.Path, FuseUnmountMode.Lazy);
        }

        Assert.Null(MountEntry.Find(place.Path));
    }

    [Theory]
    [InlineData("fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf", ErrorKind.AccessDenied, "/etc/fuse.conf")]
    [InlineData("fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf", ErrorKind.Throttled, "mount_max")]
    [InlineData("fusermount3: failed to open /dev/fuse: Permission denied", ErrorKind.AccessDenied, "0666")]
    [InlineData("fusermount3: user has no write access to mountpoint /x", ErrorKind.AccessDenied, "no write access")]
    [InlineData("", ErrorKind.AccessDenied, "no reason")]
    public void WhatFusermountSaysBecomesASentence(string said, ErrorKind kind, string part)
    {
        ForebayException error = Fusermount.Translate(said, "/x");

        Assert.Equal(kind, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a,b", "a\\,b")]
    [InlineData("a\\b", "a\\\\b")]
    public void TheSourceCannotAddOptions(string source, string escaped) => Assert.Equal(escaped, FuseMount.EscapeOption(source));

    /// <summary>The way of an ordinary user, taken by root; the executable is tried as an ordinary user in Forebay.Robustness.</summary>
    [FusermountFact]
    public async Task FusermountHandsTheDeviceOver()
    {
        using TempDirectory place = new();
        using FuseDevice device = FuseMount.AttachAsUser(Options(place.Path) with { Source = "by,fusermount" });
        Assert.Equal("by,fusermount", MountEntry.Find(place.Path)!.Source);

        await ReadAndUnmountAsync(device, place, "cat", place["file"]);
    }

    private static async Task ReadAndUnmountAsync(FuseDevice device, TempDirectory place, string program, params string[] arguments)
    {
        MemoryFileSystem tree = new();
        tree.Add(1, "file", "handed over"u8.ToArray());
        FuseSession session = new(device, tree, new FuseSessionOptions());
        try
        {
            session.Start();

            Assert.Equal("handed over", (await Child.RunAsync(program, arguments)).Text);
            Assert.True(Fusermount.TryUnmount(place.Path, lazy: false));
            Assert.Equal(FuseSessionEnd.Unmounted, await session.Completion.WaitAsync(TimeSpan.FromSeconds(20)));
        }
        finally
        {
            if (MountEntry.Find(place.Path) is not null)
            {
                FuseMount.Unmount(place.Path, FuseUnmountMode.Lazy);
            }

            await session.DisposeAsync();
        }
    }

    private static FuseMountOptions Options(string directory) => new() { Directory = directory, Source = "test" };
}
