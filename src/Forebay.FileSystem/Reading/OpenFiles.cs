using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>Open files by handle. Those that a killed process opened are found in the inode table when they are first read. Thread-safe.</summary>
internal sealed class OpenFiles(IFileMountPoint mount, InodeTable table, IWholeFileSource? lenders, int maxWaitingReads) : IDisposable
{
    private readonly ConcurrentDictionary<ulong, OpenFile> _files = new();

    /// <summary>One place for each read that waits for bytes: each has a buffer.</summary>
    private readonly SemaphoreSlim _places = new(maxWaitingReads, maxWaitingReads);

    private long _hotReads;
    private long _coldReads;
    private long _readBytes;

    internal long HotReads => Interlocked.Read(ref _hotReads);

    internal long ColdReads => Interlocked.Read(ref _coldReads);

    internal long ReadBytes => Interlocked.Read(ref _readBytes);

    /// <summary>The file of a handle; null when it is not open, or no file.</summary>
    internal OpenFile? Find(ulong handle) => _files.TryGetValue(handle, out OpenFile? file) ? file : Restore(handle);

    /// <summary>Notes a file that was opened.</summary>
    /// <param name="handle">Its handle.</param>
    /// <param name="stat">Its version.</param>
    /// <param name="lent">The whole file, if it was lent for this; owned from here on.</param>
    /// <param name="wasAsked">Somebody was asked for it, whatever came of that.</param>
    internal void Add(ulong handle, ObjectStat stat, FileSegment lent, bool wasAsked)
    {
        OpenFile file = new(mount, stat, lenders);
        if (wasAsked)
        {
            file.Use(lent);
        }

        if (!_files.TryAdd(handle, file))
        {
            file.Dispose();
        }
    }

    /// <summary>Forgets a handle.</summary>
    internal void Close(ulong handle)
    {
        if (_files.TryRemove(handle, out OpenFile? file))
        {
            file.Dispose();
        }
    }

    /// <summary>Waits for a place among the reads that wait for bytes, in turn.</summary>
    /// <param name="patience">How long it waits while none of the others gets bytes.</param>
    /// <param name="grace">How long it still waits once <paramref name="caller"/> ended.</param>
    /// <param name="time">Clock of both.</param>
    /// <param name="cameForward">Called when others got bytes in that time, and when there is a place: the wait is not one of something that hangs.</param>
    /// <param name="caller">Patience of the program.</param>
    /// <exception cref="OperationCanceledException">There was none in time.</exception>
    internal async ValueTask TakePlaceAsync(TimeSpan patience, TimeSpan grace, TimeProvider time, Action cameForward, CancellationToken caller)
    {
        if (_places.Wait(0, CancellationToken.None))
        {
            cameForward();
            return;
        }

        using RequestDeadline deadline = new(Timeout.InfiniteTimeSpan, grace, time, caller);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        Task turn = _places.WaitAsync(end.Token);
        while (!turn.IsCompleted)
        {
            long reads = ColdReads;
            try
            {
                await turn.WaitAsync(patience, time, CancellationToken.None);
            }
            catch (TimeoutException)
            {
                if (ColdReads == reads)
                {
                    await end.CancelAsync();
                    break;
                }

                cameForward();
            }
        }

        await turn;
        cameForward();
    }

    /// <summary>A read that had a place has ended.</summary>
    internal void GivePlaceBack() => _places.Release();

    internal void CountHot(int bytes)
    {
        Interlocked.Increment(ref _hotReads);
        Interlocked.Add(ref _readBytes, bytes);
    }

    internal void CountCold(int bytes)
    {
        Interlocked.Increment(ref _coldReads);
        Interlocked.Add(ref _readBytes, bytes);
    }

    public void Dispose()
    {
        foreach (ulong handle in _files.Keys)
        {
            Close(handle);
        }
    }

    private OpenFile? Restore(ulong handle)
    {
        if (!table.TryGetHandle(handle, out HandleView view) || view.IsDirectory || table.StatOf(view.NodeId) is not { } stat)
        {
            return null;
        }

        return _files.GetOrAdd(handle, static (_, state) => new OpenFile(state.mount, state.stat, state.lenders), (mount, stat, lenders));
    }
}
