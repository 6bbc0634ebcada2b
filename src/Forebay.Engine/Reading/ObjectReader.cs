using System.Runtime.CompilerServices;
using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Metadata;

namespace Forebay.Engine.Reading;

/// <summary>Reads one version through the cache: present pages from the file, missing ones by shared fills, and past the cache where nothing can be stored.</summary>
internal sealed class ObjectReader : IObjectReader
{
    private const int MostFillsOfAByte = 4;
    private readonly MountPoint _mount;
    private readonly StatEntry _entry;
    private readonly ObjectStat _stat;
    private readonly string? _requestId;
    private readonly long? _wantedEnd;
    private FillContext _fills;
    private CacheFile? _file;
    private ReadAhead? _readAhead;
    private PassThrough? _passThrough;
    private RangeFill? _fill;
    private long _missCredit;
    private bool _isCounting = true;

    /// <summary>Opens a reader.</summary>
    /// <param name="mount">The mount point.</param>
    /// <param name="entry">A positive entry with headers.</param>
    /// <param name="file">The version's cache file, or null to serve through.</param>
    /// <param name="wantedEnd">End of what will be read in order; null when unknown.</param>
    /// <param name="requestId">Identifies the causing request.</param>
    internal ObjectReader(MountPoint mount, StatEntry entry, CacheFile? file, long? wantedEnd, string? requestId)
    {
        _mount = mount;
        _fills = mount.FillContext;
        _entry = entry;
        _stat = entry.Stat!;
        _file = file;
        _wantedEnd = wantedEnd is null ? null : Math.Min(wantedEnd.Value, _stat.Length);
        _requestId = requestId;
    }

    /// <inheritdoc/>
    public ObjectStat Stat => _stat;

