using System.Numerics;
using System.Runtime.InteropServices;

namespace Forebay.Caching;

/// <summary>
/// Which pages of one file are present, which of them are verified, and their checksums; in pieces of one extent (64 MiB), made
/// when first needed. Thread-safety: bits are read without a lock; all changes are made under the owning file's lock. A page's bytes
/// are in the file before its bits are set.
/// </summary>
internal sealed class PageMap
{
    /// <summary>Unit of index rows and of placement, bytes.</summary>
    internal const long ExtentBytes = 64L << 20;

    private readonly ExtentPages?[] _extents;
    private readonly int _pageShift;
    private readonly int _pagesPerExtent;
    private int _presentCount;
    private int _verifiedCount;

    internal PageMap(long length, int pageSizeBytes)
    {
        Length = length;
        PageSizeBytes = pageSizeBytes;
        _pageShift = BitOperations.Log2((uint)pageSizeBytes);
        _pagesPerExtent = (int)(ExtentBytes / pageSizeBytes);
        PageCount = checked((int)((length + pageSizeBytes - 1) >> _pageShift));
        _extents = new ExtentPages?[(PageCount + _pagesPerExtent - 1) / _pagesPerExtent];
    }

    internal long Length { get; }

    internal int PageSizeBytes { get; }

    internal int PageCount { get; }

    internal int ExtentCount => _extents.Length;

    internal bool AllPresent => Volatile.Read(ref _presentCount) == PageCount;

    internal bool AllVerified => Volatile.Read(ref _verifiedCount) == PageCount;

    /// <summary>True when no present page waits for its check.</summary>
    internal bool AllPresentVerified => Volatile.Read(ref _verifiedCount) == Volatile.Read(ref _presentCount);

    internal int PresentCount => Volatile.Read(ref _presentCount);

    internal long PresentBytes => AllPresent ? Length : Math.Min(Length, (long)PresentCount << _pageShift);

    /// <summary>Space of the present pages on disk, in whole blocks.</summary>
    internal long StoredBytes
    {
        get
        {
            long bytes = (long)PresentCount << _pageShift;
            int last = PageCount - 1;
            return last >= 0 && IsPresent(last) ? bytes - PageSizeBytes + Tier.BlocksOf(LengthOf(last)) : bytes;
        }
    }

    internal int PageOf(long offset) => (int)(offset >> _pageShift);

    internal long OffsetOf(int page) => (long)page << _pageShift;

    /// <summary>Bytes of one page; the last one of an object may be short.</summary>
    internal int LengthOf(int page) => (int)Math.Min(PageSizeBytes, Length - OffsetOf(page));

    internal bool IsPresent(int page) => Test(page, verified: false);

    internal bool IsVerified(int page) => Test(page, verified: true);

    internal uint ChecksumOf(int page) => _extents[page / _pagesPerExtent]!.Checksums[page % _pagesPerExtent];

    /// <summary>End, in bytes, of the verified pages that follow each other from <paramref name="offset"/> on; the offset itself if its page is not verified.</summary>
    internal long VerifiedEnd(long offset, long maxEnd)
    {
        if (AllVerified)
        {
            return Math.Min(maxEnd, Length);
        }

        int page = PageOf(offset);
        long end = offset;
        while (end < maxEnd && page < PageCount && IsVerified(page))
        {
            page++;
            end = Math.Min(Math.Min(OffsetOf(page), Length), maxEnd);
        }

        return end;
    }

    /// <summary>Marks a page as present and verified.</summary>
    /// <returns>False when it was present before.</returns>
    internal bool Set(int page, uint checksum)
    {
        ExtentPages extent = ExtentAt(page / _pagesPerExtent);
        int index = page % _pagesPerExtent;
        bool added = !Bit(extent.Present, index);
        extent.Checksums[index] = checksum;
        extent.Dirty = true;
        SetBit(extent.Present, index);
        if (added)
        {
            _presentCount++;
        }

        SetVerified(page);
        return added;
    }

    /// <summary>Marks a present page as verified.</summary>
    internal void SetVerified(int page)
    {
        ExtentPages extent = ExtentAt(page / _pagesPerExtent);
        int index = page % _pagesPerExtent;
        if (!Bit(extent.Verified, index))
        {
            SetBit(extent.Verified, index);
            Interlocked.Increment(ref _verifiedCount);
        }
    }

