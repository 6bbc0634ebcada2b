namespace Forebay.Cli.Serve;

/// <summary>Settings of the process that follow from the configuration; applied once, before the node is made.</summary>
internal static partial class ProcessLimits
{
    /// <summary>Code, stacks, buffers of sockets and of SQLite: what a node takes beside its heap, bytes.</summary>
    private const long BesideHeapBytes = 96L << 20;

    /// <summary>Disk waits of <c>sendfile</c> and <c>pread</c> hold a thread of the pool; with as few as there are processors two of them would stop the node.</summary>
    private const int LeastWorkerThreads = 16;

    /// <summary>Bounds the managed heap so that resident memory stays below <paramref name="memoryLimitBytes"/>, and keeps the pool from starving.</summary>
    public static void Apply(long memoryLimitBytes)
    {
        long heapBytes = Math.Max(memoryLimitBytes - BesideHeapBytes, memoryLimitBytes / 2);
        AppContext.SetData("GCHeapHardLimit", (ulong)heapBytes);
        GC.RefreshMemoryLimit();
        ThreadPool.GetMinThreads(out int workers, out int completion);
        ThreadPool.SetMinThreads(Math.Max(workers, LeastWorkerThreads), completion);

        // Whatever a node writes (index, data, sockets) holds keys or data of others.
        _ = SetUmask(0x3F /* 077 */);
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetUmask(uint mask);
}
