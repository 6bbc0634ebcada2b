using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Forebay.Testing;

/// <summary>Waits for what another process or thread does in its own time.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    /// <summary>Fails when the condition does not come true in time.</summary>
    /// <param name="what">What it waits for, for the message.</param>
    /// <param name="condition">Asked again and again.</param>
    /// <param name="within">10 s when not given.</param>
    /// <param name="log">What else is told of the failure.</param>
    public static Task TrueAsync(string what, Func<bool> condition, TimeSpan? within = null, Func<string>? log = null) => TrueAsync(what, () => Task.FromResult(condition()), within, log);

    /// <summary>As above, for conditions that must ask.</summary>
    public static async Task TrueAsync(string what, Func<Task<bool>> condition, TimeSpan? within = null, Func<string>? log = null)
    {
        TimeSpan limit = within ?? TimeSpan.FromSeconds(10);
        long started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < limit, $"not within {limit.TotalSeconds} s: {what}\n{log?.Invoke()}");
            await Task.Delay(Interval);
        }
    }

    /// <summary>Waits until a process waits for the answer of a FUSE file system, as the kernel says.</summary>
    public static Task WaitsForFuseAsync(Process process)
        => TrueAsync(
            $"process {process.Id} waits for its file system",
            () => process.HasExited
                ? throw new InvalidOperationException($"process {process.Id} ended without waiting")
                : File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/wchan")) == "request_wait_answer");

    /// <summary>Waits until a process has called read(2) so many times more: a worker of a mount was asked as often by then.</summary>
    /// <param name="process">Its id; one that is gone is not waited for.</param>
    /// <param name="calls">How many.</param>
    /// <param name="orUntil">Ends the waiting too.</param>
    public static Task ReadsMoreAsync(int process, long calls, Func<bool> orUntil)
    {
        long? before = ReadCallsOf(process);
        return TrueAsync($"process {process} is asked {calls} times", () => orUntil() || ReadCallsOf(process) is not { } now || now - before >= calls, TimeSpan.FromSeconds(30));
    }

    private static long? ReadCallsOf(int process)
    {
        const string Name = "syscr: ";
        try
        {
            string line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/io")).First(line => line.StartsWith(Name, StringComparison.Ordinal));
            return long.Parse(line.AsSpan(Name.Length), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
