using System.Text;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <content>Directories.</content>
public sealed partial class MountedFileSystem
{
    /// <inheritdoc/>
    public override void OpenDirectory(FuseRequest request, in FuseOpenIn arguments)
    {
        ulong nodeId = request.NodeId;
        if (!_table.TryGet(nodeId, out InodeView view))
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        if (view.Kind != InodeKind.Directory)
        {
            request.ReplyError(Errno.ENOTDIR);
            return;
        }

        if (!(request.IsRepeated && _table.TryFindRepeated(request.Unique, nodeId, out ulong handle))
            && !_table.TryOpen(nodeId, isDirectory: true, OpenMode.None, request.Unique, out handle, out _))
        {
            request.ReplyError(Errno.ENOMEM);
            return;
        }

        // Without KeepCache the kernel drops what it has of the listing at this open.
        FuseOpenFlags flags = !_options.CacheDirectories ? FuseOpenFlags.None
            : _streams.IsListed(nodeId) ? FuseOpenFlags.CacheDirectory | FuseOpenFlags.KeepCache
            : FuseOpenFlags.CacheDirectory;
        request.ReplyOpen(new FuseOpenOut { Handle = handle, Flags = (uint)flags });
    }

    /// <inheritdoc/>
    public override void ReadDirectory(FuseRequest request, in FuseReadIn arguments) => StartReading(request, arguments, isPlus: false);

    /// <inheritdoc/>
    public override void ReadDirectoryPlus(FuseRequest request, in FuseReadIn arguments) => StartReading(request, arguments, isPlus: true);

    /// <inheritdoc/>
    public override void ReleaseDirectory(FuseRequest request, in FuseReleaseIn arguments)
    {
        _streams.Close(arguments.Handle);
        _table.Close(arguments.Handle, out _, out _);
        request.ReplyEmpty();
    }

    private void StartReading(FuseRequest request, in FuseReadIn arguments, bool isPlus)
    {
        if (_streams.Find(arguments.Handle) is not { } stream)
        {
            request.ReplyError(Errno.EBADF);
            return;
        }

        var reading = new DirectoryReading(request.NodeId, arguments.Handle, arguments.Offset, arguments.Size, isPlus);
        if (stream.Turn.Wait(0))
        {
            bool isAnswered = false;
            try
            {
                // What is in memory is answered at once, on this thread.
                if (SeekKnown(stream, reading.Cookie))
                {
                    SkipUnshown(stream);
                    isAnswered = (stream.HasEntry || stream.IsAtEnd) && !(isPlus && _headers.AreWanted(stream));
                }

                if (isAnswered)
                {
                    Answer(request, stream, reading);
                }
            }
            finally
            {
                _streams.EndTurn(stream);
            }

            if (isAnswered)
            {
                return;
            }
        }

        _ = ReadDirectoryColdAsync(request, stream, reading);
    }

    private async Task ReadDirectoryColdAsync(FuseRequest request, DirectoryStream stream, DirectoryReading reading)
    {
        try
        {
            using RequestDeadline deadline = Deadline(request);
            await stream.Turn.WaitAsync(deadline.Token);
            try
            {
                if (!SeekKnown(stream, reading.Cookie))
                {
                    await SeekAsync(stream, reading, deadline.Token);
                }

                do
                {
                    await stream.FillAsync(deadline.Token);
                    SkipUnshown(stream);
                }
                while (!stream.HasEntry && !stream.IsAtEnd);

                // Twice: what the first files say may make the rest worth asking.
                for (int i = 0; i < 2 && reading.IsPlus && _headers.AreWanted(stream); i++)
                {
                    await _headers.BringAsync(stream, deadline.Token);
                }

                Answer(request, stream, reading);
            }
            finally
            {
                _streams.EndTurn(stream);
            }
        }
        catch (Exception error)
        {
            Fail(request, "readdir", stream.Prefix, error);
        }
    }

    private static bool SeekKnown(DirectoryStream stream, ulong cookie)
    {
        if (cookie != 0)
        {
            return stream.TrySeek(cookie);
        }

        stream.Rewind();
        return true;
    }

