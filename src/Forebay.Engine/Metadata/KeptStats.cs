using System.Diagnostics.CodeAnalysis;
using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// The stats of one mount point that outlive the process: what its own credentials were told. Changes are noted here and written in batches by the
/// <see cref="MetadataFile"/>; look-ups see them at once. Never throws, never waits for a disk but in <see cref="Find"/>. Thread-safe.
/// </summary>
/// <remarks>
/// Bounds: changes that wait take at most about <see cref="MostPendingBytes"/>. Beyond it everything is forgotten, for what is gone must not come back, and
/// nothing more is kept before the file takes writes again. Lock: <c>_gate</c>, never held while a file is read or written.
/// </remarks>
/// <param name="file">Where they are.</param>
/// <param name="mount">Whose they are.</param>
/// <param name="capacity">Most rows.</param>
/// <param name="isCached">Tells whether bytes of a key may be cached: its stat then outlives others.</param>
internal sealed class KeptStats(MetadataFile file, KeptMetadata mount, int capacity, Func<string, bool> isCached)
{
    internal const int MostPendingBytes = 4 << 20;
    private const int BytesPerChange = 128;
    private const int MostPrefixes = 64;
    private readonly Lock _gate = new();
    private Changes _pending = new();
    private Changes? _committing;
    private int _epoch = 1;

    /// <summary>Most rows.</summary>
    internal int Capacity { get; } = capacity;

    /// <summary>Tells whether bytes of a key may be cached: its stat then outlives others.</summary>
    internal Func<string, bool> IsCached { get; } = isCached;

    /// <summary>Rows written since they were counted; owned by <see cref="MetadataFile"/>.</summary>
    internal int PutsSinceCount { get; set; } = int.MaxValue / 2;

    /// <summary>The stat that was kept of a key, with headers; reads a row from the file, if need be.</summary>
    /// <param name="key">Full key.</param>
    /// <param name="mark">To be given to <see cref="Keep"/>.</param>
    public ObjectStat? Find(string key, out long mark)
    {
        byte[]? value;
        bool isPending;
        int epoch;
        lock (_gate)
        {
            // A batch is taken from here only when it is in the file.
            isPending = _pending.TryFind(key, out value) || (_committing is { } committing && committing.TryFind(key, out value));
            epoch = _epoch;
        }

        if (!isPending)
        {
            value = file.Find(mount, Encoding.UTF8.GetBytes(key));
        }

        mark = value is null ? 0 : MarkOf(epoch, value);
        return value is null ? null : KeptStat.Decode(key, value);
    }

    /// <summary>Keeps a stat with headers.</summary>
    /// <param name="stat">What the under-store told.</param>
    /// <param name="mark">What this method gave for the same key the last time: nothing is written if nothing changed. 0 for none.</param>
    /// <returns>Names what is kept; 0 when it is not.</returns>
    public long Keep(ObjectStat stat, long mark)
    {
        byte[] value = KeptStat.Encode(stat);
        if (value.Length > KeptStat.MaxBytes)
        {
            Forget(stat.Key);
            return 0;
        }

        long written;
        lock (_gate)
        {
            written = MarkOf(_epoch, value);
            if (written == mark)
            {
                return mark;
            }

            if (_pending.IsClosed || _pending.Bytes + value.Length > MostPendingBytes)
            {
                // An older row must not stand for what cannot be written.
                ForgetLocked(stat.Key);
                return 0;
            }

            _pending.Set(stat.Key, value);
        }

        file.Wake();
        return written;
    }

    /// <summary>Forgets one key: it is gone, or something else than was kept.</summary>
    public void Forget(string key)
    {
        lock (_gate)
        {
            ForgetLocked(key);
        }

        file.Wake();
    }

    /// <summary>Forgets all keys that begin with a prefix.</summary>
    public void ForgetBelow(string prefix)
    {
        lock (_gate)
        {
            ForgetBelowLocked(prefix);
        }

        file.Wake();
    }

    /// <summary>Completes when everything noted until now was written, or could not be.</summary>
    public Task WrittenAsync()
    {
        lock (_gate)
        {
            return !_pending.IsEmpty ? _pending.Written.Task : _committing?.Written.Task ?? Task.CompletedTask;
        }
    }

