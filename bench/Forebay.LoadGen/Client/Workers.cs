using System.Diagnostics;

namespace Forebay.LoadGen.Client;

/// <summary>Runs one blocking thread per connection: at the counts used here that is the client with the least CPU.</summary>
internal static class Workers
{
    private const int StackBytes = 256 << 10;

    /// <summary>Starts all at the same moment and sums up what they return.</summary>
    public static (LoadResult Sum, TimeSpan Elapsed) Run(int connections, Action<int, LoadResult> work)
    {
        using Barrier start = new(connections + 1);
        LoadResult[] results = new LoadResult[connections];
        Thread[] threads = new Thread[connections];
        for (int i = 0; i < connections; i++)
        {
            int worker = i;
            results[i] = new LoadResult();
            threads[i] = new Thread(() => Work(worker), StackBytes) { IsBackground = true };
            threads[i].Start();
        }

        start.SignalAndWait();
        long begin = Stopwatch.GetTimestamp();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
        LoadResult sum = new();
        foreach (LoadResult result in results)
        {
            sum.Merge(result);
        }

        return (sum, elapsed);

        void Work(int worker)
        {
            start.SignalAndWait();
            work(worker, results[worker]);
        }
    }
}
