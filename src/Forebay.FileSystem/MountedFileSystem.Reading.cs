using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <content>Open files.</content>
public sealed partial class MountedFileSystem
{
    private const uint AccessModeMask = 3;
    private const uint Truncate = 0x200;
    private const uint SeekData = 3;
    private const uint SeekHole = 4;

    /// <summary>No open file has this handle.</summary>
    private const ulong SilentHandle = 0;
    private readonly Lock[] _openStripes = [.. Enumerable.Range(0, 64).Select(_ => new Lock())];
    private long _passthroughOpens;
    private long _cachedOpens;
    private long _staleOpens;

    /// <inheritdoc/>
    public override void Open(FuseRequest request, in FuseOpenIn arguments)
    {
        if (_options.SilentOpens)
        {
            // The kernel opens this file, and from now on all, without asking.
            request.ReplyError(Errno.ENOSYS);
            return;
        }

        if ((arguments.Flags & (AccessModeMask | Truncate)) != 0)
        {
            request.ReplyError(Errno.EROFS);
            return;
        }

        ulong nodeId = request.NodeId;
        if (!_table.TryGet(nodeId, out InodeView view) || _table.StatOf(nodeId) is not { } stat)
        {
            request.ReplyError(view.Kind == InodeKind.Directory ? Errno.EISDIR : Errno.ESTALE);
            return;
        }

        if (IsOutdated(view, stat))
        {
            Interlocked.Increment(ref _staleOpens);
            request.ReplyError(Errno.ESTALE);
            return;
        }

        if (MayBeLent(view, stat))
        {
            _ = OpenLentAsync(request, view, stat);
            return;
        }

        Open(request, view, stat, lent: default, wasAsked: false);
    }

    /// <inheritdoc/>
    public override void Read(FuseRequest request, in FuseReadIn arguments)
    {
        ulong nodeId = request.NodeId;
        long offset = (long)arguments.Offset;
        if (BeginRead(nodeId, arguments.Handle) is not { } file)
        {
            request.ReplyError(ErrnoOfNoFile(arguments.Handle));
            return;
        }

        int size = (int)Math.Clamp(file.Stat.Length - offset, 0, arguments.Size);
        if (offset < 0 || size == 0)
        {
            Note(request, AccessSource.Hot, offset, size);
            request.ReplyData(default);
            file.End();
            return;
        }

        IFileReader reader = file.Reader();
        if (reader.TryGetSegment(offset, size, out FileSegment segment))
        {
            Note(request, AccessSource.Hot, offset, size);
            int errno = request.TryReplyFile(segment.File!, segment.Offset, size);
            segment.Dispose();
            if (errno == 0)
            {
                _files.CountHot(size);
                EndRead(nodeId, file, size);
                return;
            }

            reader.ReportUnreadable();
        }

        Note(request, AccessSource.Cold, offset, size);
        _ = ReadColdAsync(request, file, reader, offset, size);
    }

    /// <inheritdoc/>
    public override void Release(FuseRequest request, in FuseReleaseIn arguments)
    {
        _files.Close(arguments.Handle);
        if (_table.TryGetHandle(arguments.Handle, out HandleView view))
        {
            lock (StripeOf(view.NodeId))
            {
                if (_table.Close(arguments.Handle, out ulong nodeId, out _))
                {
                    _backings.OnLastClose(nodeId);
                    if (!_table.TryGet(nodeId, out InodeView left) || left.IsOutdated)
                    {
                        _backings.Drop(nodeId);
                    }
                }
            }
        }

        request.ReplyEmpty();
    }

