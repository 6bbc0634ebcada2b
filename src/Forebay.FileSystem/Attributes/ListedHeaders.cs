using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// Asks for headers of files, and of the markers of directories, that a listing is about to show with their attributes, as many at once as the mount point asks its source: a few while it
/// is not known whether the source keeps attributes there, and all once it is known that it does. Thread-safe.
/// </summary>
/// <remarks>Never what a listing depends on: after <see cref="Patience"/> or a failure it is shown without, and nothing is asked for a while.</remarks>
internal sealed class ListedHeaders(IFileMountPoint mount, AttributeRule rule, DirectoryMarkers markers, TimeProvider time)
{
    /// <summary>Files asked for at a time; about what one answer to the kernel holds.</summary>
    private const int MostAtOnce = 128;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);
    private long _restUntil = long.MinValue;

    /// <summary>True when <see cref="BringAsync"/> would ask for something. The stream's turn is the caller's.</summary>
    internal bool AreWanted(DirectoryStream stream)
        => (rule.IsLearning || rule.ListingsLack) && time.GetTimestamp() >= Volatile.Read(ref _restUntil) && stream.HasEntry && !AreKnown(stream);

    /// <summary>Asks for the headers of the next files of a directory. Throws only when the caller has no patience any more.</summary>
    /// <param name="stream">Its turn is the caller's.</param>
    /// <param name="cancellationToken">The caller's.</param>
    internal async Task BringAsync(DirectoryStream stream, CancellationToken cancellationToken)
    {
        int most = rule.IsLearning ? AttributeRule.Samples : MostAtOnce;
        using RequestDeadline deadline = new(Patience, grace: TimeSpan.Zero, time, cancellationToken);
        List<Task<ResolvedName>> asked = [];
        List<Task> askedMarkers = [];
        string? firstAsked = null;
        for (int i = stream.Index; asked.Count + askedMarkers.Count < most && (i = NextUnknown(stream, i, i + MostAtOnce)) >= 0; i++)
        {
            if (stream.Entries[i].IsPrefix)
            {
                askedMarkers.Add(markers.BringAsync(stream.Entries[i].Name, cancellationToken));
                continue;
            }

            firstAsked ??= stream.Entries[i].Name;
            asked.Add(mount.ResolveAsync(stream.Entries[i].Name, NameDetail.Headers, requestId: null, deadline.Token).AsTask());
        }

        try
        {
            foreach (ResolvedName answer in await Task.WhenAll(asked))
            {
                if (answer.Object is { } stat)
                {
                    _ = rule.Read(stat, out _);
                }
            }

            await Task.WhenAll(askedMarkers);
            if (firstAsked is not null && !mount.TryResolve(firstAsked, NameDetail.Headers, out _))
            {
                // They are not kept (or not told): asking again for each answer would only cost.
                StartRest();
            }
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it was, a look-up of the name meets it again and reports it.
            StartRest();
        }
    }

    private void StartRest() => Volatile.Write(ref _restUntil, time.After(Rest));

    /// <summary>True when the files are known that the next answer may hold. Those that were found known for the answer before are not looked up again.</summary>
    private bool AreKnown(DirectoryStream stream)
    {
        int until = Math.Min(stream.Entries.Count, stream.Index + MostAtOnce);
        int unknown = NextUnknown(stream, Math.Max(stream.Index, stream.KnownUntil), until);
        stream.KnownUntil = unknown < 0 ? until : unknown;
        return unknown < 0;
    }

    private int NextUnknown(DirectoryStream stream, int from, int until)
    {
        IReadOnlyList<ListEntry> entries = stream.Entries;
        for (int i = from; i < Math.Min(entries.Count, until); i++)
        {
            if (entries[i].IsPrefix ? markers.IsWanted(entries[i].Name) : entries[i].Stat is { Headers: null } && !mount.TryResolve(entries[i].Name, NameDetail.Headers, out _))
            {
                return i;
            }
        }

        return -1;
    }
}
