using Forebay.Caching.Eviction;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Caching;

/// <summary>Partial files: objects that do not fit are kept in part, and give room back by holes.</summary>
public sealed partial class Tier
{
    /// <summary>Share of the quota, 1 / this, above which a partial file is unfolded and stays loaded: so many files at most.</summary>
    private const int UnfoldShare = 64;

    /// <summary>
    /// Share of the room, 1 / this, that one reader of a partial file may have brought ahead: what nobody has read yet lies in the small
    /// queue, a tenth of the room, and is pushed out by what is brought behind it.
    /// </summary>
    private const int AheadShare = 24;

    private readonly int _sectionBytes;
    private volatile bool _canPunch;
    private volatile bool _isClosing;

    /// <summary>An object was served through for want of holes: said in <see cref="State"/> from then on.</summary>
    private volatile bool _lackedHoles;

    /// <summary>False when the file system has no holes to punch: objects that do not fit are then served through.</summary>
    public bool CanPunch => _canPunch;

    internal long MostAheadBytes => MaxObjectBytes / AheadShare;

    internal int NowSeconds => Volatile.Read(ref _nowSeconds);

    /// <summary>True in the last index commit: nothing is punched any more.</summary>
    internal bool IsClosing => _isClosing;

    private long UnfoldBytes => Options.QuotaBytes / UnfoldShare;

    /// <summary>True when a version may lie here as a whole: by its length, whatever else is stored.</summary>
    internal bool Fits(ObjectVersion version) => Fits(version, _owners.OwnerOf(version.UnderStore, version.Key));

    /// <summary>Records a use of a section; allocates nothing, takes no lock.</summary>
    internal void TouchSection(CacheFile file, long offset)
    {
        SectionTable sections = file.Sections!;
        Section? section = sections.At(sections.IndexOf(offset));
        if (section is not null && section.CountUse(Volatile.Read(ref _nowSeconds)))
        {
            _policy.Touch(section);
        }
    }

    internal void ReportPunchFailure(TierIOException error)
    {
        if (error.Errno is Native.NotSupported or Native.NoSystemCall)
        {
            _canPunch = false;
            return;
        }

        ReportFailure(error);
    }

    /// <summary>After a hole: what a dead process left may have gone with it, or what it was thought to have left was not there.</summary>
    internal void CorrectStray(CacheFile file, long diskBytes)
    {
        lock (_lock)
        {
            SectionTable sections = file.Sections!;
            long left = Math.Max(0, diskBytes - (file.Entry.SizeBytes - sections.StrayBytes));
            if (IsCurrentLocked(file.Entry))
            {
                CorrectLocked(file.Entry, left - sections.StrayBytes);
                sections.StrayBytes = left;
            }
        }
    }

    /// <summary>A page of a held section that the index knew is a hole: its room is not there for it, but may be taken by blocks that the index knew nothing of.</summary>
    internal void CountAsStray(CacheFile file, int index, long bytes)
    {
        lock (_lock)
        {
            if (file.Sections!.At(index) is { } section)
            {
                _policy.Resize(section, section.SizeBytes - bytes);
                file.Sections.StrayBytes += bytes;
            }
        }
    }

    private bool MayKeepInPart(bool isWanted)
    {
        _lackedHoles |= isWanted && !_canPunch;
        return isWanted && _canPunch;
    }

    private bool Fits(ObjectVersion version, int owner)
        => version.Length <= MaxObjectBytes && (owner < 0 || _owners.QuotaOf(owner) is not long quota || BlocksOf(version.Length) <= quota);

    /// <summary>0 for a file that leaves as a whole.</summary>
    private int SectionBytesFor(ObjectVersion version, int owner) => Fits(version, owner) ? 0 : _sectionBytes;

    private bool IsCurrentLocked(TierEntry entry) => _entries.TryGetValue(entry.Id, out TierEntry? current) && ReferenceEquals(current, entry);

    private void GrowLocked(TierEntry entry, long bytes)
    {
        _policy.Resize(entry, entry.SizeBytes + bytes);
        _storedBytes += bytes;
        AddOwnerBytesLocked(entry, bytes);
    }

    /// <summary>As <see cref="GrowLocked"/>, for bytes that the mount point's quota was not asked for.</summary>
    private void CorrectLocked(TierEntry entry, long bytes)
    {
        GrowLocked(entry, bytes);
        if (entry.CountsForOwner)
        {
            _owners.Add(entry.Owner, bytes);
        }
    }

    /// <summary>Counts room for a page of a section.</summary>
    private void GrowSectionLocked(TierEntry entry, int index, long bytes)
    {
        SectionTable sections = entry.File!.Sections!;
        Section? section = sections.At(index);
        if (section is null)
        {
            section = new Section(entry.File, index);
            sections.Add(section);
            if (sections.IsUnfolded)
            {
                _policy.Add(section);
            }
        }

        _policy.Resize(section, section.SizeBytes + bytes);
        if (!sections.IsUnfolded && entry.SizeBytes > UnfoldBytes)
        {
            UnfoldLocked(entry, isRestored: false);
        }
    }

    /// <summary>From now on the sections of a file leave one by one. A row that an earlier process ended cleanly with is written anew before the first hole.</summary>
    private void UnfoldLocked(TierEntry entry, bool isRestored)
    {
        SectionTable sections = entry.File!.Sections!;
        _policy.Remove(entry);
        sections.IsUnfolded = true;
        foreach (Section section in sections.Present())
        {
            if (isRestored)
            {
                _policy.Restore(section, entry.WasReused);
            }
            else
            {
                _policy.Add(section);
            }
        }

        entry.File.MarkDirty();
    }

