using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// Lists a directory when a second name of it is asked for that is not known: its other names cost nothing then. A program that opens files in random
/// order without listing them pays two round trips for a directory instead of one for each file. Thread-safe.
/// </summary>
internal sealed class NameSurveys(IFileMountPoint mount, TimeProvider time)
{
    private const int PageEntries = 1_000;
    private const int MostPages = 10;
    private const int MostDirectories = 10_000;
    private const int TooLarge = int.MinValue;

    /// <summary>Longest wait for a survey, from its beginning: it saves questions, and must not cost an answer where the under-store hangs.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, int> _misses = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (Task Survey, long StartedAt)> _running = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Tells of a name that is not known. Waits for the first page of a survey, but not for long; never fails but by the token.</summary>
    internal async ValueTask OnMissAsync(string directory, CancellationToken cancellationToken)
    {
        if (_misses.Count > MostDirectories)
        {
            _misses.Clear();
        }

        int misses = _misses.AddOrUpdate(directory, 1, static (_, count) => count + 1);
        if (misses < 2)
        {
            return;
        }

        (Task Survey, long StartedAt) running;
        lock (_lock)
        {
            if (!_running.TryGetValue(directory, out running))
            {
                running = (Task.Run(() => StartAsync(directory), CancellationToken.None), time.GetTimestamp());
                _running.Add(directory, running);
            }
        }

        TimeSpan left = Patience - time.GetElapsedTime(running.StartedAt);
        if (left <= TimeSpan.Zero)
        {
            return;
        }

        try
        {
            await running.Survey.WaitAsync(left, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Whoever asks for the name finds out whether it is known otherwise.
        }
    }

    private async Task StartAsync(string directory)
    {
        string prefix = NameRules.PrefixOf(directory);
        DirectoryPage? first = await TryListAsync(prefix, after: null);
        if (first is not { IsTruncated: true })
        {
            End(directory, misses: 0);
            return;
        }

        _ = GoOnAsync(directory, prefix, first);
    }

    private async Task GoOnAsync(string directory, string prefix, DirectoryPage page)
    {
        for (int i = 1; i < MostPages && page is { IsTruncated: true, Entries.Count: > 0 }; i++)
        {
            if (await TryListAsync(prefix, page.Entries[^1].Name) is not { } next)
            {
                End(directory, misses: 0);
                return;
            }

            page = next;
        }

        End(directory, page.IsTruncated ? TooLarge : 0);
    }

    private void End(string directory, int misses)
    {
        _misses[directory] = misses;
        lock (_lock)
        {
            _running.Remove(directory);
        }
    }

    private async Task<DirectoryPage?> TryListAsync(string prefix, string? after)
    {
        try
        {
            return await mount.ListDirectoryAsync(prefix, after, PageEntries, requestId: null, CancellationToken.None);
        }
        catch (ForebayException)
        {
            // Whoever asks for the name meets the failure.
            return null;
        }
    }
}