    /// <summary>Finds a place that is in no page in memory: after a restart by the name in the inode table, else from the beginning.</summary>
    private async ValueTask SeekAsync(DirectoryStream stream, DirectoryReading reading, CancellationToken cancellationToken)
    {
        if (reading.Cookie <= DirectoryStream.AfterParent)
        {
            stream.Rewind();
            return;
        }

        if (_table.PositionOf(reading.Handle, out ulong known) is { } name && known == reading.Cookie)
        {
            stream.SeekBehind(Encoding.UTF8.GetString(name), reading.Cookie);
            return;
        }

        await stream.SearchAsync(reading.Cookie, cancellationToken);
    }

    /// <summary>Packs entries from the place on. The caller has the stream's turn.</summary>
    private void Answer(FuseRequest request, DirectoryStream stream, in DirectoryReading reading)
    {
        FuseDirectoryWriter writer = request.StartDirectory(reading.Size);
        ulong last = 0;
        string? lastName = null;
        try
        {
            if (AddDots(ref writer, reading))
            {
                int used = writer.UsedBytes;
                while (stream.HasEntry && TryAdd(request, ref writer, stream, reading))
                {
                    if (writer.UsedBytes > used)
                    {
                        used = writer.UsedBytes;
                        last = stream.NextCookie;
                        lastName = stream.Entry.Name;
                    }

                    stream.MoveNext();
                }
            }
        }
        catch
        {
            writer.Abandon(Errno.EIO);
            throw;
        }

        if (lastName is not null)
        {
            KeepPosition(reading.Handle, last, lastName);
        }

        if (stream.IsReadWhole)
        {
            _streams.OnReadWhole(stream);
        }

        writer.Reply();
    }

    private void KeepPosition(ulong handle, ulong cookie, string name)
    {
        Span<byte> utf8 = stackalloc byte[NameRules.MostKeyBytes * 3];
        if (Encoding.UTF8.TryGetBytes(name, utf8, out int length))
        {
            _table.SetPosition(handle, cookie, utf8[..length]);
        }
    }

    /// <summary>Adds the entries that every directory has; false when there is no room for them.</summary>
    private bool AddDots(ref FuseDirectoryWriter writer, in DirectoryReading reading)
    {
        if (reading.Cookie >= DirectoryStream.AfterParent || !_table.TryGet(reading.NodeId, out InodeView self))
        {
            return true;
        }

        _ = _table.TryGet(self.Parent == 0 ? InodeTable.Root : self.Parent, out InodeView parent);
        return (reading.Cookie >= DirectoryStream.AfterSelf || AddDot(ref writer, "."u8, self, reading.IsPlus, DirectoryStream.AfterSelf))
            && AddDot(ref writer, ".."u8, parent, reading.IsPlus, DirectoryStream.AfterParent);
    }

    private bool AddDot(ref FuseDirectoryWriter writer, ReadOnlySpan<byte> name, in InodeView view, bool isPlus, ulong cookie)
        => isPlus
            ? writer.TryAddPlus(name, new FuseEntryOut { Attr = _attributes.Of(view) }, cookie)
            : writer.TryAdd(name, view.Inode, FuseMode.Directory, cookie);

    /// <summary>Adds the entry at the place, or passes over one that is not shown; false when there is no room for it.</summary>
    private bool TryAdd(FuseRequest request, ref FuseDirectoryWriter writer, DirectoryStream stream, in DirectoryReading reading)
    {
        ReadOnlySpan<byte> name = NameOfEntry(stream);
        if (name.IsEmpty)
        {
            return true;
        }

        return reading.IsPlus
            ? AddPlus(request, ref writer, stream, reading, name)
            : _table.TryGet(reading.NodeId, out InodeView directory)
                && writer.TryAdd(name, InodeTable.HashOf(directory.Inode, name), stream.Entry.IsPrefix ? FuseMode.Directory : TypeOf(reading.NodeId, name), stream.NextCookie);
    }

    /// <summary>Passes over entries that are not shown, so that an answer without names means the end.</summary>
    private void SkipUnshown(DirectoryStream stream)
    {
        while (stream.HasEntry && NameOfEntry(stream).IsEmpty)
        {
            stream.MoveNext();
        }
    }

