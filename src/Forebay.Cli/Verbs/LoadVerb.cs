using System.Globalization;
using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Engine;

namespace Forebay.Cli.Verbs;

/// <summary><c>load</c>: starts, follows, lists and stops loads. The load runs in the node; this only watches.</summary>
internal static class LoadVerb
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);
    private const int PollsPerPlainLine = 10;
    private const int BarWidth = 24;

    public static async Task<int> StartAsync(VerbSession session, LoadBody body, bool wait, CancellationToken cancellationToken)
    {
        LoadStatus load = await session.Client.StartLoadAsync(body, cancellationToken);
        if (wait)
        {
            return await FollowAsync(session, load.Id, cancellationToken);
        }

        await PrintAsync(session, load);
        if (!session.Json)
        {
            await session.Output.WriteLineAsync($"Follow it with 'forebay load --follow {load.Id}', stop it with 'forebay load --cancel {load.Id}'.");
        }

        return ExitCode.Success;
    }

    public static Task<int> FollowAsync(VerbSession session, string id, CancellationToken cancellationToken)
        => OfKnownLoadAsync(session, () => WatchAsync(session, id, cancellationToken));

    private static async Task<int> WatchAsync(VerbSession session, string id, CancellationToken cancellationToken)
    {
        var rate = new ProgressRate(session.Time);
        try
        {
            for (int poll = 0; ; poll++)
            {
                LoadStatus load = await session.Client.GetLoadAsync(id, cancellationToken);
                rate.Add(load.FetchedBytes);
                if (load.State != LoadState.Running)
                {
                    EndProgress(session);
                    await PrintAsync(session, load);
                    return CodeOf(load);
                }

                ShowProgress(session, load, rate, poll);
                await Task.Delay(PollInterval, session.Time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            EndProgress(session);
            await session.Error.WriteLineAsync(
                $"The load goes on in the node: follow it with 'forebay load --follow {id}', stop it with 'forebay load --cancel {id}'.");
            return VerbExitCode.Interrupted;
        }
    }

    public static async Task<int> ListAsync(VerbSession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<LoadStatus> loads = await session.Client.GetLoadsAsync(cancellationToken);
        await session.Output.WriteAsync(session.Json
            ? JsonSerializer.Serialize(loads, AdminJson.Default.IReadOnlyListLoadStatus) + Environment.NewLine
            : HumanText.Table(
                ["<ID", "<STATE", "FILES", "BYTES", "FAILED", "<STARTED", "<PATHS"],
                [.. loads.Select(load => new[]
                {
                    load.Id, Word(load.State), $"{HumanText.Count(load.DoneObjects)}/{HumanText.Count(load.TotalObjects)}",
                    $"{HumanText.Bytes(load.DoneBytes)}/{HumanText.Bytes(load.TotalBytes)}", HumanText.Count(load.FailedObjects), HumanText.Time(load.StartedAt),
                    HumanText.Safe(string.Join(' ', load.Paths)),
                })]));
        return ExitCode.Success;
    }

    public static Task<int> CancelAsync(VerbSession session, string id, CancellationToken cancellationToken) => OfKnownLoadAsync(session, async () =>
    {
        await session.Client.CancelLoadAsync(id, cancellationToken);
        await PrintAsync(session, await session.Client.GetLoadAsync(id, cancellationToken));
        return ExitCode.Success;
    });

    /// <summary>What is missing here is a load, not a path.</summary>
    private static async Task<int> OfKnownLoadAsync(VerbSession session, Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (AdminClientException error) when (error.Kind is "notFound")
        {
            session.Report(error, "See the node's loads with 'forebay load --list'.");
            return ExitCode.NotFound;
        }
    }

    /// <summary>One line of progress without its end.</summary>
    public static string Progress(LoadStatus load, double bytesPerSecond)
    {
        double done = load.TotalBytes > 0 ? Math.Clamp((double)load.DoneBytes / load.TotalBytes, 0, 1) : 0;
        int filled = (int)(done * BarWidth);
        string more = load.ListingComplete ? "" : "+";
        string eta = bytesPerSecond > 0 && load.ListingComplete
            ? HumanText.Duration(TimeSpan.FromSeconds(Math.Min(8_640_000, (load.TotalBytes - load.DoneBytes) / bytesPerSecond)))
            : "--:--";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"[{new string('#', filled)}{new string('-', BarWidth - filled)}] {100 * done,3:0} %  {HumanText.Count(load.DoneObjects)}/{HumanText.Count(load.TotalObjects)}{more} files  {HumanText.Bytes(load.DoneBytes)}/{HumanText.Bytes(load.TotalBytes)}{more}  {HumanText.Bytes(bytesPerSecond)}/s  ETA {eta}");
    }

    private static int CodeOf(LoadStatus load) => load.State switch
    {
        LoadState.Succeeded => ExitCode.Success,
        LoadState.Failed when load.DoneObjects > 0 => ExitCode.Partial,
        _ => ExitCode.Failure,
    };

    private static void ShowProgress(VerbSession session, LoadStatus load, ProgressRate rate, int poll)
    {
        if (session.Interactive)
        {
            session.Error.Write($"\r\u001b[K{Progress(load, rate.BytesPerSecond)}");
            return;
        }

        if (poll % PollsPerPlainLine == 0)
        {
            session.Error.WriteLine(Progress(load, rate.BytesPerSecond));
        }
    }

    private static void EndProgress(VerbSession session)
    {
        if (session.Interactive)
        {
            session.Error.Write("\r\u001b[K");
        }
    }

    private static async Task PrintAsync(VerbSession session, LoadStatus load)
    {
        if (session.Json)
        {
            await session.Output.WriteLineAsync(JsonSerializer.Serialize(load, AdminJson.Default.LoadStatus));
            return;
        }

        await session.Output.WriteLineAsync(
            $"load {load.Id} {Word(load.State)}: {HumanText.Count(load.DoneObjects)} of {HumanText.Count(load.TotalObjects, "file")}, {HumanText.Bytes(load.DoneBytes)} of {HumanText.Bytes(load.TotalBytes)}, {HumanText.Bytes(load.FetchedBytes)} fetched");
        if (load.FailedObjects > 0)
        {
            await session.Error.WriteLineAsync(
                $"forebay: {HumanText.Count(load.FailedObjects, "file")} failed; the last: {HumanText.Safe(load.LastError ?? "unknown")}");
            await session.Error.WriteLineAsync("  Run the same command again: what is cached already is skipped.");
        }
    }

    private static string Word(LoadState state) => state switch
    {
        LoadState.Running => "running",
        LoadState.Succeeded => "succeeded",
        LoadState.Failed => "failed",
        _ => "canceled",
    };

    /// <summary>Rate over the last ten polls, so that it follows changes without jumping.</summary>
    private sealed class ProgressRate(TimeProvider time)
    {
        private readonly Queue<(long At, long Bytes)> _samples = new();

        public double BytesPerSecond { get; private set; }

        public void Add(long bytes)
        {
            long now = time.GetTimestamp();
            if (_samples.Count > 0)
            {
                (long at, long before) = _samples.Peek();
                double seconds = time.GetElapsedTime(at, now).TotalSeconds;
                BytesPerSecond = seconds > 0 ? Math.Max(0, (bytes - before) / seconds) : 0;
            }

            _samples.Enqueue((now, bytes));
            if (_samples.Count > 10)
            {
                _samples.Dequeue();
            }
        }
    }
}
