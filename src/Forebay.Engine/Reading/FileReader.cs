using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Metadata;

namespace Forebay.Engine.Reading;

/// <summary>Positional reads of one version by many at once, for open files. What is missing is filled; four sequential streams are read ahead for.</summary>
/// <remarks>
/// Lock order: 1. the streams' lock, 2. that of a read-ahead. Hits of a file that is whole take none. An error of the under-store is that of the
/// reads that needed the bytes; the next read tries again.
/// </remarks>
internal sealed class FileReader : IFileReader
{
    private const int KeptInterests = 8;
    private readonly MountPoint _mount;
    private readonly StatEntry _entry;
    private readonly string? _requestId;
    private readonly long _length;
    private readonly Lock _lock = new();
    private readonly ReadStreams _streams;
    private readonly Queue<RangeFill> _interests = new();
    private readonly SemaphoreSlim _passThroughTurn = new(1, 1);
    private CacheFile? _file;
    private PassThrough? _sequential;
    private PassThrough? _random;
    private long _throughEnd = -1;
    private long _missCredit;
    private bool _isDisposed;

    /// <summary>Opens a reader.</summary>
    /// <param name="mount">The mount point.</param>
    /// <param name="entry">A positive entry of the version; headers may be missing.</param>
    /// <param name="file">The version's cache file, or null to serve through.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    internal FileReader(MountPoint mount, StatEntry entry, CacheFile? file, string? requestId)
    {
        _mount = mount;
        _entry = entry;
        _file = file;
        _requestId = requestId;
        _length = entry.Version.Length;
        _streams = new ReadStreams(mount.Fills, mount.FillContext, requestId);
    }

    /// <inheritdoc/>
    public bool TryGetSegment(long offset, long length, out FileSegment segment)
    {
        segment = default;
        CacheFile? file = Volatile.Read(ref _file);
        if (file is null)
        {
            return false;
        }

        long wanted = Math.Min(length, _length - offset);
        if (file.TryGetSegment(offset, wanted, out segment) != SegmentStatus.Hit)
        {
            return false;
        }

        if (segment.Length < wanted)
        {
            segment.Dispose();
            segment = default;
            return false;
        }

        CountServed(wanted);
        if (!file.IsWhole)
        {
            Advance(file, offset, offset + wanted);
        }

        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        int wanted = (int)Math.Max(0, Math.Min(destination.Length, _length - offset));
        if (wanted > 0 && Volatile.Read(ref _file) is { IsWhole: false } file)
        {
            Advance(file, offset, offset + wanted);
        }

        int done = 0;
        while (done < wanted)
        {
            int count = await ReadSomeAsync(offset + done, destination[done..wanted], cancellationToken);
            if (count == 0)
            {
                break;
            }

            done += count;
        }

        return done;
    }

    /// <inheritdoc/>
    public void ReportUnreadable()
    {
        Volatile.Read(ref _file)?.GiveUp();
        UseFile(null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        RangeFill[] left;
        lock (_lock)
        {
            _isDisposed = true;
            left = [.. _interests];
            _interests.Clear();
            _streams.Dispose();
        }

        foreach (RangeFill fill in left)
        {
            fill.Leave();
        }

        _sequential?.Dispose();
        _random?.Dispose();
        _passThroughTurn.Dispose();
    }

    private async ValueTask<int> ReadSomeAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        using (FileSegment segment = await GetSegmentAsync(offset, destination.Length, cancellationToken))
        {
            if (!segment.IsEmpty && TryCopy(segment, destination.Span))
            {
                CountServed(segment.Length);
                return (int)segment.Length;
            }
        }

        return await ReadThroughAsync(offset, destination, cancellationToken);
    }

    private async ValueTask<FileSegment> GetSegmentAsync(long offset, long maxLength, CancellationToken cancellationToken)
    {
        while (Volatile.Read(ref _file) is { } file)
        {
            SegmentStatus status = file.TryGetSegment(offset, maxLength, out FileSegment segment);
            switch (status)
            {
                case SegmentStatus.Hit:
                    return segment;
                case SegmentStatus.Unverified:
                    file.Verify((int)(offset / file.PageSizeBytes));
                    break;
                case SegmentStatus.Detached:
                    UseFile(_mount.FileOf(_entry, create: true));
                    break;
                default:
                    segment = await FillAsync(file, offset, maxLength, cancellationToken);
                    if (!segment.IsEmpty)
                    {
                        return segment;
                    }

                    break;
            }
        }

        return default;
    }

