using System.Buffers;
using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// Brings the small files of a directory in together, once some of them are read that are not in the cache: in listing order from the one that is read,
/// then from the beginning. Which order the program reads in does not matter; it waits for a file at most once. Thread-safe.
/// </summary>
/// <remarks>Bounded: directories at a time, files at a time, bytes for a directory. What cannot be stored or fetched ends the work for its directory.</remarks>
internal sealed class DirectoryPrefetch(IFileMountPoint mount, FileSystemOptions options, IWholeFileSource? lenders) : IDisposable
{
    private const int PageEntries = 1_000;
    private const int MostDirectories = 64;
    private const int MostKnown = 10_000;
    private readonly ConcurrentDictionary<string, int> _reads = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _places = new(options.PrefetchParallelism, options.PrefetchParallelism);
    private readonly CancellationTokenSource _lifetime = new();
    private int _running;
    private readonly PrefetchedFiles _brought = new();
    private long _files;
    private long _bytes;

    internal long Files => Interlocked.Read(ref _files);

    internal long FilesUsed => _brought.Used;

    internal long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Ends when nothing is brought in any more; for tests.</summary>
    internal bool IsIdle => Volatile.Read(ref _running) == 0;

    /// <summary>Tells that a file is read whose bytes are not all in the cache.</summary>
    /// <param name="stat">The file.</param>
    /// <param name="wasListed">Somebody listed its directory: the first such read is enough then, else it takes two.</param>
    internal void OnColdRead(ObjectStat stat, bool wasListed)
    {
        if (stat.Length > options.PrefetchFileBytes)
        {
            return;
        }

        string directory = stat.Key[..(stat.Key.LastIndexOf('/') + 1)];
        if (_reads.Count > MostKnown)
        {
            _reads.Clear();
        }

        // The count that starts the work is reached once; it is forgotten when the work has ended.
        int reads = _reads.AddOrUpdate(directory, 1, static (_, count) => count + 1);
        if (reads != (wasListed ? 1 : 2))
        {
            return;
        }

        if (Interlocked.Increment(ref _running) > MostDirectories)
        {
            Interlocked.Decrement(ref _running);
            _reads.TryRemove(directory, out _);
            return;
        }

        _ = Task.Run(() => DoRunAsync(directory, stat.Key));
    }

    /// <summary>Tells that a file is opened, wherever its bytes are.</summary>
    internal void OnOpen(ObjectStat stat) => _brought.OnOpen(stat.Key);

    public void Dispose()
    {
        // Not disposed: work that is ending may still ask for the token.
        _lifetime.Cancel();
    }

    private async Task DoRunAsync(string directory, string start)
    {
        try
        {
            var budget = new Budget(options.PrefetchDirectoryBytes);
            await RunAsync(directory, start, until: null, budget);
            await RunAsync(directory, after: null, until: start, budget);
            await budget.WaitAsync();
        }
        catch (Exception error) when (error is ForebayException or OperationCanceledException)
        {
            // Optional work: whoever needs a file asks for it and gets the error.
        }
        finally
        {
            _reads.TryRemove(directory, out _);
            Interlocked.Decrement(ref _running);
        }
    }

    private async Task RunAsync(string directory, string? after, string? until, Budget budget)
    {
        bool isMore = true;
        while (isMore)
        {
            DirectoryPage page = await mount.ListDirectoryAsync(directory, after, PageEntries, requestId: null, _lifetime.Token);
            foreach (ListEntry entry in page.Entries)
            {
                if (until is not null && KeyOrder.Compare(entry.Name, until) >= 0)
                {
                    return;
                }

                if (entry.Stat is not { Length: > 0 } stat || stat.Length > options.PrefetchFileBytes)
                {
                    continue;
                }

                if (!budget.TryTake(stat.Length))
                {
                    return;
                }

                await _places.WaitAsync(_lifetime.Token);
                budget.Begin();
                _ = BringAsync(stat, budget);
            }

            isMore = page is { IsTruncated: true, Entries.Count: > 0 };
            after = isMore ? page.Entries[^1].Name : null;
        }
    }

    private async Task BringAsync(ObjectStat stat, Budget budget)
    {
        try
        {
            // Before: a reader that goes on in order opens the file while it is being brought.
            _brought.Add(stat.Key);
            long fetched = budget.GoesThrough ? await ReadThroughAsync(stat) : await StoreAsync(stat, budget);
            if (fetched > 0)
            {
                Interlocked.Increment(ref _files);
                Interlocked.Add(ref _bytes, fetched);
            }
            else
            {
                _brought.Remove(stat.Key);
            }
        }
        catch (ForebayException error)
        {
            if (error.Kind is not (ErrorKind.NotFound or ErrorKind.StaleVersion))
            {
                budget.End();
            }
        }
        catch (OperationCanceledException)
        {
            budget.End();
        }
        finally
        {
            _places.Release();
            budget.EndOne();
        }
    }

    /// <summary>Into the cache; where there is none, into that of whoever lends: it keeps what is read through it.</summary>
    private async ValueTask<long> StoreAsync(ObjectStat stat, Budget budget)
    {
        try
        {
            return await mount.BringAsync(stat, _lifetime.Token);
        }
        catch (ForebayException error) when (error.Kind == ErrorKind.NoSpace && lenders is { IsAvailable: true })
        {
            budget.GoesThrough = true;
            return await ReadThroughAsync(stat);
        }
    }

    private async ValueTask<long> ReadThroughAsync(ObjectStat stat)
    {
        byte[] scrap = ArrayPool<byte>.Shared.Rent((int)stat.Length);
        try
        {
            using IFileReader reader = mount.OpenVersion(stat, requestId: null);
            return await reader.ReadAsync(0, scrap.AsMemory(0, (int)stat.Length), _lifetime.Token);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(scrap);
        }
    }

    /// <summary>What may still be brought in for one directory, and what is under way.</summary>
    private sealed class Budget(long bytes)
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _left = bytes;
        private volatile bool _goesThrough;

        /// <summary>Files under way, and one for the listing.</summary>
        private int _running = 1;

        /// <summary>Nothing of this directory can be stored here: it is only read through.</summary>
        internal bool GoesThrough
        {
            get => _goesThrough;
            set => _goesThrough = value;
        }

        internal bool TryTake(long count) => Interlocked.Add(ref _left, -count) >= 0;

        internal void End() => Interlocked.Exchange(ref _left, long.MinValue / 2);

        internal void Begin() => Interlocked.Increment(ref _running);

        internal void EndOne()
        {
            if (Interlocked.Decrement(ref _running) == 0)
            {
                _ended.SetResult();
            }
        }

        /// <summary>Ends with the last file; after the listing, once.</summary>
        internal Task WaitAsync()
        {
            EndOne();
            return _ended.Task;
        }
    }
}
