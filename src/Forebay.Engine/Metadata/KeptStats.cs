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
/// nothing more is kept before the file takes writes again.
/// </remarks>
/// <param name="file">Where they are.</param>
/// <param name="mount">Whose they are.</param>
/// <param name="capacity">Most rows.</param>
/// <param name="isCached">Tells whether bytes of a key may be cached: its stat then outlives others.</param>
internal sealed class KeptStats(MetadataFile file, KeptMetadata mount, int capacity, Func<string, bool> isCached) : KeptPart<KeptStats.Changes>
{
    internal const int MostPendingBytes = 4 << 20;
    private const int BytesPerChange = 128;
    private const int MostPrefixes = 64;

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
        lock (Gate)
        {
            // A batch is taken from here only when it is in the file.
            isPending = Pending.TryFind(key, out value) || (Committing is { } committing && committing.TryFind(key, out value));
            epoch = Epoch;
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
        lock (Gate)
        {
            written = MarkOf(Epoch, value);
            if (written == mark)
            {
                return mark;
            }

            if (Pending.IsClosed || Pending.Bytes + value.Length > MostPendingBytes)
            {
                // An older row must not stand for what cannot be written.
                ForgetLocked(stat.Key);
                return 0;
            }

            Pending.Set(stat.Key, value);
        }

        file.Wake();
        return written;
    }

    /// <summary>Forgets one key: it is gone, or something else than was kept.</summary>
    public void Forget(string key)
    {
        lock (Gate)
        {
            ForgetLocked(key);
        }

        file.Wake();
    }

    /// <summary>Forgets all keys that begin with a prefix.</summary>
    public void ForgetBelow(string prefix)
    {
        lock (Gate)
        {
            ForgetBelowLocked(prefix);
        }

        file.Wake();
    }

    protected override void TakeBack(Changes older)
    {
        if (Pending.PutBefore(older, MostPrefixes))
        {
            Epoch++;
        }
    }

    private void ForgetLocked(string key)
    {
        if (Pending.Bytes > MostPendingBytes)
        {
            ForgetBelowLocked("");
            Pending.IsClosed = true;
        }

        Pending.Forget(key);
    }

    private void ForgetBelowLocked(string prefix)
    {
        if (Pending.AddPrefix(prefix, MostPrefixes))
        {
            Epoch++;
        }
    }

    private static long MarkOf(int epoch, byte[] value) => ((long)epoch << 32) | Crc32C.Compute(value);

    /// <summary>Changes in the order: prefixes that are forgotten, then keys.</summary>
    internal sealed class Changes : KeptChanges
    {
        internal Dictionary<string, byte[]?> Ops { get; } = new(StringComparer.Ordinal);

        internal List<string> Prefixes { get; } = [];

        internal long Bytes { get; private set; }

        /// <summary>True when changes were lost for want of room: everything is forgotten then.</summary>
        internal bool IsClosed { get; set; }

        internal override bool IsEmpty => Ops.Count == 0 && Prefixes.Count == 0;

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
