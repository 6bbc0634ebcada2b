using System.Globalization;
using Forebay.Core;

namespace Forebay.Engine.Loading;

/// <summary>The loads of this process: at most <see cref="MostRunning"/> at the same time, the last <see cref="MostKept"/> remembered. Thread-safe.</summary>
internal sealed class LoadTable(TimeProvider time) : IAsyncDisposable
{
    internal const int MostRunning = 16;
    internal const int MostKept = 100;
    private readonly Lock _lock = new();
    private readonly LinkedList<LoadJob> _jobs = [];
    private int _lastId;

    /// <summary>Starts a load in the background.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Throttled"/>: too many run already.</exception>
    internal LoadStatus Start(LoadRequest request, Func<LoadJob, CancellationToken, Task> work)
    {
        LoadJob job;
        lock (_lock)
        {
            if (_jobs.Count(running => !running.IsEnded) >= MostRunning)
            {
                throw new ForebayException(ErrorKind.Throttled, $"{MostRunning} loads are running already. Wait for one to end or stop one.");
            }

            job = new LoadJob((++_lastId).ToString(CultureInfo.InvariantCulture), request, time.GetUtcNow());
            _jobs.AddFirst(job);
            Forget();
        }

        job.Running = Task.Run(() => RunAsync(job, work));
        return job.Status();
    }

    internal IReadOnlyList<LoadStatus> All()
    {
        lock (_lock)
        {
            return [.. _jobs.Select(job => job.Status())];
        }
    }

    internal LoadStatus? Find(string id)
    {
        lock (_lock)
        {
            return _jobs.FirstOrDefault(job => string.Equals(job.Id, id, StringComparison.Ordinal))?.Status();
        }
    }

    internal bool Cancel(string id)
    {
        lock (_lock)
        {
            return _jobs.FirstOrDefault(job => string.Equals(job.Id, id, StringComparison.Ordinal))?.Cancel() ?? false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        LoadJob[] jobs;
        lock (_lock)
        {
            jobs = [.. _jobs];
        }

        foreach (LoadJob job in jobs)
        {
            job.Cancel();
        }

        await Task.WhenAll(jobs.Select(job => job.Running));
        foreach (LoadJob job in jobs)
        {
            job.Dispose();
        }
    }

    private async Task RunAsync(LoadJob job, Func<LoadJob, CancellationToken, Task> work)
    {
        try
        {
            await work(job, job.Token);
            job.End(isCanceled: false, error: null, time.GetUtcNow());
        }
        catch (OperationCanceledException) when (job.Token.IsCancellationRequested)
        {
            job.End(isCanceled: true, error: null, time.GetUtcNow());
        }
        catch (Exception e)
        {
            job.End(isCanceled: false, e.Message, time.GetUtcNow());
        }
    }

    private void Forget()
    {
        LinkedListNode<LoadJob>? last = _jobs.Last;
        while (_jobs.Count > MostKept && last is not null)
        {
            LinkedListNode<LoadJob>? before = last.Previous;
            if (last.Value.IsEnded)
            {
                last.Value.Dispose();
                _jobs.Remove(last);
            }

            last = before;
        }
    }
}
