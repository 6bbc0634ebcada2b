using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace Forebay.Caching;

/// <summary>
/// From hits to the index, behind their readers: a restart, also after a kill, knows what was in use. A hit pushes its entry onto a list,
/// at most once a minute; maintenance writes a bounded number of them each second.
/// </summary>
public sealed partial class Tier
{
    /// <summary>How far the <c>used</c> of a row may lie behind the last use.</summary>
    internal const int SecondsBetweenSavedUses = 60;

    /// <summary>Rows written a second: each may be a page of the index of its own, and this shall stay far below what a disk can do.</summary>
    internal const int MostUsesPerSecond = 512;

    /// <summary>Entries that may wait for it; a use beyond is saved with a later one, or at the end.</summary>
    private const int MostWaitingUses = 1 << 16;

    /// <summary>At the end all uses are written, so long as this does not hold up the end for longer.</summary>
    private const int SecondsForUsesAtClose = 5;

    private readonly Queue<TierEntry> _waitingUses = new();
    private TierEntry? _newestUse;

    /// <summary>Any thread, no lock, no allocation; mostly two reads of fields.</summary>
    private void NoteUse(TierEntry entry)
    {
        bool isNews = entry.UsedAtSeconds - entry.SavedUseSeconds >= SecondsBetweenSavedUses || (entry.HasProvedReuse && !entry.IsSavedAsFrequent);
        if (isNews && entry.TryClaimUse())
        {
            TierEntry? newest = Volatile.Read(ref _newestUse);
            TierEntry? seen;
            while ((seen = Interlocked.CompareExchange(ref _newestUse, entry.LinkUse(newest), newest)) != newest)
            {
                newest = seen;
            }
        }
    }

    /// <summary>Under the commit lock, once a second.</summary>
    private void SaveUses()
    {
        CollectUses();
        if (_waitingUses.Count == 0)
        {
            return;
        }

        List<SavedUse> uses = [];
        lock (_lock)
        {
            while (uses.Count < MostUsesPerSecond && _waitingUses.TryDequeue(out TierEntry? entry))
            {
                // Before its use is read: a later one claims it again.
                entry.EndUseClaim();
                if (_entries.TryGetValue(entry.Id, out TierEntry? current) && ReferenceEquals(current, entry) && !entry.IsIncoming)
                {
                    uses.Add(SavedUse.Of(entry));
                }
            }
        }

        TrySaveUses(CollectionsMarshal.AsSpan(uses));
    }

    private void CollectUses()
    {
        TierEntry? entry = Interlocked.Exchange(ref _newestUse, null);
        while (entry is not null)
        {
            TierEntry? older = entry.OlderUse;
            if (_waitingUses.Count < MostWaitingUses)
            {
                _waitingUses.Enqueue(entry);
            }
            else
            {
                entry.EndUseClaim();
            }

            entry = older;
        }
    }

    private void SaveAllUses()
    {
        List<SavedUse> uses = [];
        lock (_lock)
        {
            foreach (TierEntry entry in _entries.Values)
            {
                if (!entry.IsIncoming && (entry.UsedAtSeconds != entry.SavedUseSeconds || entry.HasProvedReuse != entry.IsSavedAsFrequent))
                {
                    uses.Add(SavedUse.Of(entry));
                }
            }
        }

        // In the order of the table, so that each of its pages is written once.
        uses.Sort((a, b) => (a.Entry.Id.High, a.Entry.Id.Low).CompareTo((b.Entry.Id.High, b.Entry.Id.Low)));
        long end = _time.GetTimestamp() + (_time.TimestampFrequency * SecondsForUsesAtClose);
        lock (_commit)
        {
            for (int done = 0; done < uses.Count && _time.GetTimestamp() < end; done += MostChangesPerCommit)
            {
                if (!TrySaveUses(CollectionsMarshal.AsSpan(uses).Slice(done, Math.Min(MostChangesPerCommit, uses.Count - done))))
                {
                    return;
                }
            }
        }
    }

    private bool TrySaveUses(ReadOnlySpan<SavedUse> uses)
    {
        try
        {
            _index.SaveUses(uses);
        }
        catch (SqliteException e)
        {
            // The next use of each tries again.
            ReportIndexFailure(e);
            return false;
        }

        foreach (SavedUse use in uses)
        {
            use.Entry.SavedUseSeconds = use.UsedAtSeconds;
            use.Entry.IsSavedAsFrequent = use.IsFrequent;
        }

        return true;
    }
}

/// <summary>What the index is to know of the use of an object, whose row it has already.</summary>
internal readonly record struct SavedUse(TierEntry Entry, int UsedAtSeconds, bool IsFrequent)
{
    internal static SavedUse Of(TierEntry entry) => new(entry, entry.UsedAtSeconds, entry.HasProvedReuse);
}