    /// <summary>Waits for the byte at <paramref name="offset"/>; empty when the file must be looked at again.</summary>
    private async ValueTask<FileSegment> FillAsync(CacheFile file, long offset, long maxLength, CancellationToken cancellationToken)
    {
        long end = Math.Min(_length, offset + maxLength);
        RangeFill? fill = _mount.Fills.JoinOrStart(
            _mount.FillContext, file, offset, Math.Min(end, offset + _mount.FillContext.Options.MaxRangeBytes), _requestId, out bool isNew);
        if (fill is null)
        {
            return default;
        }

        if (isNew)
        {
            Interlocked.Add(ref _missCredit, fill.Range.Length);
        }

        try
        {
            await fill.WaitAsync(offset, cancellationToken);
            return fill.SegmentOf(offset, maxLength);
        }
        catch (ForebayException e) when (e.Kind is ErrorKind.StaleVersion or ErrorKind.NotFound)
        {
            throw Overwritten(e);
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.NoSpace)
        {
            if (file.TryAcquire(out _))
            {
                file.Release();
                UseFile(null);
            }

            return default;
        }
        finally
        {
            // Not before: others may push it out while it is waited for.
            KeepInterest(fill);
        }
    }

    private async ValueTask<int> ReadThroughAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        await _passThroughTurn.WaitAsync(cancellationToken);
        try
        {
            // Reads ahead only for who goes on where the last read ended: for a random reader that would be 8 MiB for each page.
            PassThrough through = offset == _throughEnd
                ? _sequential ??= new PassThrough(_mount.FillContext, _mount.PassThroughBuffers, _entry.Version, _length, _requestId)
                : _random ??= new PassThrough(_mount.FillContext, _mount.PassThroughBuffers, _entry.Version, wantedEnd: 0, _requestId);
            int count = await through.ReadAsync(offset, destination, cancellationToken);
            _throughEnd = offset + count;
            _mount.CountServed(0, count);
            _mount.CountBypassed(count);
            return count;
        }
        catch (ForebayException e) when (e.Kind is ErrorKind.StaleVersion or ErrorKind.NotFound)
        {
            throw Overwritten(e);
        }
        finally
        {
            _passThroughTurn.Release();
        }
    }

    /// <summary>The interest outlives the read, or the fill of a page would stop when its first bytes were read and nobody waits for the next.</summary>
    private void KeepInterest(RangeFill fill)
    {
        RangeFill? oldest = null;
        lock (_lock)
        {
            if (_isDisposed)
            {
                oldest = fill;
            }
            else
            {
                _interests.Enqueue(fill);
                if (_interests.Count > KeptInterests)
                {
                    oldest = _interests.Dequeue();
                }
            }
        }

        oldest?.Leave();
    }

    private void Advance(CacheFile file, long start, long end)
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                Interlocked.Add(ref _missCredit, _streams.Advance(file, start, end));
            }
        }
    }

    private void UseFile(CacheFile? file)
    {
        lock (_lock)
        {
            _streams.Reset();
            Volatile.Write(ref _file, file);
        }
    }

    private bool TryCopy(FileSegment segment, Span<byte> destination)
    {
        try
        {
            if (RandomAccess.Read(segment.File!, destination[..(int)segment.Length], segment.Offset) == segment.Length)
            {
                return true;
            }
        }
        catch (IOException)
        {
            // Counted by the tier when the file is given up.
        }

        ReportUnreadable();
        return false;
    }

    private ForebayException Overwritten(ForebayException cause)
    {
        _mount.Metadata.Invalidate(_entry);
        return cause.Kind == ErrorKind.StaleVersion
            ? cause
            : new ForebayException(ErrorKind.StaleVersion, $"'{_entry.Key}' was removed while it was read.", cause);
    }

    private void CountServed(long bytes)
    {
        long credit = Volatile.Read(ref _missCredit);
        long missed = 0;
        while (credit > 0)
        {
            missed = Math.Min(credit, bytes);
            long seen = Interlocked.CompareExchange(ref _missCredit, credit - missed, credit);
            if (seen == credit)
            {
                break;
            }

            credit = seen;
            missed = 0;
        }

        _mount.CountServed(bytes - missed, missed);
    }
}
