using System.Text;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <content>Names, attributes, links, extended attributes.</content>
public sealed partial class MountedFileSystem
{
    private const int MostLinkBytes = 4095;
    private static readonly byte[] XattrNames = Encoding.ASCII.GetBytes("user.forebay.etag\0user.forebay.version\0user.forebay.cached\0");

    /// <inheritdoc/>
    public override void Lookup(FuseRequest request, ReadOnlySpan<byte> name)
    {
        ulong parent = request.NodeId;
        if (name.Length > InodeTable.MostNameBytes)
        {
            request.ReplyError(Errno.ENAMETOOLONG);
            return;
        }

        string? directory = _table.PathOf(parent);
        if (directory is null)
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        string? path = NameRules.Join(directory, name);
        if (path is null)
        {
            request.ReplyError(Errno.ENOENT);
            return;
        }

        if (_mount.TryResolve(path, _rule.Lookup, out ResolvedName answer) && TryShow(answer, path, out Shown shown))
        {
            Note(request, AccessSource.Hot, name);
            ReplyResolved(request, parent, name, answer, shown);
            return;
        }

        Note(request, AccessSource.Cold, name);
        _ = LookupColdAsync(request, parent, name.ToArray(), directory, path);
    }

    /// <inheritdoc/>
    public override void Forget(ReadOnlySpan<FuseForgetOne> forgets)
    {
        foreach (ref readonly FuseForgetOne forget in forgets)
        {
            if (_table.Forget(forget.NodeId, forget.Lookups) != 0)
            {
                _backings.Drop(forget.NodeId);
            }
        }
    }

    /// <inheritdoc/>
    public override void GetAttr(FuseRequest request, in FuseGetAttrIn arguments)
    {
        if (!_table.TryGet(request.NodeId, out InodeView view))
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        var reply = new FuseAttrOut { Attr = _attributes.Of(view) };
        reply.SetValidity(AttributeValidity(view));
        request.ReplyAttr(reply);
    }

    /// <inheritdoc/>
    public override void Statx(FuseRequest request, in FuseStatxIn arguments)
    {
        if (!_table.TryGet(request.NodeId, out InodeView view))
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        var reply = new FuseStatxOut { Statx = AttributeWriter.ToStatx(_attributes.Of(view)) };
        reply.SetValidity(AttributeValidity(view));
        request.ReplyStatx(reply);
    }

    /// <inheritdoc/>
    public override void ReadLink(FuseRequest request)
    {
        if (!_table.TryGet(request.NodeId, out InodeView view) || _table.StatOf(request.NodeId) is not { } stat)
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        if (view.Kind != InodeKind.SymbolicLink || stat.Length is 0 or > MostLinkBytes)
        {
            request.ReplyError(Errno.EINVAL);
            return;
        }

        _ = ReadLinkAsync(request, stat);
    }

    /// <inheritdoc/>
    public override void StatFs(FuseRequest request)
    {
        // A bucket has no size; programs that ask whether there is room must not be told that there is none.
        const ulong Blocks = 1UL << 38;
        request.ReplyStatFs(new FuseStatfs
        {
            Blocks = Blocks,
            FreeBlocks = Blocks,
            AvailableBlocks = Blocks,
            Files = (ulong)_table.Capacity,
            FreeFiles = (ulong)(_table.Capacity - _table.Count),
            BlockSize = 1 << 20,
            FragmentSize = 4096,
            NameLength = InodeTable.MostNameBytes,
        });
    }

    /// <inheritdoc/>
    public override void Access(FuseRequest request, uint mask)
    {
        const uint Write = 2;
        if ((mask & Write) != 0)
        {
            request.ReplyError(Errno.EROFS);
            return;
        }

        request.ReplyEmpty();
    }

    /// <inheritdoc/>
    public override void GetXattr(FuseRequest request, ReadOnlySpan<byte> name, uint size)
    {
        ReadOnlySpan<byte> own = name.StartsWith("user.forebay."u8) ? name["user.forebay.".Length..] : default;
        if (own.IsEmpty || _table.StatOf(request.NodeId) is not { } stat)
        {
            request.ReplyError(Errno.ENODATA);
            return;
        }

        string? value = own.SequenceEqual("etag"u8) ? stat.ETag
            : own.SequenceEqual("version"u8) ? stat.Token.Value
            : own.SequenceEqual("cached"u8) ? _mount.CachedBytesOf(stat).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : null;
        if (value is null)
        {
            request.ReplyError(Errno.ENODATA);
            return;
        }

        request.ReplyXattr(Encoding.UTF8.GetBytes(value), size);
    }

    /// <inheritdoc/>
    public override void ListXattr(FuseRequest request, uint size)
        => request.ReplyXattr(_table.TryGet(request.NodeId, out InodeView view) && view.Kind != InodeKind.Directory ? XattrNames : default, size);

    private async Task LookupColdAsync(FuseRequest request, ulong parent, byte[] name, string directory, string path)
    {
        try
        {
            using RequestDeadline deadline = Deadline(request);
            await _surveys.OnMissAsync(directory, deadline.Token);
            ResolvedName answer = await _mount.ResolveAsync(path, _rule.Lookup, requestId: null, deadline.Token);
            if (!TryShow(answer, path, out Shown shown))
            {
                await _markers.BringAsync(path + "/", deadline.Token);
                _ = TryShow(answer, path, out shown);
            }

            ReplyResolved(request, parent, name, answer, shown);
        }
        catch (Exception error)
        {
            Fail(request, "lookup", path, error);
        }
    }

