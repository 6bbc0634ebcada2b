using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>
/// A whole file that turned out to hold a corrupt page: an empty one of the next generation takes its place at once, and whoever reads goes on
/// with it as with a miss. The good pages follow on a thread that lives as long as there is something to copy.
/// </summary>
public sealed partial class Tier
{
    /// <summary>Files that may wait; of one more, all pages are fetched again.</summary>
    internal const int MostWaitingRepairs = 64;

    private readonly Lock _repairing = new();
    private readonly Queue<Repair> _repairs = new();
    private Thread? _repairer;

    /// <summary>Called on the repairing thread before each file, for tests.</summary>
    internal Action BeforeRepair { get; set; } = () => { };

    /// <summary>Replaces a whole file; <paramref name="corruptPage"/> is counted and not copied. Reads and writes no data on the calling thread.</summary>
    internal void Replace(CacheFile damaged, int corruptPage)
    {
        if (!damaged.TryAcquire(out SafeFileHandle? handle))
        {
            return;
        }

        if (ExchangeForFresh(damaged) is { } fresh)
        {
            CountCorruptPage();
            if (TryQueue(new Repair(damaged, handle!, corruptPage, fresh)))
            {
                // Its reference goes with it.
                return;
            }
        }

        damaged.Release();
    }

    /// <summary>Puts an empty file in the place of a damaged one, which is retired before anything is copied: whoever reads it goes to the new one.</summary>
    /// <returns>Null when somebody else did so.</returns>
    private CacheFile? ExchangeForFresh(CacheFile damaged)
    {
        CacheFile fresh;
        TierEntry old;
        lock (_lock)
        {
            if (!_entries.TryGetValue(damaged.Version.Id, out old!) || !ReferenceEquals(old.File, damaged))
            {
                return null;
            }

            RemoveLocked(old);
            var entry = new TierEntry(this, damaged.Version.Id, 0, old.Owner)
            {
                Generation = FreeGenerationLocked(damaged.Version.Id),
                IsPinned = old.IsPinned,
                UsedAtSeconds = old.UsedAtSeconds,
                WasReused = old.WasReused,
            };
            fresh = new CacheFile(this, entry, damaged.Version, entry.Generation, new PageMap(damaged.Length, PageSizeBytes), isNew: true);
            entry.File = fresh;
            entry.ObjectHash = old.ObjectHash;
            AddLocked(entry);
            _policy.Add(entry);
            _openFiles.Opened(fresh);
        }

        Discard(old, damaged, old.SizeBytes);
        return fresh;
    }

    private bool TryQueue(Repair repair)
    {
        lock (_repairing)
        {
            if (_stop || _repairs.Count >= MostWaitingRepairs)
            {
                return false;
            }

            _repairs.Enqueue(repair);
            if (_repairer is null)
            {
                _repairer = new Thread(RunRepairs) { IsBackground = true, Name = "tier repair" };
                _repairer.Start();
            }

            return true;
        }
    }

    private void RunRepairs()
    {
        while (true)
        {
            Repair repair;
            lock (_repairing)
            {
                if (!_repairs.TryDequeue(out repair))
                {
                    _repairer = null;
                    return;
                }
            }

            try
            {
                BeforeRepair();
                CopyGoodPages(repair);
            }
            catch (TierIOException e)
            {
                // What was not copied is fetched again.
                ReportFailure(e);
            }
            finally
            {
                repair.Damaged.Release();
            }
        }
    }

    /// <summary>Waits until all that was found corrupt is copied, or at the end given up.</summary>
    internal void JoinRepairs()
    {
        Thread? running;
        lock (_repairing)
        {
            running = _repairer;
        }

        running?.Join();
    }

    private void CopyGoodPages(Repair repair)
    {
        CacheFile damaged = repair.Damaged;
        if (_stop || !repair.Fresh.TryAcquire(out _))
        {
            return;
        }

        try
        {
            byte[] buffer = GC.AllocateUninitializedArray<byte>(damaged.PageSizeBytes);
            for (int page = 0; page < damaged.PageCount && !_stop && repair.Fresh.IsUsable; page++)
            {
                if (page != repair.CorruptPage && !repair.Fresh.IsPresent(page) && !TryCopy(repair, page, buffer.AsSpan(0, damaged.LengthOf(page))))
                {
                    return;
                }
            }
        }
        finally
        {
            repair.Fresh.Release();
        }
    }

    /// <returns>False when nothing can be stored.</returns>
    private bool TryCopy(Repair repair, int page, Span<byte> bytes)
    {
        long offset = repair.Damaged.Pages.OffsetOf(page);
        uint checksum = repair.Damaged.Pages.ChecksumOf(page);
        if (LocalFile.Read(repair.From, bytes, offset) != bytes.Length || Crc32C.Compute(bytes) != checksum)
        {
            CountCorruptPage();
            return true;
        }

        switch (repair.Fresh.Reserve(page))
        {
            case ReserveStatus.Reserved when repair.Fresh.Write(offset, bytes):
                repair.Fresh.Commit(page, checksum);
                return true;
            case ReserveStatus.Present:
                return true;
            default:
                return false;
        }
    }

    /// <summary>One file whose good pages are to be copied.</summary>
    /// <param name="Damaged">Retired, with a reference that ends with the repair.</param>
    /// <param name="From">Its handle.</param>
    /// <param name="CorruptPage">The page that was found.</param>
    /// <param name="Fresh">The file in its place.</param>
    private readonly record struct Repair(CacheFile Damaged, SafeFileHandle From, int CorruptPage, CacheFile Fresh);
}
