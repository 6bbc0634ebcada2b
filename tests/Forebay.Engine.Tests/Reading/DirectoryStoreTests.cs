using Forebay.Core;
using Forebay.Engine.Limits;
using Forebay.Engine.Options;
using Forebay.Testing;
using Forebay.UnderStores;
using Xunit;

namespace Forebay.Engine.Tests.Reading;

/// <summary>A directory compares versions only behind the last byte of a range, and says so through the whole stack.</summary>
[Collection(NodeCollection.Name)]
public sealed class DirectoryStoreTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public async Task ItsReadsAreProvisionalBehindEveryDecorator()
    {
        await File.WriteAllBytesAsync(_temp["a"], new byte[100]);
        var mount = new MountPointOptions { Name = "m", Source = "file://", UnderStoreBytesPerSecond = 1 << 30 };
        await using var store = RetryingUnderStore.Compose(Open(), mount, new FillOptions(), new UnderStoreCounters(TimeProvider.System), TimeProvider.System);

        await using UnderStoreRead read = await store.ReadAsync("a", new ByteRange(0, 100), null, null, CancellationToken.None);

        Assert.True(read.IsProvisional);
    }

    [Fact]
    public async Task AFileThatIsReplacedWhileItIsReadIsNeverServedMixed()
    {
        byte[] old = new byte[(3 << 20) + 5];
        old.AsSpan().Fill(1);
        await File.WriteAllBytesAsync(_temp["a"], old);
        byte[] replacement = [.. old.Select(_ => (byte)2)];
        var options = new NodeOptions
        {
            MountPoints = [new MountPointOptions { Name = "data", Source = "file://", MetadataTtl = TimeSpan.Zero }],
            Tiers = [new Caching.TierOptions { Directory = _temp["tier"], QuotaBytes = 64 << 20, PageSizeBytes = NodeWorld.PageBytes }],
            Fill = NodeWorld.Fill,
        };
        await using Node node = Node.Open(options, _ => Open(), TimeProvider.System);
        int whole = 0;
        for (int round = 0; round < 20; round++)
        {
            byte[] next = round % 2 == 0 ? replacement : old;
            Task rewrite = Task.Run(() =>
            {
                File.WriteAllBytes(_temp["a.new"], next);
                File.Move(_temp["a.new"], _temp["a"], overwrite: true);
            });
            whole += await ReadsOneVersionAsync(node) ? 1 : 0;
            await rewrite;
        }

        Assert.True(await ReadsOneVersionAsync(node), "a file at rest must be readable");
        Assert.InRange(whole, 0, 20);
    }

    [Fact]
    public async Task EmptyDirectoriesAreThereWhateverListingWasAskedForBefore()
    {
        Directory.CreateDirectory(_temp["root/a"]);
        Directory.CreateDirectory(_temp["root/b/empty"]);
        Directory.CreateDirectory(_temp["root/empty"]);
        await File.WriteAllTextAsync(_temp["root/a/file"], "x");
        await File.WriteAllTextAsync(_temp["root/b/file"], "x");
        await using Node node = Node.Open(
            new NodeOptions { MountPoints = [new MountPointOptions { Name = "data", Source = "file://" }], Fill = NodeWorld.Fill }, _ => Open("/root"), TimeProvider.System);
        var files = (IFileMountPoint)node.Find("data")!;

        Assert.Equal(["a/file", "b/file"], (await files.ListAsync(new ListQuery("", null, null, 1_000), null, CancellationToken.None)).Entries.Select(entry => entry.Name));

        Assert.True((await files.ResolveAsync("empty", NameDetail.Listed, null, CancellationToken.None)).IsDirectory);
        DirectoryPage root = await files.ListDirectoryAsync("", null, 1_000, null, CancellationToken.None);
        Assert.Equal(["a/", "b/", "empty/"], root.Entries.Select(entry => entry.Name));
        Assert.True(root.FreshFor > TimeSpan.Zero);
        Assert.Equal(["b/empty/", "b/file"], (await files.ListDirectoryAsync("b/", null, 1_000, null, CancellationToken.None)).Entries.Select(entry => entry.Name));
        Assert.Empty((await files.ListDirectoryAsync("empty/", null, 1_000, null, CancellationToken.None)).Entries);
        Assert.True(files.TryResolve("b/empty", NameDetail.Listed, out ResolvedName resolved) && resolved.IsDirectory);
    }

    private static async Task<bool> ReadsOneVersionAsync(Node node)
    {
        byte[] bytes = new byte[4 << 20];
        try
        {
            using IObjectReader reader = await node.Find("data")!.OpenAsync("a", new ByteRange(0, long.MaxValue), null, CancellationToken.None);
            int done = 0;
            while (await reader.ReadAsync(done, bytes.AsMemory(done), CancellationToken.None) is var count and > 0)
            {
                done += count;
            }

            Assert.Equal((3 << 20) + 5, done);
            Assert.Equal(-1, bytes.AsSpan(0, done).IndexOfAnyExcept(bytes[0]));
            return true;
        }
        catch (ForebayException e)
        {
            Assert.Contains(e.Kind, new[] { ErrorKind.StaleVersion, ErrorKind.Unavailable });
            return false;
        }
    }

    private IUnderStore Open(string below = "")
        => UnderStoreFactory.Create(UnderStoreUrl.Parse($"file://{_temp.Path}{below}").Options, TimeSpan.FromSeconds(5), 8, TimeProvider.System);
}
