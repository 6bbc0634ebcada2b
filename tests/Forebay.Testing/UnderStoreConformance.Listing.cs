using System.Text;
using Forebay.Core;
using Xunit;

namespace Forebay.Testing;

public abstract partial class UnderStoreConformance
{
    /// <summary>Keys that break stores which fold, trim, decode twice or sort by UTF-16.</summary>
    public static TheoryData<string> OddKeys =>
    [
        "with space", "plus+sign", "per%cent", "per%20cent", "a&b=c", "question?mark", "hash#mark", "quote\"s'", "semi;colon", "back\\slash",
        "tilde~", "colon:star*", "brackets[]{}<>|^`", "new\nline", "tab\there", "umlaut-äöü", "e\u0301-decomposed", "日本語/ファイル", "emoji-😀",
        ".", "..", "a/../b", "./a", "a/./b", "//double", "a//b", "trailing/", "/leading", "...", "-", "~", " ", " leading and trailing ",
    ];

    [Theory]
    [MemberData(nameof(OddKeys))]
    public async Task KeysReachTheStoreUntouched(string key)
    {
        if (!CanHold(key))
        {
            await FailsAsync(ErrorKind.NotFound, () => Store.StatAsync(key, null, Token));
            return;
        }

        byte[] content = Encoding.UTF8.GetBytes("content of " + key);
        await PutAsync(key, content);

        ObjectStat stat = await Store.StatAsync(key, null, Token);
        byte[] read = await Store.ReadAllAsync(key, new ByteRange(0, 1000), stat.Token, Token);
        List<ListEntry> listed = await Store.ListAllAsync(cancellationToken: Token);
        List<ListEntry> below = await Store.ListAllAsync(key[..1], cancellationToken: Token);

        Assert.Equal(content.Length, stat.Length);
        Assert.Equal(content, read);
        Assert.Equal([key], listed.Select(entry => entry.Name));
        Assert.Equal([key], below.Select(entry => entry.Name));
        Assert.Equal(stat.Token, listed[0].Stat!.Token);
    }

    [Fact]
    public async Task KeysOf1024BytesWork()
    {
        string key = string.Join('/', Enumerable.Repeat(new string('k', 127), 7)) + "/" + new string('x', 128);
        Assert.Equal(1024, Encoding.UTF8.GetByteCount(key));
        await PutAsync(key, "long"u8.ToArray());

        Assert.Equal(4, (await Store.StatAsync(key, null, Token)).Length);
        Assert.Equal("long"u8.ToArray(), await Store.ReadAllAsync(key, new ByteRange(0, 10), cancellationToken: Token));
        Assert.Equal(key, Assert.Single(await Store.ListAllAsync(pageSize: 1, cancellationToken: Token)).Name);
    }

    [Fact]
    public async Task AnEmptyStoreAndAPrefixWithoutKeysAreEmptyPages()
    {
        Assert.Empty(await Store.ListAllAsync(cancellationToken: Token));
        await PutAsync("a/b", [1]);

        Assert.Empty(await Store.ListAllAsync("a/c", cancellationToken: Token));
        Assert.Empty(await Store.ListAllAsync("b/", "/", cancellationToken: Token));
        Assert.Empty(await Store.ListAllAsync("../", "/", cancellationToken: Token));
    }

    [Fact]
    public async Task NamesAreSortedByUtf8AlsoAboveTheBasicPlane()
    {
        // In UTF-16 the emoji would sort before U+E000 and U+FF5E; in UTF-8 it sorts behind both.
        string[] keys = ["a", "a-", "a/b", "a0", "B", "é", "\uE000", "\uFF5E", "😀", "😀/x", "~"];
        foreach (string key in keys)
        {
            await PutAsync(key is "a" ? "a.x" : key is "😀" ? "😀.x" : key, [1]);
        }

        string[] expected = [.. keys.Select(key => key is "a" ? "a.x" : key is "😀" ? "😀.x" : key)];
        Array.Sort(expected, (x, y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y)));

