using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// One open directory: where its reader is, and the two pages of the listing around that place. Not thread-safe; the kernel reads a handle by one
/// request at a time, and <see cref="Turn"/> makes sure.
/// </summary>
/// <remarks>
/// A cookie names the entry before the place: in its upper half how many entries of the listing came before and with it, in the lower half a hash of its
/// name. So a place is found again where names came or went meanwhile: by the name, and only where that is gone by the count. 1 and 2 are the places
/// behind <c>.</c> and <c>..</c>.
/// </remarks>
internal sealed class DirectoryStream
{
    internal const ulong AfterSelf = 1;
    internal const ulong AfterParent = 2;
    private const int PageEntries = 1_000;
    private const int CountShift = 32;

    /// <summary>An entry with its version, about; and two bytes for each character of its key.</summary>
    private const int EntryBytes = 256;

    private readonly IFileMountPoint _mount;
    private readonly TimeProvider _time;
    private Page? _current;
    private Page? _before;
    private int _index;
    private long _looked;
    private int _forgettings;

    internal DirectoryStream(IFileMountPoint mount, ulong nodeId, string prefix, TimeProvider time)
    {
        _mount = mount;
        _time = time;
        NodeId = nodeId;
        Prefix = prefix;
        Use = new LinkedListNode<DirectoryStream>(this);
    }

    /// <summary>Held while a request is answered. Never disposed: whoever has the answer may close the handle before the turn is given back.</summary>
    internal SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>For the name of one entry.</summary>
    internal byte[] NameBuffer { get; } = new byte[InodeTable.MostNameBytes];

    /// <summary>The directory.</summary>
    internal ulong NodeId { get; }

    /// <summary>What the keys of this directory begin with.</summary>
    internal string Prefix { get; }

    /// <summary>Memory of the pages, about.</summary>
    internal long HeldBytes => (_current?.Bytes ?? 0) + (_before?.Bytes ?? 0);

    /// <summary>Place among all streams; this and the two that follow are <see cref="DirectoryMemory"/>'s.</summary>
    internal LinkedListNode<DirectoryStream> Use { get; }

    internal long CountedBytes { get; set; }

    internal bool IsClosed { get; set; }

    /// <summary>Timestamp until which what was read may be believed, the least of all pages since the beginning; <see cref="long.MaxValue"/> for ever. In the
    /// past also when the engine forgot something of the directory since the first of them was asked for.</summary>
    internal long BelievedUntil => _current is { } page && page.Forgettings == Volatile.Read(ref _forgettings) ? page.BelievedUntil : long.MinValue;

    /// <summary>How long that is from now; zero when it is over.</summary>
    internal TimeSpan FreshFor
    {
        get
        {
            long until = BelievedUntil;
            long now = _time.GetTimestamp();
            return until == long.MaxValue ? TimeSpan.MaxValue : until <= now ? TimeSpan.Zero : _time.GetElapsedTime(now, until);
        }
    }

    /// <summary>True when the stream came from the beginning to its end without a jump.</summary>
    internal bool IsReadWhole { get; private set; }

    /// <summary>True behind the last entry of the listing.</summary>
    internal bool IsAtEnd => _current is { } page && _index >= page.Entries.Count && !page.IsTruncated;

    /// <summary>The entry at the place; call only when <see cref="HasEntry"/>.</summary>
    internal ListEntry Entry => _current!.Entries[_index];

    /// <summary>True when the entry at the place is in memory.</summary>
    internal bool HasEntry => _current is { } page && _index < page.Entries.Count;

    /// <summary>Entries from the place on that are in memory, to look ahead.</summary>
    internal IReadOnlyList<ListEntry> Entries => _current!.Entries;

    /// <summary>Index of the place in <see cref="Entries"/>.</summary>
    internal int Index => _index;

    /// <summary>Index in <see cref="Entries"/> before which the headers of all files from the place on were known; begins anew with each page and jump.</summary>
    internal int KnownUntil { get; set; }

    /// <summary>True when entries follow the last one in memory.</summary>
    internal bool IsTruncated => _current!.IsTruncated;

    /// <summary>The cookie behind the entry at the place.</summary>
    internal ulong NextCookie => CookieOf(_current!.FirstCount + _index + 1, Entry.Name);

    /// <summary>True when the place was not behind this entry before.</summary>
    internal bool IsFirstLook => _current!.FirstCount + _index >= _looked;

    /// <summary>What was read, or is being read, is not believed any more. Needs no turn.</summary>
    internal void Forget() => Interlocked.Increment(ref _forgettings);

    /// <summary>Goes behind the entry at the place.</summary>
    internal void MoveNext()
    {
        _index++;
        _looked = Math.Max(_looked, _current!.FirstCount + _index);
        if (IsAtEnd)
        {
            IsReadWhole = _current!.IsFromStart;
        }
    }

