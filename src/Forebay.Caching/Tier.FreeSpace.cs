namespace Forebay.Caching;

/// <summary>Room of the disk that is left to others: the quota follows what is free.</summary>
public sealed partial class Tier
{
    /// <summary>A file system may tell of freed blocks a little later: what was evicted is not evicted for a second time meanwhile.</summary>
    private const int FreeSpaceRestSeconds = 10;

    private volatile bool _lacksFreeSpace;
    private long _freeSpaceRestUntil = long.MinValue;

    /// <summary>
    /// Looks at the disk, at each housekeeping. What the tier may use is what it uses now, and what is free beyond the share of the others: it may grow into that,
    /// and has to shrink when somebody else takes it.
    /// </summary>
    private void ObeyFreeSpace()
    {
        if (Options.MinFreeBytes <= 0 || Options.FreeBytesOf(Path) is not { } free)
        {
            return;
        }

        _lacksFreeSpace = free < Options.MinFreeBytes;
        if (!_startupScanDone)
        {
            // What the tier uses is not known yet.
            if (_lacksFreeSpace)
            {
                Suspend();
            }

            return;
        }

        long now = _time.GetTimestamp();
        lock (_lock)
        {
            // A disk that was full keeps the bound that it set, until the tier is well again.
            long most = _problem.Length > 0 ? Math.Min(_effectiveQuotaBytes, Options.QuotaBytes) : Options.QuotaBytes;
            long wanted = Math.Clamp(UsedBytes + free - Options.MinFreeBytes, 0, most);
            if (wanted < Math.Min(UsedBytes, _effectiveQuotaBytes))
            {
                if (now < _freeSpaceRestUntil)
                {
                    return;
                }

                _freeSpaceRestUntil = now + (_time.TimestampFrequency * FreeSpaceRestSeconds);
            }

            _effectiveQuotaBytes = wanted;
        }
    }
}