    /// <summary>The changes to write now; null when there are none. Ends with <see cref="EndCommit"/>.</summary>
    internal Changes? BeginCommit()
    {
        lock (_gate)
        {
            if (_pending.IsEmpty)
            {
                return null;
            }

            _committing = _pending;
            _pending = new Changes();
            return _committing;
        }
    }

    /// <summary>What was begun is in the file, or waits again.</summary>
    internal void EndCommit(bool isWritten)
    {
        Changes? ended;
        lock (_gate)
        {
            ended = _committing;
            _committing = null;
            if (ended is not null && !isWritten && _pending.PutBefore(ended, MostPrefixes))
            {
                _epoch++;
            }
        }

        ended?.Written.TrySetResult();
    }

    /// <summary>The file is a new, empty one: marks given before count no more.</summary>
    internal void BeginAnew()
    {
        lock (_gate)
        {
            _epoch++;
        }
    }

    private void ForgetLocked(string key)
    {
        if (_pending.Bytes > MostPendingBytes)
        {
            ForgetBelowLocked("");
            _pending.IsClosed = true;
        }

        _pending.Forget(key);
    }

    private void ForgetBelowLocked(string prefix)
    {
        if (_pending.AddPrefix(prefix, MostPrefixes))
        {
            _epoch++;
        }
    }

    private static long MarkOf(int epoch, byte[] value) => ((long)epoch << 32) | Crc32C.Compute(value);

    /// <summary>Changes in the order: prefixes that are forgotten, then keys.</summary>
    internal sealed class Changes
    {
        internal Dictionary<string, byte[]?> Ops { get; } = new(StringComparer.Ordinal);

        internal List<string> Prefixes { get; } = [];

        internal long Bytes { get; private set; }

        internal TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>True when changes were lost for want of room: everything is forgotten then.</summary>
        internal bool IsClosed { get; set; }

        internal bool IsEmpty => Ops.Count == 0 && Prefixes.Count == 0;

        internal bool TryFind(string key, [MaybeNullWhen(false)] out byte[]? value) => Ops.TryGetValue(key, out value) || Covers(key);

        internal void Set(string key, byte[]? value)
        {
            Remove(key);
            Ops[key] = value;
            Bytes += BytesOf(key, value);
        }

        internal void Forget(string key)
        {
            Remove(key);
            if (!Covers(key))
            {
                Set(key, null);
            }
        }

        /// <returns>True when everything is forgotten.</returns>
        internal bool AddPrefix(string prefix, int most)
        {
            string added = Prefixes.Count < most ? prefix : "";
            foreach (string key in Ops.Keys.Where(key => key.StartsWith(added, StringComparison.Ordinal)).ToList())
            {
                Remove(key);
            }

            if (added.Length == 0)
            {
                Prefixes.Clear();
            }

            if (!Prefixes.Contains(added, StringComparer.Ordinal))
            {
                Prefixes.Add(added);
            }

            return added.Length == 0;
        }

        /// <summary>Adds older changes, as far as these here do not undo them.</summary>
        /// <returns>True when everything is forgotten.</returns>
        internal bool PutBefore(Changes older, int mostPrefixes)
        {
            IsClosed |= older.IsClosed;
            foreach ((string key, byte[]? value) in older.Ops)
            {
                if (!Covers(key) && !Ops.ContainsKey(key))
                {
                    Set(key, value);
                }
            }

            List<string> prefixes = [.. older.Prefixes.Union(Prefixes, StringComparer.Ordinal)];
            Prefixes.Clear();
            if (prefixes.Count <= mostPrefixes)
            {
                Prefixes.AddRange(prefixes);
                return false;
            }

            return AddPrefix("", mostPrefixes);
        }

        private void Remove(string key)
        {
            if (Ops.Remove(key, out byte[]? old))
            {
                Bytes -= BytesOf(key, old);
            }
        }

        private bool Covers(string key)
        {
            foreach (string prefix in Prefixes)
            {
                if (key.StartsWith(prefix, StringComparison.Ordinal))
                {
                    return true;
                }
            }

            return false;
        }

        private static long BytesOf(string key, byte[]? value) => BytesPerChange + (2L * key.Length) + (value?.Length ?? 0);
    }
}
