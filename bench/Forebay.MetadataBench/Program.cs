using System.Diagnostics;
using System.Globalization;
using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Forebay.MetadataBench;

// Memory per key and keys per second of the metadata cache over a generated source:
//   dotnet run -c Release --project bench/Forebay.MetadataBench [keys]
int keys = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000;
await using var store = new GeneratedStore(keys);
var options = new MountPointOptions { Name = "bench", Source = "generated://", MetadataTtl = TimeSpan.FromHours(1) };

long meanKey = 0;
for (int i = 0; i < keys; i += 1_000)
{
    meanKey += GeneratedStore.KeyOf(i).Length;
}

Console.WriteLine($"keys {keys:N0}, mean key {meanKey / (keys / 1_000.0):F1} B");
using (var warm = new MetadataCache(store, options, TimeProvider.System))
{
    // Tiered compilation settles on a cache that is thrown away.
    for (int round = 0; round < 3; round++)
    {
        await PageAllAsync(warm, relative: false);
    }
}

(long managed, long resident) = Measure();
var cache = new MetadataCache(store, options, TimeProvider.System);
var watch = Stopwatch.StartNew();
await PageAllAsync(cache, relative: false);
Report("listed cold (source included)", keys, watch);
(long managedAfter, long residentAfter) = Measure();
Console.WriteLine(
    $"listings: {(managedAfter - managed) / (double)keys:F1} B/key managed, {(residentAfter - resident) / (double)keys:F1} B/key resident, {cache.ListingBytes / (double)keys:F1} B/key counted, {store.Lists:N0} questions");

for (int round = 0; round < 3; round++)
{
    watch.Restart();
    await PageAllAsync(cache, relative: false);
    Report("listed warm, pages of 1,000 entries", keys, watch);
}

watch.Restart();
var sink = new CountingSink();
string? after = null;
while (cache.TryVisit(new ListQuery("", null, after, 1_000), ref sink, out bool isTruncated) && isTruncated)
{
    after = GeneratedStore.KeyOf(sink.Count - 1);
}

Report($"visited warm as UTF-8 ({sink.Count:N0} names, {sink.Bytes:N0} B)", keys, watch);

watch.Restart();
ListPage groups = await cache.ListAsync(new ListQuery("train/", "/", null, 1_000), null, default);
Console.WriteLine($"{groups.Entries.Count} groups over {keys:N0} keys: {watch.Elapsed.TotalMilliseconds:F2} ms");

watch.Restart();
int walked = 0;
await foreach (ObjectStat stat in cache.WalkAsync("", 8, default))
{
    walked++;
}

Report("walked warm", walked, watch);

(managed, resident) = Measure();
const int Stats = 200_000;
for (int i = 0; i < Stats; i++)
{
    await cache.GetAsync(GeneratedStore.KeyOf(i), requireHeaders: true, null, default);
}

(managedAfter, residentAfter) = Measure();
Console.WriteLine($"stats: {(managedAfter - managed) / (double)cache.CachedStats:F1} B/key managed, {cache.CachedStats:N0} kept");

string hot = GeneratedStore.KeyOf(7);
for (int round = 0; round < 3; round++)
{
    watch.Restart();
    for (int i = 0; i < 5_000_000; i++)
    {
        if (cache.TryGet(hot, requireHeaders: true) is null)
        {
            throw new InvalidOperationException("The key is cached.");
        }
    }

    Report("stat hits, one key, one thread", 5_000_000, watch);
}

GC.KeepAlive(cache);

async Task PageAllAsync(MetadataCache target, bool relative)
{
    string? last = null;
    int count = 0;
    while (true)
    {
        var query = new ListQuery("", null, last, 1_000);
        ListPage page = relative ? await target.ListRelativeAsync(query, null, default) : await target.ListAsync(query, null, default);
        count += page.Entries.Count;
        if (!page.IsTruncated)
        {
            break;
        }

        last = page.Entries[^1].Name;
    }

    if (count != keys)
    {
        throw new InvalidOperationException($"Listed {count} of {keys} keys.");
    }
}

static void Report(string what, int count, Stopwatch watch)
    => Console.WriteLine($"{what}: {count / watch.Elapsed.TotalSeconds:N0}/s ({watch.Elapsed.TotalMilliseconds:F0} ms)");

static (long Managed, long Resident) Measure()
{
    for (int i = 0; i < 3; i++)
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
    }

    using var process = Process.GetCurrentProcess();
    return (GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64);
}
