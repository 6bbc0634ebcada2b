using System.Threading.Channels;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Lists everything below a prefix from several places at the same time. The names are cut into ranges (after, until]; any string
/// may be a cut, so that no name is missed or met twice wherever the cuts lie. A worker lists its range page by page; while others
/// are idle it cuts what is left of it at directories that a delimited listing shows.
/// </summary>
/// <remarks>Thread-safe inside. Workers wait while <see cref="Pages"/> is full. The first error ends all of them and the channel.</remarks>
internal sealed class PrefixWalk : IAsyncDisposable
{
    private const int PageSize = 1_000;
    private const int PagesBeforeNextTry = 16;

    private readonly MetadataCache _cache;
    private readonly string _prefix;
    private readonly int _parallelism;
    private readonly CancellationTokenSource _stop;
    private readonly Channel<ArraySegment<ListEntry>> _pages;
    private readonly Lock _gate = new();
    private readonly Queue<WalkRange> _waiting = new();
    private readonly SemaphoreSlim _available = new(0);
    private readonly Task _work;
    private int _unfinished;
    private int _idle;

    public PrefixWalk(MetadataCache cache, string prefix, int parallelism, CancellationToken cancellationToken)
    {
        _cache = cache;
        _prefix = prefix;
        _parallelism = parallelism;

        // Those that the scheduler has not started yet are idle too, or a first page that comes fast is not cut.
        _idle = parallelism;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _pages = Channel.CreateBounded<ArraySegment<ListEntry>>(new BoundedChannelOptions(parallelism * 2) { SingleReader = true });
        Enqueue(new WalkRange(After: null, Until: null));
        _work = RunAsync();
    }

    /// <summary>What was found, a page at a time.</summary>
    public ChannelReader<ArraySegment<ListEntry>> Pages => _pages.Reader;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
        _available.Dispose();
    }

    private async Task RunAsync()
    {
        Exception? failure = null;
        Task[] workers = new Task[_parallelism];
        for (int i = 0; i < workers.Length; i++)
        {
            workers[i] = Task.Run(WorkAsync);
        }

        await foreach (Task worker in Task.WhenEach(workers))
        {
            if (worker.IsCompletedSuccessfully)
            {
                continue;
            }

            // The others end by cancellation: the first failure is the cause.
            failure ??= worker.Exception?.InnerException ?? new OperationCanceledException(_stop.Token);
            await _stop.CancelAsync();
        }

        _pages.Writer.TryComplete(failure);
    }

    private async Task WorkAsync()
    {
        while (true)
        {
            await _available.WaitAsync(_stop.Token);
            Interlocked.Decrement(ref _idle);
            WalkRange range;
            lock (_gate)
            {
                if (!_waiting.TryDequeue(out range))
                {
                    // Woken without a range: everything is done.
                    return;
                }
            }

            await ListRangeAsync(range);
            Interlocked.Increment(ref _idle);
            if (Interlocked.Decrement(ref _unfinished) == 0)
            {
                _available.Release(_parallelism);
            }
        }
    }

    private async Task ListRangeAsync(WalkRange range)
    {
        int pagesToNextTry = 0;
        while (true)
        {
            ListPage page = await _cache.ListAsync(new ListQuery(_prefix, null, range.After, PageSize), requestId: null, _stop.Token);
            int inside = CountUpTo(page.Entries, range.Until);
            if (inside > 0)
            {
                ListEntry[] entries = page.Entries as ListEntry[] ?? [.. page.Entries];
                await _pages.Writer.WriteAsync(new ArraySegment<ListEntry>(entries, 0, inside), _stop.Token);
            }

            if (!page.IsTruncated || inside < page.Entries.Count)
            {
                return;
            }

            range = range with { After = page.Entries[^1].Name };
            if (pagesToNextTry-- <= 0 && Volatile.Read(ref _idle) > 0)
            {
                WalkRange? mine = await TrySplitAsync(range);
                pagesToNextTry = mine is null ? PagesBeforeNextTry : 0;
                range = mine ?? range;
            }
        }
    }

    /// <summary>Cuts a range and queues all parts but the first, which it returns; null when there is nothing to cut at.</summary>
    private async Task<WalkRange?> TrySplitAsync(WalkRange range)
    {
        string last = range.After!;
        string directory = _prefix;
        while (true)
        {
            // From the top down: cuts far apart are worth more than near ones.
            ListPage page = await _cache.ListAsync(new ListQuery(directory, "/", last, PageSize), requestId: null, _stop.Token);
            string[] cuts = ChooseCuts(page.Entries, CountUpTo(page.Entries, range.Until));
            if (cuts.Length > 0)
            {
                for (int i = 0; i < cuts.Length; i++)
                {
                    Enqueue(new WalkRange(cuts[i], i + 1 < cuts.Length ? cuts[i + 1] : range.Until));
                }

                return range with { Until = cuts[0] };
            }

            int slash = last.Length > directory.Length ? last.IndexOf('/', directory.Length) : -1;
            if (slash < 0)
            {
                return null;
            }

            directory = last[..(slash + 1)];
        }
    }

    private string[] ChooseCuts(IReadOnlyList<ListEntry> entries, int count)
    {
        var directories = new List<string>();
        for (int i = 0; i < count; i++)
        {
            if (entries[i].IsPrefix)
            {
                directories.Add(entries[i].Name);
            }
        }

        int wanted = Math.Min(directories.Count, _parallelism * 2);
        string[] cuts = new string[wanted];
        for (int i = 0; i < wanted; i++)
        {
            cuts[i] = directories[(int)((long)i * directories.Count / wanted)];
        }

        return cuts;
    }

    private void Enqueue(WalkRange range)
    {
        Interlocked.Increment(ref _unfinished);
        lock (_gate)
        {
            _waiting.Enqueue(range);
        }

        _available.Release();
    }

    private static int CountUpTo(IReadOnlyList<ListEntry> entries, string? until)
    {
        int count = entries.Count;
        while (until is not null && count > 0 && KeyOrder.Instance.Compare(entries[count - 1].Name, until) > 0)
        {
            count--;
        }

        return count;
    }

    private readonly record struct WalkRange(string? After, string? Until);
}
