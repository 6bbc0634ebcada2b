namespace Forebay.Engine.Metadata;

/// <summary>
/// The last refreshes, so that an answer to a question asked before a refresh is not taken for fresh after it. Bounded: what is older
/// than the log is treated as refreshed. Not thread-safe.
/// </summary>
internal sealed class RefreshLog
{
    private const int Capacity = 128;
    private readonly List<(long Sequence, string Name, bool IsPrefix)> _log = new(Capacity);
    private long _forgottenUpTo;

    public void Add(long sequence, string name, bool isPrefix)
    {
        // A name that is refreshed again and again must not push the others out: then every question on its way would count as refreshed.
        int known = _log.FindIndex(entry => entry.IsPrefix == isPrefix && string.Equals(entry.Name, name, StringComparison.Ordinal));
        if (known < 0 && _log.Count == Capacity)
        {
            known = 0;
            _forgottenUpTo = _log[0].Sequence;
        }

        if (known >= 0)
        {
            _log.RemoveAt(known);
        }

        _log.Add((sequence, name, isPrefix));
    }

    /// <summary>True when what was asked at <paramref name="sequence"/> about <paramref name="key"/> has been refreshed since.</summary>
    public bool CoversKey(string key, long sequence)
        => Covers(sequence, key, static (name, isPrefix, key)
            => isPrefix ? key.StartsWith(name, StringComparison.Ordinal) : string.Equals(key, name, StringComparison.Ordinal));

    /// <summary>True when something below <paramref name="prefix"/> has been refreshed since <paramref name="sequence"/>.</summary>
    public bool TouchesPrefix(string prefix, long sequence)
        => Covers(sequence, prefix, static (name, isPrefix, prefix)
            => name.StartsWith(prefix, StringComparison.Ordinal) || (isPrefix && prefix.StartsWith(name, StringComparison.Ordinal)));

    private bool Covers(long sequence, string subject, Func<string, bool, string, bool> matches)
    {
        if (sequence < _forgottenUpTo)
        {
            return true;
        }

        for (int i = _log.Count - 1; i >= 0; i--)
        {
            (long at, string name, bool isPrefix) = _log[i];
            if (at < sequence)
            {
                return false;
            }

            if (matches(name, isPrefix, subject))
            {
                return true;
            }
        }

        return false;
    }
}