    /// <inheritdoc/>
    public override void Lseek(FuseRequest request, in FuseLseekIn arguments)
    {
        if (BeginRead(request.NodeId, arguments.Handle) is not { } file)
        {
            request.ReplyError(ErrnoOfNoFile(arguments.Handle));
            return;
        }

        // An object has no holes; those of its cache file are nobody's business.
        ulong length = (ulong)file.Stat.Length;
        file.End();
        if (arguments.Whence is not (SeekData or SeekHole))
        {
            request.ReplyError(Errno.EINVAL);
            return;
        }

        if (arguments.Offset >= length)
        {
            request.ReplyError(Errno.ENXIO);
            return;
        }

        request.ReplyLseek(arguments.Whence == SeekData ? arguments.Offset : length);
    }

    /// <summary>True when the name is known to stand for another version now; the kernel looks it up anew then.</summary>
    private bool IsOutdated(in InodeView view, ObjectStat stat)
    {
        if (view.IsOutdated)
        {
            return true;
        }

        if (!_mount.TryResolve(stat.Key, NameDetail.Listed, out ResolvedName answer) || IsCurrent(view, answer))
        {
            return false;
        }

        _table.SetOutdated(view.NodeId);
        return true;
    }

    /// <summary>True for a file that the kernel could read itself if somebody lent it. That is asked before it is opened: its mode cannot change later.</summary>
    private bool MayBeLent(in InodeView view, ObjectStat stat)
        => _lenders is { IsAvailable: true } && view is { Opens: 0, BackingId: 0 } && _backings.IsAvailable && WantsPassthrough(stat) && _mount.CachedBytesOf(stat) < stat.Length;

    private async Task OpenLentAsync(FuseRequest request, InodeView view, ObjectStat stat)
    {
        try
        {
            using RequestDeadline deadline = Deadline(request);
            FileSegment lent = await _lenders!.BorrowAsync(stat, deadline.Token);
            Open(request, view, stat, lent, wasAsked: true);
        }
        catch (Exception error)
        {
            Fail(request, "open", stat.Key, error);
        }
    }

    private void Open(FuseRequest request, in InodeView view, ObjectStat stat, FileSegment lent, bool wasAsked)
    {
        FuseOpenOut opened;
        try
        {
            if (!TryOpen(request, view, stat, ref lent, wasAsked, out opened))
            {
                request.ReplyError(Errno.ENOMEM);
                return;
            }
        }
        finally
        {
            lent.Dispose();
        }

        _prefetch.OnOpen(stat);
        Note(request, (opened.Flags & (uint)FuseOpenFlags.Passthrough) != 0 ? AccessSource.Passthrough : AccessSource.Worker);
        request.ReplyOpen(opened);
    }

    private bool TryOpen(FuseRequest request, in InodeView view, ObjectStat stat, ref FileSegment lent, bool wasAsked, out FuseOpenOut opened)
    {
        lock (StripeOf(view.NodeId))
        {
            opened = default;
            _ = _table.TryGet(view.NodeId, out InodeView now);
            int backing = 0;
            OpenMode mode = now.Opens > 0 ? now.OpenMode : _options.DirectIo ? OpenMode.Direct : OpenMode.Cached;
            if (now.Opens > 0 ? mode == OpenMode.Passthrough : WantsPassthrough(stat))
            {
                backing = now.Opens > 0 ? now.BackingId : _backings.Open(view.NodeId, stat, ref lent);
                mode = backing != 0 ? OpenMode.Passthrough : mode;
            }

            if (!(request.IsRepeated && _table.TryFindRepeated(request.Unique, view.NodeId, out ulong handle))
                && !_table.TryOpen(view.NodeId, isDirectory: false, mode, request.Unique, out handle, out _))
            {
                if (backing != 0 && now.Opens == 0)
                {
                    _backings.OnLastClose(view.NodeId);
                }

                return false;
            }

            if (mode == OpenMode.Passthrough)
            {
                Interlocked.Increment(ref _passthroughOpens);
            }
            else
            {
                Interlocked.Increment(ref _cachedOpens);
                _files.Add(handle, stat, lent, wasAsked);
                lent = default;
            }

            // Pages of an inode are those of its version for ever, so they always stay. Nothing is ever dirty: no FLUSH at each close.
            FuseOpenFlags flags = FuseOpenFlags.NoFlush | mode switch
            {
                OpenMode.Passthrough => FuseOpenFlags.Passthrough,
                OpenMode.Direct => FuseOpenFlags.DirectIo,
                _ => FuseOpenFlags.KeepCache,
            };
            opened = new FuseOpenOut { Handle = handle, Flags = (uint)flags, BackingId = backing };
            return true;
        }
    }