    /// <summary>Forgets a page.</summary>
    /// <returns>False when it was not present.</returns>
    internal bool Clear(int page)
    {
        ExtentPages? extent = _extents[page / _pagesPerExtent];
        int index = page % _pagesPerExtent;
        if (extent is null || !Bit(extent.Present, index))
        {
            return false;
        }

        if (Bit(extent.Verified, index))
        {
            ClearBit(extent.Verified, index);
            Interlocked.Decrement(ref _verifiedCount);
        }

        ClearBit(extent.Present, index);
        _presentCount--;
        extent.Dirty = true;
        return true;
    }

    /// <summary>Takes the rows of all extents changed since the last call.</summary>
    internal void TakeDirty(List<ExtentRow> rows)
    {
        for (int i = 0; i < _extents.Length; i++)
        {
            ExtentPages? extent = _extents[i];
            if (extent is { Dirty: true })
            {
                extent.Dirty = false;
                rows.Add(new ExtentRow(i, MemoryMarshal.AsBytes<ulong>(extent.Present).ToArray(), MemoryMarshal.AsBytes<uint>(extent.Checksums).ToArray()));
            }
        }
    }

    /// <summary>Marks everything as changed again, after a commit that failed.</summary>
    internal void MarkDirty()
    {
        foreach (ExtentPages? extent in _extents)
        {
            if (extent is not null)
            {
                extent.Dirty = true;
            }
        }
    }

    /// <summary>True when a row of the index has the shape of its extent; another one is damage.</summary>
    internal bool Fits(ExtentRow row)
    {
        if (row.Extent < 0 || row.Extent >= _extents.Length)
        {
            return false;
        }

        ExtentPages extent = ExtentAt(row.Extent);
        return row.Present.Length == extent.Present.Length * sizeof(ulong) && row.Checksums.Length == extent.Checksums.Length * sizeof(uint);
    }

    /// <summary>Takes over a row of the index; rows of another shape (damage) are ignored, their pages are fetched again.</summary>
    internal void Restore(ExtentRow row, bool verified)
    {
        if (!Fits(row))
        {
            return;
        }

        ExtentPages extent = ExtentAt(row.Extent);
        row.Present.AsSpan().CopyTo(MemoryMarshal.AsBytes(extent.Present.AsSpan()));
        row.Checksums.AsSpan().CopyTo(MemoryMarshal.AsBytes(extent.Checksums.AsSpan()));
        int beyond = extent.Checksums.Length;
        for (int i = beyond; i < extent.Present.Length * 64; i++)
        {
            ClearBit(extent.Present, i);
        }

        int count = 0;
        foreach (ulong word in extent.Present)
        {
            count += BitOperations.PopCount(word);
        }

        _presentCount += count;
        if (verified)
        {
            extent.Present.CopyTo(extent.Verified.AsSpan());
            _verifiedCount += count;
        }
    }

    private bool Test(int page, bool verified)
    {
        ExtentPages? extent = Volatile.Read(ref _extents[page / _pagesPerExtent]);
        return extent is not null && Bit(verified ? extent.Verified : extent.Present, page % _pagesPerExtent);
    }

    private ExtentPages ExtentAt(int index)
    {
        ExtentPages? extent = _extents[index];
        if (extent is null)
        {
            extent = new ExtentPages(Math.Min(_pagesPerExtent, PageCount - (index * _pagesPerExtent)));
            Volatile.Write(ref _extents[index], extent);
        }

        return extent;
    }

    private static bool Bit(ulong[] bits, int index) => (Volatile.Read(ref bits[index >> 6]) >> (index & 63) & 1) != 0;

    private static void SetBit(ulong[] bits, int index) => Volatile.Write(ref bits[index >> 6], bits[index >> 6] | (1UL << (index & 63)));

    private static void ClearBit(ulong[] bits, int index) => Volatile.Write(ref bits[index >> 6], bits[index >> 6] & ~(1UL << (index & 63)));

    private sealed class ExtentPages(int pages)
    {
        internal readonly ulong[] Present = new ulong[(pages + 63) / 64];
        internal readonly ulong[] Verified = new ulong[(pages + 63) / 64];
        internal readonly uint[] Checksums = new uint[pages];
        internal bool Dirty;
    }
}

/// <summary>One extent of one object in the index.</summary>
/// <param name="Extent">Number of the extent: bytes [Extent × 64 MiB, …).</param>
/// <param name="Present">One bit per page, little-endian 64-bit words.</param>
/// <param name="Checksums">CRC-32C per page, little-endian; 0 where the page is not present.</param>
internal readonly record struct ExtentRow(int Extent, byte[] Present, byte[] Checksums);
