using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>A partial file: one of an object that does not fit, whose sections come and leave by themselves.</summary>
public sealed partial class CacheFile
{
    /// <summary>A hole takes less than this on a disk that answers.</summary>
    private static readonly TimeSpan PunchStep = TimeSpan.FromMilliseconds(1);

    private enum HoldOutcome
    {
        Held,
        Punched,
        Gone,
    }

    /// <summary>True when the object does not fit into the tier: its file is never whole, and its bytes leave in parts.</summary>
    public bool IsPartial => Sections is not null;

    /// <summary>Most bytes that should be brought ahead of one reader: what is not read soon is pushed out of a partial file again. ≥ a page.</summary>
    public long MostAheadBytes => Sections is null ? long.MaxValue : Math.Max(PageSizeBytes, _tier.MostAheadBytes);

    internal SectionTable? Sections { get; }

    internal int NowSeconds => _tier.NowSeconds;

    /// <summary>Takes a reference and holds a range: no page of it leaves until <see cref="Release(ByteRange)"/>. Opens the file if it is not open.</summary>
    /// <param name="range">Not empty, within the object.</param>
    /// <param name="handle">As of <see cref="TryAcquire"/>.</param>
    /// <returns>False when the file is gone, or a part of the range is being punched: look it up again.</returns>
    public bool TryHold(ByteRange range, out SafeFileHandle? handle) => Hold(range, out handle) == HoldOutcome.Held;

    /// <summary>As <see cref="TryHold"/>, but waits while a part of the range is being punched.</summary>
    /// <param name="range">Not empty, within the object.</param>
    /// <param name="cancellationToken">Ends the waiting; then nothing is held.</param>
    /// <returns>False when the file is gone.</returns>
    public async ValueTask<bool> TryHoldAsync(ByteRange range, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (Hold(range, out _))
            {
                case HoldOutcome.Held:
                    return true;
                case HoldOutcome.Gone:
                    return false;
                default:
                    await Task.Delay(PunchStep, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }
    }

    /// <summary>Gives back what <see cref="TryHold"/> took, or a segment.</summary>
    public void Release(ByteRange range)
    {
        if (Sections is { } sections)
        {
            int last = sections.IndexOf(range.End - 1);
            for (int i = sections.IndexOf(range.Offset); i <= last; i++)
            {
                sections.Release(i);
            }
        }

        Release();
    }

    /// <summary>Closes a section that was chosen to leave, with a reference that <see cref="Punch"/> gives back. Lock-free, for the tier under its lock.</summary>
    internal bool TryCloseSection(int index)
    {
        if (!TryReference())
        {
            return false;
        }

        if (Sections!.TryClose(index))
        {
            return true;
        }

        Release();
        return false;
    }

    /// <summary>Forgets the pages of a closed section, gives their space back to the disk and opens it again.</summary>
    /// <returns>False when the space is still taken.</returns>
    internal bool Punch(int index)
    {
        SectionTable sections = Sections!;
        long start = sections.StartOf(index);
        long end = sections.StartOf(index + 1);
        try
        {
            lock (_lock)
            {
                for (int page = Pages.PageOf(start); page < PageCount && Pages.OffsetOf(page) < end; page++)
                {
                    Pages.Clear(page);
                    _reserved.Remove(page);
                }
            }

            MarkDirty();
            if (!TryAcquire(out SafeFileHandle? handle))
            {
                // Retired meanwhile: its space goes with the file.
                return true;
            }

            try
            {
                LocalFile.Punch(handle!, start, end - start);
                if (sections.MayHaveStray)
                {
                    _tier.CorrectStray(this, LocalFile.DiskBytesOf(handle!));
                }
            }
            finally
            {
                Release();
            }

            return true;
        }
        catch (TierIOException e)
        {
            _tier.ReportPunchFailure(e);
            return false;
        }
        finally
        {
            sections.Reopen(index);
            Release();
        }
    }

    private HoldOutcome Hold(ByteRange range, out SafeFileHandle? handle)
    {
        if (!TryAcquire(out handle))
        {
            return HoldOutcome.Gone;
        }

        if (Sections is { } sections)
        {
            int first = sections.IndexOf(range.Offset);
            int last = sections.IndexOf(range.End - 1);
            for (int i = first; i <= last; i++)
            {
                if (sections.TryHold(i))
                {
                    continue;
                }

                while (--i >= first)
                {
                    sections.Release(i);
                }

                Release();
                handle = null;
                return HoldOutcome.Punched;
            }
        }

        return HoldOutcome.Held;
    }

    /// <summary>The row taken last is in the index.</summary>
    internal void OnCommitted()
    {
        if (Sections is { } sections && _isUntrustedRowTaken)
        {
            sections.MayPunch = true;
        }

        EndCommit();
    }

    /// <summary>Room that the present pages of each section take, for a file that was loaded.</summary>
    private void CountSections(SectionTable sections)
    {
        for (int page = 0; page < PageCount; page++)
        {
            if (Pages.IsPresent(page))
            {
                int index = sections.IndexOf(Pages.OffsetOf(page));
                Section? section = sections.At(index);
                if (section is null)
                {
                    section = new Section(this, index);
                    sections.Add(section);
                }

                section.SizeBytes += Tier.BlocksOf(Pages.LengthOf(page));
            }
        }
    }
}
