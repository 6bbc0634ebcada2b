using System.Globalization;
using System.Text.Json;
using Forebay.Admin.Client;
using Forebay.Cli.Verbs;
using Forebay.Fuse;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Top;

/// <summary>What <c>forebay top</c> was told.</summary>
/// <param name="Directories">Mount points to show; all when empty.</param>
/// <param name="Interval">Time between readings.</param>
/// <param name="Once">End after the first table.</param>
/// <param name="Json">One JSON object a line instead of a table.</param>
internal sealed record TopRequest(IReadOnlyList<string> Directories, TimeSpan Interval, bool Once, bool Json);

/// <summary>The work of <c>forebay top</c>: asks the workers of all mounts at the same time, again and again, and shows what happened in between.</summary>
/// <param name="list">The mounts there are; asked before each reading.</param>
/// <param name="connect">A client of a mount's worker.</param>
/// <param name="output">Where tables go.</param>
/// <param name="error">Where sentences go.</param>
/// <param name="terminalLines">Lines of the terminal that is drawn anew; null when there is none.</param>
/// <param name="time">Clock and timers.</param>
internal sealed class TopRunner(
    Func<IReadOnlyList<RegisteredMount>> list, Func<RegisteredMount, AdminClient> connect, TextWriter output, TextWriter error, Func<int>? terminalLines, TimeProvider time) : IDisposable
{
    /// <summary>How long a table waits for the answers of mounts that answered the last time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, WatchedMount> _watched = new(StringComparer.Ordinal);

    /// <summary>Shows tables until it is cancelled, or one; gives the exit code.</summary>
    public async Task<int> RunAsync(TopRequest request, CancellationToken cancellationToken)
    {
        string[] wanted = [.. request.Directories.Select(FuseMount.Resolve)];
        IReadOnlyList<RegisteredMount> mounts = list();
        foreach (string directory in wanted.Except(mounts.Select(mount => mount.Directory), StringComparer.Ordinal))
        {
            await error.WriteLineAsync($"forebay: {HumanText.Safe(directory)} is no mount of this user; 'forebay mount --list' shows them.");
            return ExitCode.NotFound;
        }

        try
        {
            await ReadAsync(wanted, cancellationToken);
            while (true)
            {
                await Task.Delay(request.Interval, time, cancellationToken);
                await ReadAsync(wanted, cancellationToken);
                await ShowAsync(request);
                if (request.Once)
                {
                    return ExitCode.Success;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C is how it is meant to end.
            return request.Once ? VerbExitCode.Interrupted : ExitCode.Success;
        }
    }

    public void Dispose()
    {
        foreach (WatchedMount watched in _watched.Values)
        {
            watched.Dispose();
        }
    }

    /// <summary>One answer of each mount; those that were silent the last time are asked too, but not waited for.</summary>
    private async Task ReadAsync(string[] wanted, CancellationToken cancellationToken)
    {
        List<RegisteredMount> mounts = [.. list().Where(mount => wanted.Length == 0 || wanted.Contains(mount.Directory, StringComparer.Ordinal))];
        foreach (string gone in _watched.Keys.Except(mounts.Select(mount => mount.Id), StringComparer.Ordinal).ToList())
        {
            _watched.Remove(gone, out WatchedMount? watched);
            watched!.Dispose();
        }

        List<Task> answers = [];
        foreach (RegisteredMount mount in mounts)
        {
            if (!_watched.TryGetValue(mount.Id, out WatchedMount? watched))
            {
                watched = new WatchedMount(mount, connect(mount), time);
                _watched.Add(mount.Id, watched);
            }

            watched.Mount = mount;
            Task asking = watched.Ask();
            if (!watched.IsSilent)
            {
                answers.Add(asking);
            }
        }

        if (answers.Count > 0)
        {
            using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(Task.WhenAll(answers), Task.Delay(Patience, time, enough.Token));
            await enough.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }

        foreach (WatchedMount watched in _watched.Values)
        {
            watched.Take();
        }
    }

    private async Task ShowAsync(TopRequest request)
    {
        List<TopRow> rows = [.. _watched.Values.OrderBy(watched => watched.Mount.Directory, StringComparer.Ordinal).Select(TopRow.Of)];
        if (request.Json)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(new TopFrame(time.GetUtcNow(), rows), TopJson.Default.TopFrame));
            await output.FlushAsync();
            return;
        }

        string title = string.Create(CultureInfo.InvariantCulture, $"{HumanText.Time(time.GetUtcNow())}  {HumanText.Count(rows.Count, "mount")}, over {request.Interval.TotalSeconds:0.###} s");
        string text = TopTable.Write(title, rows);
        if (terminalLines is null || request.Once)
        {
            await output.WriteAsync(text + (request.Once ? "" : Environment.NewLine));
        }
        else
        {
            // Home, the lines that fit, each cleared to its end, and nothing below them: no flicker. A terminal that does not know its height says 0.
            int height = terminalLines();
            IEnumerable<string> lines = text.TrimEnd().Split('\n').Take(height > 1 ? height - 1 : int.MaxValue);
            await output.WriteAsync("\x1b[H" + string.Join("\x1b[K\n", lines) + "\x1b[K\n\x1b[J");
        }

        await output.FlushAsync();
    }
}