        for (int pageSize = 1; pageSize <= 4; pageSize++)
        {
            Assert.Equal(expected, (await Store.ListAllAsync(pageSize: pageSize, cancellationToken: Token)).Select(entry => entry.Name));
        }
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("", "/")]
    [InlineData("d", "/")]
    [InlineData("d/", "/")]
    [InlineData("d/e", "/")]
    [InlineData("d/e/", "/")]
    [InlineData("d/e/f/", "/")]
    [InlineData("d-", "/")]
    [InlineData("", "-")]
    [InlineData("", "e/")]
    [InlineData("d/", null)]
    [InlineData("d/e/f", null)]
    [InlineData("nothing", "/")]
    public async Task PagesOfEverySizeAgreeWithTheModel(string prefix, string? delimiter)
    {
        string[] keys =
        [
            "a", "d-1", "d-2/x", "d.x", "d/1", "d/e-", "d/e.txt", "d/e/1", "d/e/f/1", "d/e/f/2", "d/e/g", "d/e0", "d/z/1", "d/é/1", "d/😀/1", "d/\uFF5E/1", "d0", "e/1", "e/2", "z",
        ];
        List<ObjectStat> model = [];
        foreach (string key in keys)
        {
            await PutAsync(key, Encoding.UTF8.GetBytes(key));
            model.Add(new ObjectStat(key, Encoding.UTF8.GetByteCount(key), new VersionToken("x"), default) { ETag = "x" });
        }

        model.Sort((x, y) => KeyOrder.Compare(x.Key, y.Key));
        List<(string, long?)> expected = Names(KeyListing.Page(model, new ListQuery(prefix, delimiter, null, 1000)).Entries);

        foreach (int pageSize in new[] { 1, 2, 3, 7, 1000 })
        {
            List<ListEntry> actual = await Store.ListAllAsync(prefix, delimiter, pageSize, Token);
            Assert.Equal(expected, Names(actual));
        }
    }

    [Theory]
    [InlineData("", "/", "d/")]
    [InlineData("", "/", "d/e/f")]
    [InlineData("", "/", "c")]
    [InlineData("", "/", "d")]
    [InlineData("d/", "/", "d/e/")]
    [InlineData("d/", "/", "a")]
    [InlineData("d/", "/", "e")]
    [InlineData("d/", null, "d/e/")]
    [InlineData("", null, "d/")]
    [InlineData("", null, "d/e/f/1")]
    [InlineData("", "/", "zzz")]
    public async Task AfterMeansBehindThisNameEvenIfItDoesNotExist(string prefix, string? delimiter, string after)
    {
        string[] keys = ["a", "d-", "d/1", "d/e/f/1", "d/e/g", "d/\U0010FFFF\U0010FFFF/x", "d/é", "d0", "e"];
        List<ObjectStat> model = [];
        foreach (string key in keys)
        {
            await PutAsync(key, [1]);
            model.Add(new ObjectStat(key, 1, new VersionToken("x"), default) { ETag = "x" });
        }

        model.Sort((x, y) => KeyOrder.Compare(x.Key, y.Key));
        ListPage expected = KeyListing.Page(model, new ListQuery(prefix, delimiter, after, 1000));

        ListPage actual = await Store.ListAsync(new ListQuery(prefix, delimiter, after, 1000), "request-1", Token);

        Assert.Equal(Names(expected.Entries), Names(actual.Entries));
        Assert.False(actual.IsTruncated);
    }

    [Fact]
    public async Task AListingOfManyKeysComesInPages()
    {
        const int Count = 1_050;
        string[] keys = [.. Enumerable.Range(0, Count).Select(i => $"many/{i:d6}")];
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token }, async (key, _) => await PutAsync(key, [1]));

        ListPage first = await Store.ListAsync(new ListQuery("many/", "/", null, 1000), null, Token);
        List<ListEntry> all = await Store.ListAllAsync("many/", "/", cancellationToken: Token);

        Assert.True(first.IsTruncated);
        Assert.InRange(first.Entries.Count, 1, 1000);
        Assert.Equal(keys, all.Select(entry => entry.Name));
    }

    private static List<(string Name, long? Length)> Names(IEnumerable<ListEntry> entries) => [.. entries.Select(entry => (entry.Name, entry.Stat?.Length))];
}
