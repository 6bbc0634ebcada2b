using FsCheck;
using FsCheck.Fluent;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>
/// Random histories against the plainest model there is. A listing must equal the model where the cache may not be older (nothing
/// changed since the refresh or expiry), entry by entry; with changes behind its back it must equal some state within the TTL,
/// which the histories reach by refreshing or letting the TTL pass after each batch of changes.
/// </summary>
public sealed class ListingModelTests
{
    // U+FFFD sorts behind surrogate pairs in UTF-16 and before them in UTF-8.
    private static readonly string[] Parts = ["a", "b", "ab", "-", "a-", "--", "/", "//", "\u00e9", "\ufffd", "\U0001F600", "z", "0"];
    private static readonly string?[] Delimiters = [null, "/", "/", "-", "--", "a", "\U0001F600", "b/"];

    [Fact]
    public void AListingEqualsTheModelAfterEveryStep()
    {
        Gen<string> key = Gen.ListOf(Gen.Elements(Parts)).Select(parts => string.Concat(parts.Take(6))).Where(k => k.Length > 0);
        Gen<string> prefix = Gen.Frequency(
            (3, Gen.Constant("")),
            (4, Gen.Elements(Parts)),
            (2, key));
        Gen<Step> change = Gen.Frequency(
            (6, key.Select(k => (Step)new Step.Put(k))),
            (2, key.Select(k => (Step)new Step.Delete(k))));
        Gen<Step> query = from p in prefix
                          from d in Gen.Elements(Delimiters)
                          from a in Gen.OneOf(Gen.Constant<string?>(null), key.Select(k => (string?)(p + k)), key.Select(k => (string?)k))
                          from max in Gen.Choose(1, 12)
                          select (Step)new Step.Query(new ListQuery(p, d, a, max));
        Gen<Step> step = Gen.Frequency(
            (3, Gen.NonEmptyListOf(change).Zip(Gen.Elements(0, 1, 2, 3)).Select(c => (Step)new Step.Changes([.. c.Item1], c.Item2))),
            (12, query),
            (3, query.Select(q => (Step)new Step.Page(((Step.Query)q).What))),
            (3, prefix.Select(p => (Step)new Step.Walk(p))),
            (2, key.Select(k => (Step)new Step.Stat(k))),
            (1, prefix.Select(p => (Step)new Step.Refresh(p))),
            (1, Gen.Constant((Step)new Step.Wait())));
        Gen<(IList<Step> Steps, int PageSize, string Prefix, bool HasDirectories)> history =
            from steps in Gen.ListOf(step)
            from size in Gen.Elements(1, 2, 3, 5, 1000)
            from mount in Gen.Elements("", "", "a/", "\U0001F600/")
            from hasDirectories in Gen.Elements(false, false, true)
            select ((IList<Step>)[.. steps], size, mount, hasDirectories);

        Prop.ForAll(history.ToArbitrary(), h => Run(h.Steps, h.PageSize, h.Prefix, h.HasDirectories))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(1_500)).WithEndSize(60));
    }

    private static void Run(IList<Step> steps, int pageSize, string mountPrefix, bool hasDirectories)
    {
        var store = new ScriptedStore { PageSize = pageSize, HasDirectories = hasDirectories };
        var time = new SteppedTime();
        var options = new MountPointOptions { Name = "m", Source = "", Prefix = mountPrefix, NegativeTtl = TimeSpan.FromSeconds(60) };
        using var cache = new MetadataCache(store, options, time);
        int version = 0;
        foreach (Step step in steps)
        {
            switch (step)
            {
                case Step.Changes changes:
                    Apply(changes, store, cache, time, mountPrefix, ref version);
                    break;
                case Step.Query query:
                    Compare(cache, store, query.What, mountPrefix);
                    break;
                case Step.Page page:
                    ComparePages(cache, store, page.What with { Prefix = mountPrefix + page.What.Prefix, After = null });
                    break;
                case Step.Walk walk:
                    CompareWalk(cache, store, mountPrefix + walk.Prefix);
                    break;
                case Step.Stat stat:
                    CompareStat(cache, store, mountPrefix + stat.Key);
                    break;
                case Step.Refresh refresh:
                    cache.Refresh(mountPrefix + refresh.KeyOrPrefix);
                    break;
                case Step.Wait:
                    time.Advance(61);
                    break;
            }
        }
    }

    /// <summary>Changes the store and then tells the cache, in one of the ways it can learn of it.</summary>
    private static void Apply(Step.Changes changes, ScriptedStore store, MetadataCache cache, SteppedTime time, string mountPrefix, ref int version)
    {
        foreach (Step change in changes.Steps)
        {
            string key = mountPrefix + (change is Step.Put put ? put.Key : ((Step.Delete)change).Key);
            StatEntry? known = cache.TryGetStale(key);
            if (change is Step.Put)
            {
                store.Put(ScriptedStore.MakeStat(key, length: ++version, version: version));
            }
            else
            {
                store.Delete(key);
            }

            switch (changes.Notice)
            {
                case 1:
                    cache.Refresh(key);
                    break;
                case 2 when known is not null:
                    cache.Invalidate(known);
                    break;
                case 2:
                    cache.Refresh(key);
                    break;
                case 3:
                    cache.Refresh(key[..(key.LastIndexOf('/') + 1)]);
                    break;
            }
        }

        if (changes.Notice == 0)
        {
            time.Advance(61);
        }
    }

    private static void Compare(MetadataCache cache, ScriptedStore store, ListQuery relative, string mountPrefix)
    {
        ListQuery full = relative with
        {
            Prefix = mountPrefix + relative.Prefix,
            After = relative.After is null ? null : mountPrefix + relative.After,
        };
        ListPage actual = Synchronously.Await(cache.ListRelativeAsync(relative, null, default));
        AssertPage(store, full, actual, mountPrefix.Length);

        ListPage again = Synchronously.Await(cache.ListAsync(full, null, default));
        AssertPage(store, full, again, cut: 0);
    }

    private static void AssertPage(ScriptedStore store, ListQuery full, ListPage actual, int cut)
    {
        ListPage model = store.Model(full with { MaxEntries = 1_000 });
        int count = actual.Entries.Count;
        ListEntry[] expected =
        [
            .. model.Entries.Take(count).Select(e =>
                new ListEntry(e.Name[cut..], e.Stat is null ? null : e.Stat with { Key = e.Name[cut..] })),
        ];
        Assert.Equal(expected, actual.Entries);
        Assert.True(count <= full.MaxEntries, "More entries than asked for.");
        Assert.True(actual.IsTruncated ? count > 0 : count == model.Entries.Count, "A page that ends early must say so.");
        Assert.True(!actual.IsTruncated || count < model.Entries.Count || count == full.MaxEntries, "Truncated without more to follow.");
    }

    /// <summary>As <c>find</c> goes: each directory, then the directories in it.</summary>
    private static void CompareWalk(MetadataCache cache, ScriptedStore store, string directory)
    {
        var query = new ListQuery(directory, "/", null, 1_000);
        ComparePages(cache, store, query);
        foreach (ListEntry entry in store.Model(query).Entries)
        {
            if (entry.IsPrefix)
            {
                CompareWalk(cache, store, entry.Name);
            }
        }
    }

    private static void ComparePages(MetadataCache cache, ScriptedStore store, ListQuery query)
    {
        var all = new List<ListEntry>();
        ListPage page;
        do
        {
            page = Synchronously.Await(cache.ListAsync(query, null, default));
            all.AddRange(page.Entries);
            query = query with { After = page.IsTruncated ? page.Entries[^1].Name : null };
        }
        while (page.IsTruncated);
        Assert.Equal(store.Model(query with { After = null, MaxEntries = 1_000 }).Entries, all);
    }

    private static void CompareStat(MetadataCache cache, ScriptedStore store, string key)
    {
        StatEntry entry = Synchronously.Await(cache.GetAsync(key, requireHeaders: false, null, default));
        ListPage model = store.Model(new ListQuery(key, null, null, 1));
        ObjectStat? expected = model.Entries.Count > 0 && model.Entries[0].Name == key ? model.Entries[0].Stat : null;
        Assert.Equal(expected, entry.Stat is null ? null : entry.Stat with { Headers = null });
    }

    public abstract record Step
    {
        public sealed record Put(string Key) : Step;

        public sealed record Delete(string Key) : Step;

        public sealed record Changes(IReadOnlyList<Step> Steps, int Notice) : Step;

        public sealed record Query(ListQuery What) : Step;

        public sealed record Page(ListQuery What) : Step;

        public sealed record Walk(string Prefix) : Step;

        public sealed record Stat(string Key) : Step;

        public sealed record Refresh(string KeyOrPrefix) : Step;

        public sealed record Wait : Step;
    }
}