    /// <summary>Goes to the beginning and forgets what was read.</summary>
    internal void Rewind()
    {
        _current = null;
        _before = null;
        GoTo(0);
        _looked = 0;
        IsReadWhole = false;
    }

    /// <summary>Goes to the place of a cookie within the pages in memory.</summary>
    /// <returns>False when it is not there.</returns>
    internal bool TrySeek(ulong cookie)
    {
        if (cookie <= AfterParent)
        {
            if (_current is { FirstCount: 0, IsFromStart: true })
            {
                GoTo(0);
                return true;
            }

            return false;
        }

        if (TrySeek(_current, cookie))
        {
            return true;
        }

        if (!TrySeek(_before, cookie))
        {
            return false;
        }

        _current = _before;
        _before = null;
        return true;
    }

    /// <summary>Goes behind a name, whatever is listed there now.</summary>
    internal void SeekBehind(string name, ulong cookie)
    {
        _before = null;
        _current = new Page([], IsTruncated: true, long.MinValue, Forgettings: 0, CountOf(cookie), name, IsFromStart: false);
        GoTo(0);
    }

    /// <summary>Brings the page at the place into memory; at once when it is known.</summary>
    internal async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        while (!HasEntry && !IsAtEnd)
        {
            Page? last = _current;
            string? after = last is null ? null : last.Entries.Count > 0 ? last.Entries[^1].Name : last.After;
            int forgettings = Volatile.Read(ref _forgettings);
            DirectoryPage next = await _mount.ListDirectoryAsync(Prefix, after, PageEntries, requestId: null, cancellationToken);
            long until = _time.After(next.FreshFor);
            if (last is { IsFromStart: true })
            {
                until = Math.Min(until, last.BelievedUntil);
                forgettings = last.Forgettings;
            }

            _before = last;
            _current = new Page(next.Entries, next.IsTruncated, until, forgettings, (last?.FirstCount + last?.Entries.Count) ?? 0, after, last?.IsFromStart ?? true);
            GoTo(0);
            if (IsAtEnd)
            {
                IsReadWhole = _current.IsFromStart;
            }
        }
    }

    /// <summary>Finds the place of a cookie by reading the listing from its beginning.</summary>
    internal async ValueTask SearchAsync(ulong cookie, CancellationToken cancellationToken)
    {
        Rewind();
        long count = CountOf(cookie);
        string? best = null;
        long distance = long.MaxValue;
        string? atCount = null;
        while (true)
        {
            await FillAsync(cancellationToken);
            if (!HasEntry)
            {
                break;
            }

            long here = _current!.FirstCount + _index + 1;
            long away = Math.Abs(here - count);
            if (here == count)
            {
                atCount = Entry.Name;
            }

            if (CookieOf(count, Entry.Name) == cookie && away < distance)
            {
                best = Entry.Name;
                distance = away;
                if (away == 0)
                {
                    break;
                }
            }

            MoveNext();
        }

        if ((best ?? atCount) is { } name)
        {
            SeekBehind(name, cookie);
        }
    }

    internal static ulong CookieOf(long count, string name)
    {
        uint hash = 2166136261; // FNV-1a
        foreach (char c in name)
        {
            hash = (hash ^ c) * 16777619;
        }

        return ((ulong)count << CountShift) | hash;
    }

    private static long CountOf(ulong cookie) => (long)(cookie >> CountShift);

    private bool TrySeek(Page? page, ulong cookie)
    {
        if (page is null)
        {
            return false;
        }

        long index = CountOf(cookie) - page.FirstCount;
        bool isHere = index == 0 ? page.After is { } after && CookieOf(page.FirstCount, after) == cookie
            : index > 0 && index <= page.Entries.Count && CookieOf(CountOf(cookie), page.Entries[(int)index - 1].Name) == cookie;
        if (isHere && (index != _index || page != _current))
        {
            GoTo((int)index);
        }

        return isHere;
    }

    private void GoTo(int index)
    {
        _index = index;
        KnownUntil = 0;
    }

    /// <summary>A page of the listing.</summary>
    /// <param name="Entries">Names.</param>
    /// <param name="IsTruncated">More follow.</param>
    /// <param name="BelievedUntil">Timestamp until which the pages so far may be believed.</param>
    /// <param name="Forgettings">How often something was forgotten when the first of them was asked for.</param>
    /// <param name="FirstCount">Entries of the listing before this page.</param>
    /// <param name="After">Name before this page; null at the beginning.</param>
    /// <param name="IsFromStart">All pages from the beginning were read.</param>
    private sealed record Page(IReadOnlyList<ListEntry> Entries, bool IsTruncated, long BelievedUntil, int Forgettings, long FirstCount, string? After, bool IsFromStart)
    {
        internal long Bytes { get; } = Entries.Sum(static entry => EntryBytes + (2L * entry.Name.Length));
    }
}
