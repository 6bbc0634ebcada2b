using System.Diagnostics;

namespace Forebay.Robustness;

/// <summary>Waits for what another process does in its own time.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Fails when the condition does not come true in time.</summary>
    public static Task TrueAsync(string what, Func<bool> condition, TimeSpan? within = null) => TrueAsync(what, () => Task.FromResult(condition()), within);

    /// <summary>As above, for conditions that must ask.</summary>
    public static async Task TrueAsync(string what, Func<Task<bool>> condition, TimeSpan? within = null)
    {
        TimeSpan limit = within ?? TimeSpan.FromSeconds(10);
        long started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < limit, $"not within {limit.TotalSeconds} s: {what}");
            await Task.Delay(Interval);
        }
    }
}