    /// <summary>Makes a file that was detached one node again.</summary>
    private void FoldLocked(TierEntry entry, CacheFile detached)
    {
        if (RemoveSectionsLocked(detached))
        {
            _policy.Restore(entry, entry.WasReused);
        }
    }

    private bool RemoveSectionsLocked(CacheFile? file)
    {
        if (file?.Sections is not { IsUnfolded: true } sections)
        {
            return false;
        }

        foreach (Section section in sections.Present())
        {
            _policy.Remove(section);
        }

        sections.IsUnfolded = false;
        return true;
    }

    /// <summary>A file with much in it stays loaded: unloaded it could only leave as a whole.</summary>
    private bool MayUnload(CacheFile file) => file.Sections is not { IsUnfolded: true } || file.Entry.SizeBytes <= UnfoldBytes / 2;

    /// <summary>Takes a section that the policy gave up. Its bytes count as held until the hole is there.</summary>
    private void TakeSectionLocked(Section section, ref Victims victims)
    {
        CacheFile file = section.File;
        if (!file.TryCloseSection(section.Index))
        {
            // A reader came between: it stays.
            _policy.Add(section);
            return;
        }

        file.Sections!.TakeOut(section);
        CorrectLocked(file.Entry, -section.SizeBytes);
        Interlocked.Add(ref _heldBytes, section.SizeBytes);
        _evictedBytes += section.SizeBytes;
        victims.Add(section);
        victims.SectionBytes += section.SizeBytes;
    }

    private void Punch(Section section)
    {
        if (!section.File.Punch(section.Index))
        {
            lock (_lock)
            {
                if (IsCurrentLocked(section.File.Entry))
                {
                    CorrectLocked(section.File.Entry, section.SizeBytes);
                    section.File.Sections!.StrayBytes += section.SizeBytes;
                }
            }
        }

        Interlocked.Add(ref _heldBytes, -section.SizeBytes);
    }

    /// <summary>Gives an entry the file that was loaded for it, and counts what is really there.</summary>
    private void AttachLoadedLocked(TierEntry entry, ObjectRow row, PageMap pages, long diskBytes)
    {
        int sectionBytes = IsPartial(row, entry.Owner) ? _sectionBytes : 0;
        CacheFile file = new(this, entry, row.Version, row.Generation, pages, isNew: false, sectionBytes);
        entry.File = file;
        _openFiles.Opened(file);
        if (file.Sections is not { } sections)
        {
            return;
        }

        sections.MayHaveStray = true;
        sections.StrayBytes = Math.Max(0, diskBytes - pages.StoredBytes);
        CorrectLocked(entry, pages.StoredBytes + sections.StrayBytes - entry.SizeBytes);
        if (entry.SizeBytes > UnfoldBytes)
        {
            UnfoldLocked(entry, isRestored: true);
        }
    }

    /// <summary>A file that was complete once may still be in other hands: it stays one that leaves as a whole.</summary>
    private bool IsPartial(ObjectRow row, int owner) => _canPunch && !row.IsWhole && !Fits(row.Version, owner);

    /// <summary>After a kill: sections of which the index knows no page are emptied.</summary>
    private static void PunchStray(CacheFile file)
    {
        SectionTable sections = file.Sections!;
        for (int i = 0; i < sections.Count && sections.StrayBytes > 0; i++)
        {
            if (sections.At(i) is null && file.TryCloseSection(i))
            {
                if (sections.At(i) is null)
                {
                    file.Punch(i);
                    continue;
                }

                // Filled meanwhile.
                sections.Reopen(i);
                file.Release();
            }
        }
    }

    private long DiskBytesOf(ObjectRow row)
    {
        try
        {
            using SafeFileHandle handle = LocalFile.Open(_directory.DataPath(row.Version.Id, row.Generation), create: false, writable: false);
            return LocalFile.DiskBytesOf(handle);
        }
        catch (TierIOException)
        {
            // Whoever reads it next finds the reason, and reports it.
            return 0;
        }
    }

    /// <summary>At start: a partial file with much in it is loaded at once, or it could only leave as a whole.</summary>
    private void LoadIfLargeAndPartial(ObjectRow row)
    {
        if (row.StoredBytes > UnfoldBytes && IsPartial(row, _owners.OwnerOf(row.Version.UnderStore, row.Version.Key)))
        {
            Find(row.Version);
        }
    }

    /// <summary>Before the last commit: nothing is punched any more, so that rows may say again that their pages can be believed.</summary>
    private void EndPunching()
    {
        lock (_lock)
        {
            _isClosing = true;
            foreach (TierEntry entry in _entries.Values)
            {
                if (entry.File is { IsPartial: true } file)
                {
                    file.MarkDirty();
                }
            }
        }
    }

    /// <summary>What was chosen to leave; dropped outside the lock.</summary>
    private struct Victims
    {
        internal List<EvictionNode>? Nodes;

        /// <summary>Bytes of sections among them: they count as used until they are punched.</summary>
        internal long SectionBytes;

        internal void Add(EvictionNode node) => (Nodes ??= []).Add(node);
    }
}
