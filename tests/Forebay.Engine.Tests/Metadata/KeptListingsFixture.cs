using Forebay.Core;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>A store with objects at its top and in three directories, and how its listings are asked for.</summary>
public abstract class KeptListingsFixture : KeptMetadataFixture
{
    protected KeptListingsFixture()
    {
        for (int i = 0; i < 30; i++)
        {
            _store.Put(ScriptedStore.MakeStat($"dir-{i % 3}/käse-{i:d2} 😀", length: i));
            _store.Put(ScriptedStore.MakeStat($"top-{i:d2}", version: i));
        }
    }

    private protected async Task<List<ListEntry>> ListAsync(Life life, string prefix, string? delimiter)
    {
        List<ListEntry> entries = [];
        string? after = null;
        while (true)
        {
            ListPage page = await life.Cache.ListAsync(new ListQuery(prefix, delimiter, after, 1_000), null, _deadline.Token);
            entries.AddRange(page.Entries);
            if (!page.IsTruncated)
            {
                return entries;
            }

            after = page.Entries[^1].Name;
        }
    }

    private protected async Task ListingFailsAsync(Life life, string prefix)
        => Assert.Equal(ErrorKind.Unavailable, (await Assert.ThrowsAsync<ForebayException>(() => ListAsync(life, prefix, "/"))).Kind);
}
