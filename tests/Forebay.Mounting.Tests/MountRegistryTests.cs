using Forebay.Mounting.Registry;

namespace Forebay.Mounting.Tests;

public sealed class MountRegistryTests
{
    [Fact]
    public void EntriesOfDeadMountsAreRemovedAndTheirFilesToo()
    {
        using TempDirectory directory = new();
        MountRegistry registry = new(directory["run"]);
        registry.EnsureDirectory();
        string id = MountRegistry.IdOf("/mnt/data");
        registry.Put(new RegisteredMount("s3://b", "/mnt/data", Environment.ProcessId, 1, Passthrough: true) { Id = id });
        File.WriteAllText(registry.FileOf(id, "control"), "");
        File.WriteAllText(registry.FileOf("garbage", "mount"), "not json");

        Assert.Empty(registry.List());

        Assert.Equal([$"{id}.lock", "garbage.lock"], Directory.GetFiles(directory["run"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AnEntryIsKeptWhileItsHolderHasTheLock()
    {
        using TempDirectory directory = new();
        MountRegistry registry = new(directory["run"]);
        registry.EnsureDirectory();
        string id = MountRegistry.IdOf("/mnt/data");
        registry.Put(new RegisteredMount("s3://b", "/mnt/data", 0, 0, Passthrough: false) { Id = id });
        using (registry.TryLock(id))
        {
            Assert.Null(registry.TryLock(id));
            Assert.Empty(registry.List());
            Assert.True(File.Exists(registry.FileOf(id, "mount")));
        }
    }

    [Fact]
    public void IdsOfDifferentDirectoriesDifferAndSayWhichOneItIs()
    {
        Assert.NotEqual(MountRegistry.IdOf("/mnt/a"), MountRegistry.IdOf("/srv/a"));
        Assert.StartsWith("a-", MountRegistry.IdOf("/mnt/a"), StringComparison.Ordinal);
        Assert.DoesNotContain('/', MountRegistry.IdOf("/mnt/ä ö/x/.."));
    }

    [Fact]
    public void TheRuntimeDirectoryIsTheOwnersOnly()
    {
        using TempDirectory directory = new();
        new MountRegistry(directory["run"]).EnsureDirectory();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory["run"]));
    }
}
