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
        await using Node node = OpenTree(TimeProvider.System);
        var files = (IFileMountPoint)node.Find("data")!;
        Assert.Equal(["a/file", "b/file"], (await files.ListAsync(new ListQuery("", null, null, 1_000), null, CancellationToken.None)).Entries.Select(entry => entry.Name));

        // What it lists itself does not say that it is nothing.
        Assert.Empty((await files.ListDirectoryAsync("b/empty/", null, 1_000, null, CancellationToken.None)).Entries);
        Assert.True((await files.ResolveAsync("b/empty", NameDetail.Listed, null, CancellationToken.None)).IsDirectory);

        Assert.True((await files.ResolveAsync("empty", NameDetail.Listed, null, CancellationToken.None)).IsDirectory);
        Assert.Equal(["a/", "b/", "empty/"], await NamesAsync(files, ""));
        Assert.Equal(["b/empty/", "b/file"], await NamesAsync(files, "b/"));
        Assert.Empty(await NamesAsync(files, "empty/"));
        Assert.True(files.TryResolve("b/empty", NameDetail.Listed, out ResolvedName resolved) && resolved.IsDirectory);

        // And what a flat listing shows is known to be a file.
        Assert.True(files.TryResolve("a/file", NameDetail.Listed, out ResolvedName file) && !file.IsDirectory && file.Exists);
    }

    [Fact]
    public async Task AListingIsBelievedNoLongerForAFlatOneThatCameLater()
    {
        var time = new ManualTimeProvider();
        await using Node node = OpenTree(time);
        var files = (IFileMountPoint)node.Find("data")!;
        await files.ListDirectoryAsync("b/", null, 1_000, null, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(50));
        await files.ListAsync(new ListQuery("", null, null, 1_000), null, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(5));

        DirectoryPage page = await files.ListDirectoryAsync("b/", null, 1_000, null, CancellationToken.None);

        Assert.InRange(page.FreshFor, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task AFlatListingStandsInForDirectoriesInAnOutage()
    {
        await using Node node = OpenTree(TimeProvider.System);
        var files = (IFileMountPoint)node.Find("data")!;
        await files.ListAsync(new ListQuery("", null, null, 1_000), null, CancellationToken.None);
        Directory.Move(_temp["root"], _temp["away"]);

        Assert.Equal(["a/file"], await NamesAsync(files, "a/"));
    }

    private Node OpenTree(TimeProvider time)
    {
        Directory.CreateDirectory(_temp["root/a"]);
        Directory.CreateDirectory(_temp["root/b/empty"]);
        Directory.CreateDirectory(_temp["root/empty"]);
        File.WriteAllText(_temp["root/a/file"], "x");
        File.WriteAllText(_temp["root/b/file"], "x");
        return Node.Open(new NodeOptions { MountPoints = [new MountPointOptions { Name = "data", Source = "file://" }], Fill = NodeWorld.Fill }, _ => Open("/root"), time);
    }

    private static async Task<IEnumerable<string>> NamesAsync(IFileMountPoint files, string directory)
        => (await files.ListDirectoryAsync(directory, null, 1_000, null, CancellationToken.None)).Entries.Select(entry => entry.Name);

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
