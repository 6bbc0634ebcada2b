using Forebay.Admin.Client;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Top;

/// <summary>One mount that is watched: its last two readings, and the question under way. Not thread-safe.</summary>
/// <param name="mount">From the registry.</param>
/// <param name="client">Its worker; owned from here on.</param>
/// <param name="time">Clock.</param>
internal sealed class WatchedMount(RegisteredMount mount, AdminClient client, TimeProvider time) : IDisposable
{
    /// <summary>A question that has had no answer for so long is asked anew, perhaps of another worker.</summary>
    private static readonly TimeSpan LongestQuestion = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _lifetime = new();
    private Task? _asking;
    private MountReading? _answer;
    private MountReading? _before;
    private MountReading? _after;

    /// <summary>As the registry has it now; its processes change.</summary>
    public RegisteredMount Mount { get; set; } = mount;

    /// <summary>It did not answer in time when it was last asked: nobody waits for it until it answers again.</summary>
    public bool IsSilent { get; private set; }

    /// <summary>Figures between the last two answers; null before the second.</summary>
    public MountRates? Rates => _before is { } before && _after is { } after ? MountRates.Between(before, after, time) : null;

    /// <summary>Asks the worker, unless it is still being asked.</summary>
    /// <returns>Completes with the answer, or without one; never fails.</returns>
    public Task Ask() => _asking ??= AskAsync();

    /// <summary>Takes the answer if there is one by now.</summary>
    public void Take()
    {
        if (_asking is not { IsCompleted: true })
        {
            IsSilent = true;
            return;
        }

        _asking = null;
        IsSilent = _answer is null;
        if (_answer is { } reading)
        {
            (_before, _after) = (_after, reading);
        }
    }

    public void Dispose()
    {
        // Not disposed: a question under way may still look at the token.
        _lifetime.Cancel();
        client.Dispose();
    }

    private async Task AskAsync()
    {
        _answer = null;

        // What follows may begin with a connection that is refused at once.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            using CancellationTokenSource limit = new(LongestQuestion, time);
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _lifetime.Token);
            MetricText metrics = MetricText.Parse(await client.GetMetricsAsync(either.Token));
            _answer = MountReading.Of(metrics, time.GetTimestamp());
        }
        catch (Exception e) when (e is AdminClientException or OperationCanceledException or ObjectDisposedException)
        {
            // Silent: the table says so.
        }
    }
}
