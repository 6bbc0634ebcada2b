using System.Globalization;
using System.Text;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>Walks the entries of a block in order. Stands before the first entry until <see cref="MoveNext"/> or <see cref="Seek"/>.</summary>
internal ref struct PackedCursor
{
    // A linear step costs a tenth of a seek; names just ahead are common when a delimiter groups few keys each.
    private const int StepsBeforeSeek = 4;

    private readonly PackedEntries _entries;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly Span<byte> _name;
    private int _next;
    private int _index;
    private int _nameLength;
    private int _etagAt;
    private int _etagLength;
    private int _parts;
    private int _tokenAt;
    private int _tokenLength;
    private long _time;

    /// <summary>Creates a cursor.</summary>
    /// <param name="entries">The block.</param>
    /// <param name="scratch">Caller-owned, at least <see cref="PackedEntries.LongestName"/> bytes, of the cursor until it is dropped.</param>
    public PackedCursor(PackedEntries entries, Span<byte> scratch)
    {
        _entries = entries;
        _bytes = entries.Bytes;
        _name = scratch;
        _index = -1;
    }

    /// <summary>Name of the current entry in UTF-8; valid until the cursor moves.</summary>
    public readonly ReadOnlySpan<byte> Name => _name[.._nameLength];

    /// <summary>How the current entry is stored.</summary>
    public PackedFlags Flags { get; private set; }

    /// <summary>Length of the object in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>When the object was last changed.</summary>
    public readonly DateTimeOffset LastModified
        => (Flags & PackedFlags.Ticks) != PackedFlags.None
            ? new DateTimeOffset(DateTimeOffset.UnixEpoch.Ticks + (_entries.BaseSeconds * TimeSpan.TicksPerSecond) + _time, TimeSpan.Zero)
            : new DateTimeOffset(DateTimeOffset.UnixEpoch.Ticks + ((_entries.BaseSeconds + _time) * TimeSpan.TicksPerSecond), TimeSpan.Zero);

    /// <summary>Moves to the next entry; false behind the last.</summary>
    public bool MoveNext()
    {
        if (++_index >= _entries.Count)
        {
            _index = _entries.Count;
            return false;
        }

        int at = _next;
        Flags = (PackedFlags)_bytes[at++];
        int shared = (int)ReadVarint(ref at);
        int suffix = (int)ReadVarint(ref at);
        _bytes.Slice(at, suffix).CopyTo(_name[shared..]);
        _nameLength = shared + suffix;
        at += suffix;
        if ((Flags & PackedFlags.Prefix) == PackedFlags.None)
        {
            Length = (long)ReadVarint(ref at);
            ulong zigzag = ReadVarint(ref at);
            _time = (long)(zigzag >> 1) ^ -(long)(zigzag & 1);
            ReadTags(ref at);
        }

        _next = at;
        return true;
    }

    /// <summary>Moves forward to the first entry at or behind <paramref name="position"/>; false when there is none.</summary>
    public bool Seek(ReadOnlySpan<byte> position)
    {
        if (_index >= 0)
        {
            for (int step = 0; step < StepsBeforeSeek; step++)
            {
                if (_index >= _entries.Count || Name.SequenceCompareTo(position) >= 0)
                {
                    return _index < _entries.Count;
                }

                MoveNext();
            }
        }

        int low = Math.Max(_index, 0) / PackedEntries.RestartInterval;
        int high = _entries.Restarts.Length - 1;
        int found = -1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (NameAtRestart(middle).SequenceCompareTo(position) <= 0)
            {
                found = middle;
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        if (found >= 0 && found * PackedEntries.RestartInterval > _index)
        {
            _next = _entries.Restarts[found];
            _index = (found * PackedEntries.RestartInterval) - 1;
            MoveNext();
        }
        else if (_index < 0)
        {
            MoveNext();
        }

        while (_index < _entries.Count && Name.SequenceCompareTo(position) < 0)
        {
            MoveNext();
        }

        return _index < _entries.Count;
    }

    /// <summary>The current object without headers.</summary>
    /// <param name="key">Its key as the caller wants to see it.</param>
    public readonly ObjectStat ToStat(string key)
    {
        string etag = ReadETag();
        string token = (Flags & PackedFlags.OwnToken) == PackedFlags.None ? etag : Encoding.UTF8.GetString(_bytes.Slice(_tokenAt, _tokenLength));
        return new ObjectStat(key, Length, new VersionToken(token), LastModified) { ETag = etag };
    }

    /// <summary>The current name as a string, without its first bytes.</summary>
    /// <param name="cut">Bytes to leave out; a boundary between characters.</param>
    public readonly string ToName(int cut) => ToText(Name[cut..]);

    /// <summary>Part of a name as a string.</summary>
    public readonly string ToText(ReadOnlySpan<byte> utf8)
        => _entries.IsAscii ? Encoding.Latin1.GetString(utf8) : Encoding.UTF8.GetString(utf8);

    private readonly string ReadETag()
    {
        ReadOnlySpan<byte> raw = _bytes.Slice(_etagAt, _etagLength);
        if ((Flags & PackedFlags.HexETag) == PackedFlags.None)
        {
            return Encoding.UTF8.GetString(raw);
        }

        Span<char> text = stackalloc char[48];
        text[0] = '"';
        Convert.TryToHexStringLower(raw, text[1..], out int written);
        written++;
        if (_parts > 0)
        {
            text[written++] = '-';
            _parts.TryFormat(text[written..], out int digits, default, CultureInfo.InvariantCulture);
            written += digits;
        }

        text[written++] = '"';
        return new string(text[..written]);
    }

    private void ReadTags(ref int at)
    {
        _parts = 0;
        if ((Flags & PackedFlags.HexETag) != PackedFlags.None)
        {
            _etagAt = at;
            _etagLength = 16;
            at += 16;
            if ((Flags & PackedFlags.Parts) != PackedFlags.None)
            {
                _parts = (int)ReadVarint(ref at);
            }
        }
        else
        {
            _etagLength = (int)ReadVarint(ref at);
            _etagAt = at;
            at += _etagLength;
        }

        if ((Flags & PackedFlags.OwnToken) != PackedFlags.None)
        {
            _tokenLength = (int)ReadVarint(ref at);
            _tokenAt = at;
            at += _tokenLength;
        }
    }

    private readonly ReadOnlySpan<byte> NameAtRestart(int restart)
    {
        int at = _entries.Restarts[restart] + 1;
        ReadVarint(ref at);
        int length = (int)ReadVarint(ref at);
        return _bytes.Slice(at, length);
    }

    private readonly ulong ReadVarint(ref int at)
    {
        ulong value = _bytes[at++];
        if (value < 0x80)
        {
            return value;
        }

        value &= 0x7F;
        for (int shift = 7; ; shift += 7)
        {
            byte next = _bytes[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
