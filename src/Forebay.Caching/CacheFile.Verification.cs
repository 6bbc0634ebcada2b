using System.Buffers;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Pages that must be checked before they are served, and what happens to bad ones.</summary>
public sealed partial class CacheFile
{
    /// <summary>
    /// Checks a present page against its checksum. A good page is verified from now on; a bad one is dropped and counted (a file that was whole
    /// is retired, and its good pages are copied to a new one).
    /// </summary>
    /// <returns>True when the page is good; false when it must be fetched again, perhaps into another file.</returns>
    /// <remarks>Reads the disk on the calling thread.</remarks>
    public bool Verify(int page)
    {
        if (Pages.IsVerified(page))
        {
            return true;
        }

        var range = new ByteRange(Pages.OffsetOf(page), Pages.LengthOf(page));
        if (!TryHold(range, out SafeFileHandle? handle))
        {
            return false;
        }

        try
        {
            return VerifyCore(page, handle!);
        }
        finally
        {
            Release(range);
        }
    }

    private bool VerifyCore(int page, SafeFileHandle handle)
    {
        int length = Pages.LengthOf(page);
        bool isHole = false;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            int count = LocalFile.Read(handle, buffer.AsSpan(0, length), Pages.OffsetOf(page));
            uint checksum = Crc32C.Compute(buffer.AsSpan(0, count));
            isHole = IsPartial && !buffer.AsSpan(0, count).ContainsAnyExcept((byte)0);
            lock (_lock)
            {
                if (!Pages.IsPresent(page))
                {
                    return false;
                }

                if (count == length && checksum == Pages.ChecksumOf(page))
                {
                    Pages.SetVerified(page);
                }
            }
        }
        catch (TierIOException e)
        {
            _tier.ReportFailure(e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (Pages.IsVerified(page))
        {
            if (Pages.AllPresentVerified)
            {
                MarkDirty();
            }

            return true;
        }

        DropCorrupt(page, isHole);
        return false;
    }

    /// <summary>Forgets a page whose bytes do not match its checksum; a file that was whole is replaced.</summary>
    /// <param name="page">Number of the page.</param>
    /// <param name="isHole">It was punched by a process that died before the index knew: no damage.</param>
    internal void DropCorrupt(int page, bool isHole = false)
    {
        bool retire;
        lock (_lock)
        {
            retire = _whole;
            if (!retire)
            {
                if (!Pages.Clear(page))
                {
                    // Another reader found it first, and has counted it.
                    return;
                }

                if (!isHole)
                {
                    // The page's room stays reserved for the bytes that replace it.
                    _reserved.Add(page);
                }
            }
        }

        if (retire)
        {
            _tier.Replace(this);
            return;
        }

        if (isHole)
        {
            _tier.CountAsStray(this, Sections!.IndexOf(Pages.OffsetOf(page)), Tier.BlocksOf(Pages.LengthOf(page)));
        }
        else
        {
            _tier.CountCorruptPage();
        }

        MarkDirty();
    }
}
