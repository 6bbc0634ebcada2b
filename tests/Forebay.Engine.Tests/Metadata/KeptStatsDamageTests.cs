using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>A file of kept stats that is damaged, gone or cannot be made costs what it held, and nothing else.</summary>
public sealed class KeptStatsDamageTests : KeptMetadataFixture
{
    [Theory]
    [InlineData("no database")]
    [InlineData("a torn page")]
    [InlineData("a newer schema")]
    [InlineData("a missing table")]
    public async Task AFileThatCannotBeReadIsSetAside(string damage)
    {
        for (int i = 0; i < 500; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"key-{i}"));
        }

        using (Life life = Begin(Immutable))
        {
            for (int i = 0; i < 500; i++)
            {
                await life.GetAsync($"key-{i}");
            }
        }

        Damage(damage);
        using (Life life = Begin(Immutable))
        {
            for (int i = 0; i < 500; i++)
            {
                Assert.False((await life.GetAsync($"key-{i}")).IsNegative);
            }

            life.File.Flush();
            life.File.Flush();
        }

        Assert.True(File.Exists(FilePath + ".damaged"), "the damaged file is not there for a look");
        _store.Failure = Down;
        using Life next = Begin(Immutable);
        Assert.Null(next.File.Fault);
        Assert.False((await next.GetAsync("key-499")).IsNegative);
    }

    [Fact]
    public async Task ADamagedRowIsNotBelieved()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin(Immutable))
        {
            await life.GetAsync("a");
        }

        Run("UPDATE stat SET value = replace(value, '\"Length\":10', '\"Length\":11')");
        _store.Failure = Down;
        using Life next = Begin(Immutable);
        await FailsAsync(next, "a");
    }

    /// <summary>A damaged row may hold what its column cannot: SQLite does not check what it reads.</summary>
    [Fact]
    public async Task ARowWithoutAValueIsNotBelieved()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using (Life life = Begin())
        {
            await life.GetAsync("a");
        }

        Run("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', ''); PRAGMA writable_schema = RESET; UPDATE stat SET value = NULL");
        using Life next = Begin();

        Assert.Null(next.Kept.Find("a", out _));
        Assert.Null(next.File.Fault);
    }

    [Fact]
    public async Task AFileThatIsGoneWhenItsDamageIsFoundIsBegunAnew()
    {
        _store.Put(ScriptedStore.MakeStat("a"));
        using Life life = Begin();
        await life.GetAsync("a");
        Assert.True(life.File.Flush());
        Run("DROP TABLE stat");
        foreach (string suffix in new[] { "", "-wal", "-shm" })
        {
            File.Delete(FilePath + suffix);
        }

        Assert.Null(life.Kept.Find("a", out _));
        life.Kept.Keep(ScriptedStore.MakeStat("b", headers: true), 0);
        SpinWait.SpinUntil(() => life.File.Flush() && Rows() == 1, TimeSpan.FromSeconds(20));
        Assert.Null(life.File.Fault);
        Assert.Equal(1, Rows());
    }

    [Fact]
    public async Task AFileThatCannotBeMadeHarmsNothingAndIsTriedAgain()
    {
        string folder = _directory["folder"];
        _store.Put(ScriptedStore.MakeStat("a"));
        using Life life = Begin(path: Path.Combine(folder, "metadata.db"));
        Assert.NotNull(life.File.Fault);
        Assert.False((await life.GetAsync("a")).IsNegative);
        Assert.False(life.File.Flush());

        Directory.CreateDirectory(folder);
        Assert.True(life.File.Flush());
        Assert.Null(life.File.Fault);
        Assert.NotNull(life.Kept.Find("a", out _));
    }
}