    /// <summary>The name of the entry at the place; empty when it is not shown, which is counted.</summary>
    private ReadOnlySpan<byte> NameOfEntry(DirectoryStream stream)
    {
        ListEntry entry = stream.Entry;
        ReadOnlySpan<char> text = NameRules.NameIn(entry.Name, stream.Prefix.Length, entry.IsPrefix);
        if (text.IsEmpty && !entry.IsPrefix)
        {
            // The marker of this directory.
            return default;
        }

        int length = NameRules.Encode(text, stream.NameBuffer);
        if (length == 0)
        {
            if (stream.IsFirstLook)
            {
                _streams.CountUnshowable(_logger, entry.Name);
            }

            return default;
        }

        if (!entry.IsPrefix && IsHidden(stream, entry.Name))
        {
            if (stream.IsFirstLook)
            {
                _streams.CountHidden(_logger, entry.Name);
            }

            return default;
        }

        return stream.NameBuffer.AsSpan(0, length);
    }

    private uint TypeOf(ulong parent, ReadOnlySpan<byte> name)
        => _table.TryGet(_table.Peek(parent, name), out InodeView view) && view.Kind == InodeKind.SymbolicLink ? FuseMode.SymbolicLink : FuseMode.File;

    private bool AddPlus(FuseRequest request, ref FuseDirectoryWriter writer, DirectoryStream stream, in DirectoryReading reading, ReadOnlySpan<byte> name)
    {
        // Before it is looked up: what does not fit must not be counted.
        const int FixedBytes = 128 + 24;
        if (((FixedBytes + name.Length + 7) & ~7) > (long)reading.Size - writer.UsedBytes)
        {
            return false;
        }

        ListEntry entry = stream.Entry;
        ObjectStat? stat = entry.Stat;
        TimeSpan freshFor = stream.FreshFor;
        if (freshFor > TimeSpan.Zero && stat is not null && _rule.ListingsLack)
        {
            bool isKnown = _mount.TryResolve(entry.Name, NameDetail.Headers, out ResolvedName answer) && answer.Object is not null;
            stat = isKnown ? answer.Object : stat;
            freshFor = isKnown ? Least(freshFor, answer.FreshFor) : TimeSpan.Zero;
        }

        Shown shown;
        if (stat is not null)
        {
            shown = ShowObject(stat);
        }
        else if (!TryShowDirectory(entry.Name, out shown))
        {
            freshFor = TimeSpan.Zero;
        }

        // Of a page that is not believed any more an entry may be older than the inode that is known by its name.
        FuseEntryOut item;
        if (freshFor > TimeSpan.Zero && TryLookUp(request, reading.NodeId, name, shown, out InodeView view))
        {
            item = EntryOf(view, freshFor, shown.FreshFor);
        }
        else
        {
            // The name only: the kernel looks it up when somebody asks for it.
            _ = _table.TryGet(reading.NodeId, out InodeView directory);
            item = new FuseEntryOut { Attr = _attributes.Make(shown.Kind, InodeTable.HashOf(directory.Inode, name), stat?.Length ?? 0, shown.Attributes) };
        }

        return writer.TryAddPlus(name, item, stream.NextCookie);
    }

    /// <summary>An object that a directory of the same name hides; that directory is listed behind all names that begin with the object's and go on with
    /// a character before the slash.</summary>
    private bool IsHidden(DirectoryStream stream, string key)
    {
        IReadOnlyList<ListEntry> entries = stream.Entries;
        for (int i = stream.Index + 1; i < entries.Count; i++)
        {
            string next = entries[i].Name;
            if (!next.StartsWith(key, StringComparison.Ordinal) || next[key.Length] > '/')
            {
                return false;
            }

            if (next[key.Length] == '/')
            {
                return true;
            }
        }

        return stream.IsTruncated && _mount.TryResolve(key, NameDetail.Listed, out ResolvedName answer) && answer.IsDirectory;
    }

    /// <summary>One request for names.</summary>
    private readonly record struct DirectoryReading(ulong NodeId, ulong Handle, ulong Cookie, uint Size, bool IsPlus);
}