    /// <inheritdoc/>
    public ValueTask<FileSegment> GetSegmentAsync(long offset, long maxLength, CancellationToken cancellationToken)
    {
        if (_file is null)
        {
            return default;
        }

        if (_file.TryGetSegment(offset, maxLength, out FileSegment segment) == SegmentStatus.Hit)
        {
            CountServed(segment.Length);
            _readAhead?.Advance(offset, offset + segment.Length);
            return new ValueTask<FileSegment>(segment);
        }

        return GetSegmentSlowAsync(offset, maxLength, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (offset >= _stat.Length || destination.IsEmpty)
        {
            return 0;
        }

        using (FileSegment segment = await GetSegmentAsync(offset, destination.Length, cancellationToken))
        {
            if (!segment.IsEmpty && TryCopy(segment, destination.Span))
            {
                return (int)segment.Length;
            }
        }

        _passThrough ??= new PassThrough(_mount.FillContext, _mount.PassThroughBuffers, _entry.Version, _wantedEnd ?? _stat.Length, _requestId);
        try
        {
            int count = await _passThrough.ReadAsync(offset, destination, cancellationToken);
            _mount.CountServed(0, count);
            _mount.CountBypassed(count);
            return count;
        }
        catch (ForebayException e) when (e.Kind is ErrorKind.StaleVersion or ErrorKind.NotFound)
        {
            throw Overwritten(e);
        }
    }

    /// <inheritdoc/>
    public void ReportUnreadable()
    {
        _file?.GiveUp();
        UseFile(null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _readAhead?.Dispose();
        _fill?.Leave();
        _passThrough?.Dispose();
    }

    /// <summary>Gives the reader a fill that was started by the read which was also the stat; its interest passes over.</summary>
    internal void BeginWith(RangeFill fill)
    {
        _fill = fill;
        _missCredit += fill.Range.Length;
    }

    /// <summary>Brings the whole object into its cache file without giving bytes to anybody.</summary>
    /// <param name="fills">Whose slots its ranges take.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Bytes that were fetched for it.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NoSpace"/>: it cannot be stored; others as for reading.</exception>
    internal async Task<long> BringAllAsync(FillContext fills, CancellationToken cancellationToken)
    {
        _isCounting = false;
        _fills = fills;
        long offset = 0;
        while (offset < _stat.Length)
        {
            if (_file is { IsPartial: true })
            {
                UseFile(null);
            }

            using FileSegment segment = await GetSegmentAsync(offset, _stat.Length - offset, cancellationToken);
            if (segment.IsEmpty)
            {
                throw new ForebayException(ErrorKind.NoSpace, "It cannot be stored: larger than a cache tier takes, or the tier is full of pinned objects or failing. 'forebay status' shows the tiers.");
            }

            offset += segment.Length;
        }

        return _missCredit + (_readAhead?.TakeStartedBytes() ?? 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async ValueTask<FileSegment> GetSegmentSlowAsync(long offset, long maxLength, CancellationToken cancellationToken)
    {
        await LoopThread.LeaveAsync();
        int fills = 0;
        while (_file is not null)
        {
            SegmentStatus status = _file.TryGetSegment(offset, maxLength, out FileSegment segment);
            switch (status)
            {
                case SegmentStatus.Hit:
                    CountServed(segment.Length);
                    _readAhead?.Advance(offset, offset + segment.Length);
                    return segment;
                case SegmentStatus.Unverified:
                    _file.Verify((int)(offset / _file.PageSizeBytes));
                    break;
                case SegmentStatus.Detached:
                    UseFile(_mount.FileOf(_entry, create: true));
                    break;
                default:
                    if (_file.IsPartial && ++fills > MostFillsOfAByte)
                    {
                        // So many others read that what was brought has left before it could be read.
                        UseFile(null);
                        break;
                    }

                    FileSegment filled = await FillAsync(_file, offset, maxLength, cancellationToken);
                    if (!filled.IsEmpty)
                    {
                        CountServed(filled.Length);
                        return filled;
                    }

                    break;
            }
        }

        return default;
    }

    /// <summary>Waits for the byte at <paramref name="offset"/> to be filled; empty when the file must be looked at again.</summary>
    private async ValueTask<FileSegment> FillAsync(CacheFile file, long offset, long maxLength, CancellationToken cancellationToken)
    {
        _readAhead ??= new ReadAhead(_mount.Fills, _fills, file, offset, _wantedEnd, _requestId);
        long end = Math.Min(file.Length, offset + Math.Max(maxLength, 1));
        RangeFill? fill = _mount.Fills.JoinOrStart(_fills, file, offset, Math.Min(end, offset + Math.Min(_fills.Options.MaxRangeBytes, file.MostAheadBytes)), _requestId, out bool isNew);
        if (fill is null)
        {
            return default;
        }

        // The interest is kept until the reader needs another fill or ends: between two calls of a reader that nobody reads ahead for, the
        // fill would otherwise have none and stop.
        _fill?.Leave();
        _fill = fill;
        if (isNew)
        {
            _missCredit += fill.Range.Length;
        }

        try
        {
            _readAhead.Advance(offset, offset);
            await fill.WaitAsync(offset, cancellationToken);
            return fill.SegmentOf(offset, maxLength);
        }
        catch (ForebayException e) when (e.Kind is ErrorKind.StaleVersion or ErrorKind.NotFound)
        {
            throw Overwritten(e);
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.NoSpace)
        {
            if (!file.TryAcquire(out _))
            {
                // It was evicted or freed meanwhile: another file takes its place.
                return default;
            }

            file.Release();
            UseFile(null);
            return default;
        }
    }

    /// <summary>False when the disk failed or the file is shorter than it was: the rest is read past the cache.</summary>
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
            // Counted by the tier below.
        }

        ReportUnreadable();
        return false;
    }

    private void UseFile(CacheFile? file)
    {
        _readAhead?.Dispose();
        _readAhead = null;
        _file = file;
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
        if (!_isCounting)
        {
            return;
        }

        if (_readAhead is not null)
        {
            _missCredit += _readAhead.TakeStartedBytes();
        }

        long missed = Math.Min(_missCredit, bytes);
        _missCredit -= missed;
        _mount.CountServed(bytes - missed, missed);
    }
}
