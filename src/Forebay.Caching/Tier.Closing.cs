using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Keeps the number of loaded and open files within bounds: mostly by maintenance, and by whoever opens when that falls behind.</summary>
public sealed partial class Tier
{
    private const int MostClosedPerRound = 4096;
    private const int ClosedPerOpen = 8;
    private const int ClosedPerShortage = 64;

    /// <summary>For maintenance: files in use within the last second are spared.</summary>
    private void CloseIdleFiles()
    {
        int most = MostClosedPerRound;
        while (most-- > 0 && _openFiles.Next() is { } file)
        {
            CloseIfIdle(file, sparesRecent: true);
        }
    }

    /// <summary>
    /// For openers: a reader of many small files opens thousands a second, more than maintenance sees in its rounds. Far beyond the bound
    /// each open pays for itself, so that descriptors never run out.
    /// </summary>
    private void CloseSomeIfFarTooMany()
    {
        int most = ClosedPerOpen;
        while (most-- > 0 && _openFiles.IsFarOverfull && _openFiles.Next() is { } file)
        {
            CloseIfIdle(file, sparesRecent: false);
        }
    }

    /// <summary>Opens a cache file; where no descriptor is left (sockets, sources and libraries take theirs from the same number), idle cache files give some.</summary>
    private SafeFileHandle OpenOrMakeRoom(string path, bool isNew)
    {
        try
        {
            return LocalFile.Open(path, create: isNew, truncate: isNew);
        }
        catch (TierIOException e) when (e.IsNoDescriptor)
        {
            int most = ClosedPerShortage;
            while (most-- > 0 && _openFiles.NextOfAll() is { } file)
            {
                CloseIfIdle(file, sparesRecent: false);
            }

            return LocalFile.Open(path, create: isNew, truncate: isNew);
        }
    }

    private void CloseIfIdle(CacheFile file, bool sparesRecent)
    {
        bool closed;
        TierEntry? empty = null;
        lock (_lock)
        {
            bool isRecent = sparesRecent && file.Entry.UsedAtSeconds >= _nowSeconds - 1;
            closed = !isRecent && !file.IsDirty && MayUnload(file) && file.TryDetach();
            if (closed && ReferenceEquals(file.Entry.File, file))
            {
                file.Entry.IsWhole = file.IsWhole;
                FoldLocked(file.Entry, file);
                file.Entry.File = null;
                if (file.Pages.PresentCount == 0)
                {
                    // Opened, but nothing of it is here, reserved though it may be. Until its delete is written a row may be there: its own, where all
                    // its pages were punched, or that of a former file of the version. Loaded again, this file would be taken for what the row says.
                    empty = file.Entry;
                    RemoveLocked(empty);
                }
            }
        }

        if (empty is not null)
        {
            Discard(empty, null, empty.SizeBytes);
        }

        if (closed)
        {
            file.Close();
        }
        else if (!file.IsRetired)
        {
            _openFiles.Opened(file);
        }
    }
}
