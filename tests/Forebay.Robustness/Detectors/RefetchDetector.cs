using System.Collections.Concurrent;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness.Detectors;

/// <summary>Judges restarts after kills: a page that a client had in full well before a kill is never asked of the source again. Thread-safe but for <see cref="Kill"/>.</summary>
/// <param name="pageSize">Bytes of a page.</param>
/// <param name="storedAfter">A page that was read this long before a kill must be found after it.</param>
/// <param name="time">Clock.</param>
internal sealed class RefetchDetector(int pageSize, TimeSpan storedAfter, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Key, long Page), long> _readAt = new();
    private readonly HashSet<(string Key, long Page)> _stored = [];
    private readonly List<string> _violations = [];

    /// <summary>Pages that must be found from now on.</summary>
    public int StoredPages => _stored.Count;

    /// <summary>Pages that became so between once and twice the time that is asked for: those that a promise in milliseconds is about.</summary>
    public int JustStoredPages { get; private set; }

    /// <summary>A client has the bytes [from, from + length) of an object.</summary>
    public void Read(string key, long from, long length, long objectLength)
    {
        long now = time.GetTimestamp();
        for (long page = (from + pageSize - 1) / pageSize; page * pageSize < objectLength && Math.Min((page + 1) * pageSize, objectLength) <= from + length; page++)
        {
            _readAt.TryAdd((key, page), now);
        }
    }

    /// <summary>The node was killed at a moment, and this is what the source had sent to it since the kill before.</summary>
    /// <param name="killedAt">By the clock.</param>
    /// <param name="sent">Ranges sent.</param>
    /// <param name="isTimeKept">False when the machine let threads wait: the last second before the kill says nothing about the node then.</param>
    public void Kill(long killedAt, IEnumerable<SentRange> sent, bool isTimeKept = true)
    {
        foreach (SentRange range in sent.Where(range => range.Length > 0))
        {
            for (long page = range.Offset / pageSize; page * pageSize < range.Offset + range.Length; page++)
            {
                if (_stored.Contains((range.Key, page)))
                {
                    _violations.Add($"page {page} of {range.Key} was stored well before a kill and is fetched again (bytes {range.Offset}+{range.Length})");
                }
            }
        }

        TimeSpan least = isTimeKept ? storedAfter : storedAfter + TimeSpan.FromSeconds(1);
        foreach (((string Key, long Page) page, long readAt) in _readAt)
        {
            TimeSpan age = time.GetElapsedTime(readAt, killedAt);
            if (age >= least && _stored.Add(page) && age < 2 * storedAfter)
            {
                JustStoredPages++;
            }
        }

        _readAt.Clear();
    }

    public Finding Judge(int leastPages)
        => _violations.Count > 0 ? new Finding(Verdict.Violation, $"{_violations[0]}; {_violations.Count} pages in all")
            : _stored.Count < leastPages ? new Finding(Verdict.Inconclusive, $"only {_stored.Count} pages were stored long enough before a kill")
            : new Finding(Verdict.Pass, $"{_stored.Count} pages");
}
