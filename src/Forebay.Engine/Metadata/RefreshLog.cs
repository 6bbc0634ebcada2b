namespace Forebay.Engine.Metadata;

/// <summary>
/// The last refreshes, so that an answer to a question asked before a refresh is not taken for fresh after it. Bounded: what is older
/// than the log is treated as refreshed. Not thread-safe.
/// </summary>
internal sealed class RefreshLog
{
    private const int Capacity = 128;
    private readonly (long Sequence, string Name, bool IsPrefix)[] _ring = new (long, string, bool)[Capacity];
    private long _written;
    private long _forgottenUpTo;

    public void Add(long sequence, string name, bool isPrefix)
    {
        ref (long Sequence, string Name, bool IsPrefix) slot = ref _ring[_written++ % Capacity];
        _forgottenUpTo = slot.Sequence;
        slot = (sequence, name, isPrefix);
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

        for (long i = _written - 1; i >= 0 && i >= _written - Capacity; i--)
        {
            (long at, string name, bool isPrefix) = _ring[i % Capacity];
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
