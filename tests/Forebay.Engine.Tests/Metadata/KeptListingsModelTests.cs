using FsCheck;
using FsCheck.Fluent;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>
/// Random histories of two caches of one store, one of which restarts again and again: in an outage at the end it knows the same listings as the other. Where
/// something was refreshed it may know less, for then an older listing is dropped whole that a newer one had cut; but nothing from before the refresh. With a
/// delimiter either may answer from a flat listing or from one of the prefix, of which the other knows a later or an earlier one: what they show is only sound.
/// </summary>
public sealed class KeptListingsModelTests
{
    private static readonly string[] Parts = ["a", "b", "-", "a-", "/", "//", "\u00e9", "\ufffd", "\U0001F600", "z"];
    private static readonly string?[] Delimiters = [null, "/", "/", "-", "\U0001F600"];

    [Fact]
    public void ACacheThatRestartsKnowsWhatOneKnowsThatDoesNot()
    {
        Gen<string> key = Gen.ListOf(Gen.Elements(Parts)).Select(parts => string.Concat(parts.Take(5))).Where(k => k.Length > 0);
        Gen<string> prefix = Gen.Frequency((3, Gen.Constant("")), (4, Gen.Elements(Parts)), (2, key));
        Gen<ListQuery> query = from p in prefix
                               from d in Gen.Elements(Delimiters)
                               from a in Gen.OneOf(Gen.Constant<string?>(null), key.Select(k => (string?)(p + k)))
                               from max in Gen.Choose(1, 12)
                               select new ListQuery(p, d, a, max);
        Gen<Step> step = Gen.Frequency(
            (8, key.Select(k => (Step)new Step.Put(k))),
            (2, key.Select(k => (Step)new Step.Delete(k))),
            (12, query.Select(q => (Step)new Step.Query(q))),
            (2, Gen.Constant((Step)new Step.Restart())));
        Gen<(IList<Step> Steps, int PageSize, IList<ListQuery> Asked)> history =
            from refreshes in Gen.Elements(0, 0, 3)
            from steps in Gen.ListOf(Gen.Frequency((24, step), (refreshes, prefix.Select(p => (Step)new Step.Refresh(p)))))
            from size in Gen.Elements(1, 2, 3, 5, 1000)
            from asked in Gen.ListOf(query)
            select ((IList<Step>)[.. steps], size, (IList<ListQuery>)[.. asked]);

        Prop.ForAll(history.ToArbitrary(), h => Run(h.Steps, h.PageSize, h.Asked))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(RandomTests.Of(150)).WithEndSize(60));
    }

    private static void Run(IList<Step> steps, int pageSize, IList<ListQuery> asked)
    {
        using var directory = new TempDirectory();
        var store = new ScriptedStore { PageSize = pageSize };
        var time = new SteppedTime();

        // Nothing is fresh and nothing read ahead: both ask the same questions at the same time.
        var options = new MountPointOptions { Name = "m", Source = "", MetadataTtl = TimeSpan.Zero };
        using var always = new MetadataCache(store, options, time);
        var restarted = new Life(directory["metadata.db"], store, options, time);
        try
        {
            int version = 0;
            Dictionary<string, (int Version, bool IsThere)> objects = new(StringComparer.Ordinal);
            Dictionary<string, int> leastShown = new(StringComparer.Ordinal);
            foreach (Step step in steps)
            {
                switch (step)
                {
                    case Step.Put put:
                        store.Put(ScriptedStore.MakeStat(put.Key, version: ++version));
                        objects[put.Key] = (version, true);
                        break;
                    case Step.Delete delete:
                        store.Delete(delete.Key);
                        objects[delete.Key] = (version, false);
                        break;
                    case Step.Query query:
                        Assert.Equal(List(always, query.What)!.Entries, List(restarted.Cache, query.What)!.Entries);
                        break;
                    case Step.Refresh refresh:
                        always.Refresh(refresh.KeyOrPrefix);
                        restarted.Cache.Refresh(refresh.KeyOrPrefix);
                        Note(refresh.KeyOrPrefix, objects, leastShown);
                        break;
                    default:
                        restarted.Dispose();
                        restarted = new Life(directory["metadata.db"], store, options, time);
                        break;
                }
            }

            store.Failure = new ForebayException(ErrorKind.Unavailable, "down");
            bool isExact = !steps.OfType<Step.Refresh>().Any();
            foreach (ListQuery query in asked)
            {
                ListPage? page = List(restarted.Cache, query);
                if (isExact && query.Delimiter is null)
                {
                    ListPage? expected = List(always, query);
                    Assert.Equal(expected?.Entries, page?.Entries);

                    // A full page that memory knows is not waited for the file with: whether more follows is told by the next one.
                    Assert.True(expected?.IsTruncated == page?.IsTruncated || page is { IsTruncated: true } && page.Entries.Count == query.MaxEntries);
                }

                Assert.All(page?.Entries ?? [], entry => Assert.True(IsOf(query, entry, objects), $"{entry.Name} is not of {query}"));
                Assert.DoesNotContain(page?.Entries ?? [], entry => entry.Stat is { } stat
                    && leastShown.TryGetValue(entry.Name, out int least) && stat.LastModified < ScriptedStore.MakeStat(entry.Name, version: least).LastModified);
            }
        }
        finally
        {
            restarted.Dispose();
        }
    }

    private static ListPage? List(MetadataCache cache, ListQuery query)
    {
        try
        {
            return Synchronously.Await(cache.ListAsync(query, null, CancellationToken.None));
        }
        catch (ForebayException)
        {
            return null;
        }
    }

    /// <summary>True for an object that there was, or a prefix entry of one, in the place where the listing shows it.</summary>
    private static bool IsOf(ListQuery query, ListEntry entry, Dictionary<string, (int Version, bool IsThere)> objects)
    {
        int at = query.Delimiter is null || !entry.Name.StartsWith(query.Prefix, StringComparison.Ordinal) ? -1
            : entry.Name.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
        return entry.Name.StartsWith(query.Prefix, StringComparison.Ordinal)
            && entry.IsPrefix == at >= 0
            && (entry.IsPrefix
                ? at + query.Delimiter!.Length == entry.Name.Length && objects.Keys.Any(key => key.StartsWith(entry.Name, StringComparison.Ordinal))
                : objects.ContainsKey(entry.Name));
    }

    /// <summary>From now on what is refreshed is shown as it is now or not at all.</summary>
    private static void Note(string keyOrPrefix, Dictionary<string, (int Version, bool IsThere)> objects, Dictionary<string, int> leastShown)
    {
        bool isPrefix = keyOrPrefix.Length == 0 || keyOrPrefix.EndsWith('/');
        foreach ((string key, (int version, bool isThere)) in objects)
        {
            if (isPrefix ? key.StartsWith(keyOrPrefix, StringComparison.Ordinal) : string.Equals(key, keyOrPrefix, StringComparison.Ordinal))
            {
                leastShown[key] = isThere ? version : version + 1;
            }
        }
    }

    private abstract record Step
    {
        internal sealed record Put(string Key) : Step;

        internal sealed record Delete(string Key) : Step;

        internal sealed record Query(ListQuery What) : Step;

        internal sealed record Refresh(string KeyOrPrefix) : Step;

        internal sealed record Restart : Step;
    }

    /// <summary>One process.</summary>
    private sealed class Life : IDisposable
    {
        private readonly MetadataFile _file;

        internal Life(string path, ScriptedStore store, MountPointOptions options, TimeProvider time)
        {
            _file = MetadataFile.At(path, 64 << 20);
            KeptMetadata kept = _file.For("m", new KeptBounds(1_000, 1 << 20), static _ => false);
            _file.Start();
            Cache = new MetadataCache(store, options, time, kept);
        }

        internal MetadataCache Cache { get; }

        public void Dispose()
        {
            Cache.Dispose();
            _file.Dispose();
        }
    }
}
