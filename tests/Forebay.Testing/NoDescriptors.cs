using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.Testing;

/// <summary>Lowers the limit to what is open and takes what is free below it, until it is disposed.</summary>
public sealed partial class NoDescriptors : IDisposable
{
    private const int OpenFiles = 7;
    private const int IdleThreads = 4;
    private readonly List<SafeFileHandle> _taken = [];
    private Limit _before;

    /// <summary>Begins; the limit is the process's: nothing else may run in it.</summary>
    public static NoDescriptors Begin()
    {
        // What is not reachable any more would give its descriptors back in the middle.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        FillPool();
        var none = new NoDescriptors();
        Assert.Equal(0, GetLimit(OpenFiles, out none._before));
        ulong highest = Directory.GetFileSystemEntries("/proc/self/fd").Max(path => ulong.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
        Limit lowered = none._before with { Soft = highest + 1 };
        Assert.Equal(0, SetLimit(OpenFiles, in lowered));
        none.TakeFreed();
        return none;
    }

    /// <summary>Takes what has become free since.</summary>
    /// <returns>How many.</returns>
    public int TakeFreed()
    {
        int before = _taken.Count;
        try
        {
            while (true)
            {
                _taken.Add(File.OpenHandle("/dev/null"));
            }
        }
        catch (IOException)
        {
            return _taken.Count - before;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _taken.ForEach(handle => handle.Dispose());
        _taken.Clear();
        Assert.Equal(0, SetLimit(OpenFiles, in _before));
    }

    /// <summary>The process ends when its pool cannot start a thread, which takes descriptors: what runs beside the test, as its runner does, finds some that are idle.</summary>
    private static void FillPool()
    {
        var met = new CountdownEvent(IdleThreads);
        ThreadPool.GetMinThreads(out int workers, out int completions);
        Assert.True(ThreadPool.SetMinThreads(workers + IdleThreads, completions));
        for (int i = 0; i < IdleThreads; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(Meet, met, preferLocal: false);
        }

        met.Wait();
        Assert.True(ThreadPool.SetMinThreads(workers, completions));

        static void Meet(CountdownEvent met)
        {
            met.Signal();
            met.Wait();
        }
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    private record struct Limit(ulong Soft, ulong Hard);
}
