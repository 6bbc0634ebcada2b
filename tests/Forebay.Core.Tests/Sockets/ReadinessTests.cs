using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Forebay.Core.Sockets;
using Forebay.Testing;
using Xunit;

namespace Forebay.Core.Tests.Sockets;

/// <summary>Waits of a thread that gets signals, really: poll(2) ends with EINTR at each of them.</summary>
public sealed partial class ReadinessTests : IDisposable
{
    private const int WindowChanged = 28; // SIGWINCH
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly DescriptorSocket _left;
    private readonly DescriptorSocket _right;
    private readonly PosixSignalRegistration _registration;
    private int _handled;

    public ReadinessTests()
    {
        (_left, _right) = DescriptorSocket.Pair();

        // Without a handler the signal would be ignored, and no wait see it.
        _registration = PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => Interlocked.Increment(ref _handled));
    }

    public void Dispose()
    {
        _registration.Dispose();
        _left.Dispose();
        _right.Dispose();
    }

    [Fact]
    public async Task SignalsDoNotEndTheWaitForWhatIsToCome()
    {
        (Task<bool> waiting, int thread) = await BeginAsync(Patience);
        for (int i = 0; i < 10; i++)
        {
            await SignalAsync(waiting, thread);
        }

        Assert.False(waiting.IsCompleted, "a signal has ended the wait");
        Assert.True(_left.Send("x"u8));

        Assert.True(await waiting.WaitAsync(Patience));
    }

    [Fact]
    public async Task SignalsDoNotPutTheEndOfTheWaitOff()
    {
        TimeSpan timeout = TimeSpan.FromMilliseconds(300);
        long started = Stopwatch.GetTimestamp();
        (Task<bool> waiting, int thread) = await BeginAsync(timeout);
        while (!waiting.IsCompleted && Stopwatch.GetElapsedTime(started) < Patience)
        {
            await SignalAsync(waiting, thread);
        }

        Assert.True(waiting.IsCompleted, "signals have put the end off");
        Assert.False(await waiting);

        // The clock that it is measured by moves in steps.
        Assert.True(Stopwatch.GetElapsedTime(started) > timeout - TimeSpan.FromMilliseconds(50), "a signal has ended the wait");
    }

    /// <summary>Waits in a thread of its own, which is there when this returns.</summary>
    private async Task<(Task<bool> Waiting, int Thread)> BeginAsync(TimeSpan timeout)
    {
        TaskCompletionSource<int> thread = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<bool> waiting = Task.Factory.StartNew(
            () =>
            {
                thread.SetResult(CurrentThread());
                return Readiness.Wait(_right.Handle, timeout);
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return (waiting, await thread.Task);
    }

    /// <summary>Interrupts the thread while it waits; does nothing when it has ended.</summary>
    private async Task SignalAsync(Task<bool> waiting, int thread)
    {
        await Eventually.TrueAsync("the thread waits", () => waiting.IsCompleted || IsAsleep(thread));
        int before = Volatile.Read(ref _handled);
        if (!waiting.IsCompleted && SendSignal(Environment.ProcessId, thread, WindowChanged) == 0)
        {
            await Eventually.TrueAsync("the signal is handled", () => Volatile.Read(ref _handled) > before);
        }
    }

    private static bool IsAsleep(int thread)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{thread}/stat"));
            return stat[stat.LastIndexOf(')') + 2] == 'S';
        }
        catch (IOException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int CurrentThread();

    [LibraryImport("libc", EntryPoint = "tgkill")]
    private static partial int SendSignal(int process, int thread, int signal);
}