    private void ReplyResolved(FuseRequest request, ulong parent, ReadOnlySpan<byte> name, in ResolvedName answer, in Shown shown)
    {
        if (!answer.Exists)
        {
            ReplyAbsent(request, answer.FreshFor);
            return;
        }

        if (answer is { IsDirectory: true, Object: { } hidden })
        {
            _streams.CountHidden(_logger, hidden.Key);
        }

        if (!TryLookUp(request, parent, name, shown, out InodeView view))
        {
            ReplyNoRoom(request, parent);
            return;
        }

        FuseEntryOut entry = EntryOf(view, answer.FreshFor, shown.FreshFor);
        request.ReplyEntry(entry);
    }

    /// <summary>What a name shows, from what is known.</summary>
    /// <returns>False when a directory's marker should be asked for first.</returns>
    private bool TryShow(in ResolvedName answer, string path, out Shown shown)
    {
        if (answer.IsDirectory)
        {
            return TryShowDirectory(path, out shown);
        }

        shown = answer.Object is { } stat ? ShowObject(stat) : default;
        return true;
    }

    private Shown ShowObject(ObjectStat stat)
    {
        InodeAttributes attributes = _rule.Read(stat, out InodeKind kind);
        return new Shown(stat, kind, attributes, TimeSpan.MaxValue);
    }

    private bool TryShowDirectory(string path, out Shown shown)
    {
        var attributes = new InodeAttributes(InodeAttributes.Unknown, InodeAttributes.Unknown, InodeAttributes.Unknown, _table.CreatedTicks);
        bool isKnown = _markers.TryRead(path, ref attributes, out TimeSpan freshFor);
        shown = new Shown(Stat: null, InodeKind.Directory, attributes, freshFor);
        return isKnown;
    }

    private bool TryLookUp(FuseRequest request, ulong parent, ReadOnlySpan<byte> name, in Shown shown, out InodeView view)
    {
        MakeRoom();
        return _table.TryLookUp(parent, name, shown.Kind, shown.Stat, shown.Attributes, request.Unique, request.IsRepeated, out view);
    }

    /// <summary>What the kernel is told of a name.</summary>
    /// <param name="view">The inode.</param>
    /// <param name="freshFor">How long the name may be believed.</param>
    /// <param name="attributesFreshFor">How long the attributes may, if that is less.</param>
    private FuseEntryOut EntryOf(in InodeView view, TimeSpan freshFor, TimeSpan attributesFreshFor)
    {
        var entry = new FuseEntryOut { NodeId = view.NodeId, Attr = _attributes.Of(view) };
        entry.SetValidity(Least(_options.EntryTimeout, freshFor), Least(_options.AttributeTimeout, Least(freshFor, attributesFreshFor)));
        return entry;
    }

    private void ReplyAbsent(FuseRequest request, TimeSpan freshFor)
    {
        TimeSpan validity = Least(_options.NegativeTimeout, freshFor);
        if (validity <= TimeSpan.Zero)
        {
            request.ReplyError(Errno.ENOENT);
            return;
        }

        var absent = default(FuseEntryOut);
        absent.SetValidity(validity, TimeSpan.Zero);
        NoteAbsent(request);
        request.ReplyEntry(absent);
    }

    private void ReplyNoRoom(FuseRequest request, ulong parent)
    {
        if (!_table.TryGet(parent, out _))
        {
            request.ReplyError(Errno.ESTALE);
            return;
        }

        if (Interlocked.Exchange(ref _toldFull, 1) == 0)
        {
            FileSystemLog.TableFull(_logger, _table.Capacity);
        }

        request.ReplyError(Errno.ENOMEM);
    }

    /// <summary>What an inode shows never changes, but its name may come to mean another: so long as that is surely not so.</summary>
    private TimeSpan AttributeValidity(in InodeView view)
    {
        if (view.NodeId == InodeTable.Root)
        {
            return _options.AttributeTimeout;
        }

        if (view.IsOutdated || _table.PathOf(view.NodeId) is not { } path || !_mount.TryResolve(path, NameDetail.Listed, out ResolvedName answer))
        {
            return TimeSpan.Zero;
        }

        return IsCurrent(view, answer) ? Least(_options.AttributeTimeout, answer.FreshFor) : TimeSpan.Zero;
    }

    private bool IsCurrent(in InodeView view, in ResolvedName answer)
        => view.Kind == InodeKind.Directory
            ? answer.IsDirectory
            : !answer.IsDirectory && answer.Object is { } now && _table.StatOf(view.NodeId) is { } then && now.Token == then.Token && now.Length == then.Length;

    private async Task ReadLinkAsync(FuseRequest request, ObjectStat stat)
    {
        try
        {
            using RequestDeadline deadline = Deadline(request);
            using IFileReader reader = _mount.OpenVersion(stat, requestId: null);
            byte[] target = new byte[stat.Length];
            int count = await reader.ReadAsync(0, target, deadline.Token);
            ReadOnlySpan<byte> text = target.AsSpan(0, count).TrimEnd((byte)0);
            if (text.IsEmpty || text.Contains((byte)0))
            {
                request.ReplyError(Errno.EINVAL);
                return;
            }

            request.ReplyData(text);
        }
        catch (Exception error)
        {
            Fail(request, "readlink", stat.Key, error);
        }
    }

    /// <summary>What a name shows.</summary>
    /// <param name="Stat">The object; null for a directory.</param>
    /// <param name="Kind">What it is.</param>
    /// <param name="Attributes">Of the inode.</param>
    /// <param name="FreshFor">How long the attributes may be believed, if that is less than the name may be.</param>
    private readonly record struct Shown(ObjectStat? Stat, InodeKind Kind, InodeAttributes Attributes, TimeSpan FreshFor);
}