    /// <summary>Begins a read of an open file, which <see cref="EndRead"/> ends; null when it is none. What the kernel opened without a message has no handle.</summary>
    private OpenFile? BeginRead(ulong nodeId, ulong handle)
        => handle == SilentHandle ? _silent.Begin(nodeId)
            : _files.Find(handle) is { } file && file.TryBegin() ? file
            : null;

    private static int ErrnoOfNoFile(ulong handle) => handle == SilentHandle ? Errno.ESTALE : Errno.EBADF;

    private OpenFile? OpenSilently(ulong nodeId)
    {
        if (_table.StatOf(nodeId) is not { } stat)
        {
            return null;
        }

        _prefetch.OnOpen(stat);
        return new OpenFile(_mount, stat, _lenders);
    }

    /// <summary>Ends a read.</summary>
    /// <param name="nodeId">The inode.</param>
    /// <param name="file">What was read.</param>
    /// <param name="bytes">How much was given; 0 when it failed.</param>
    private void EndRead(ulong nodeId, OpenFile file, int bytes)
    {
        file.End();
        if (_options.SilentOpens && bytes == file.Stat.Length)
        {
            _silent.OnReadWhole(nodeId, file);
        }
    }

    private bool WantsPassthrough(ObjectStat stat)
        => _options is { Passthrough: true, DirectIo: false } && stat.Length > 0 && stat.Length >= _options.PassthroughFromBytes;

    private Lock StripeOf(ulong nodeId) => _openStripes[nodeId % (uint)_openStripes.Length];

    private async Task ReadColdAsync(FuseRequest request, OpenFile file, IFileReader reader, long offset, int size)
    {
        // The session's thread goes back to the device: verifying a page or sending a request takes time.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

        // A request that has been answered must not be looked at any more.
        ulong nodeId = request.NodeId;
        int given = 0;
        try
        {
            if (_lenders is not null)
            {
                using RequestDeadline borrowing = Deadline(request);
                reader = await file.BorrowAsync(borrowing.Token);
            }

            if (reader is not LentReader)
            {
                _prefetch.OnColdRead(file.Stat, _streams.WasListed(nodeId));
            }

            await _files.TakePlaceAsync(_options.RequestTimeout, SignalPatience, _time, request.Renew, request.Token);
            try
            {
                using RequestDeadline deadline = Deadline(request);
                await ReadIntoBufferAsync(request, reader, offset, size, deadline.Token);
                _files.CountCold(size);
                given = size;
            }
            finally
            {
                _files.GivePlaceBack();
            }
        }
        catch (Exception error)
        {
            if (error is ForebayException { Kind: ErrorKind.StaleVersion })
            {
                ForgetVersion(nodeId);
            }

            Fail(request, "read", file.Stat.Key, error);
        }
        finally
        {
            EndRead(nodeId, file, given);
        }
    }

    private static async Task ReadIntoBufferAsync(FuseRequest request, IFileReader reader, long offset, int size, CancellationToken cancellationToken)
    {
        FuseReplyBuffer buffer = request.RentBuffer();
        int count;
        try
        {
            count = await reader.ReadAsync(offset, buffer.Memory[..size], cancellationToken);
            if (count < size)
            {
                throw new ForebayException(ErrorKind.Corrupt, $"only {count} of {size} bytes at {offset} could be read");
            }
        }
        catch
        {
            buffer.Return();
            throw;
        }

        request.ReplyBuffer(buffer, count);
    }
}
