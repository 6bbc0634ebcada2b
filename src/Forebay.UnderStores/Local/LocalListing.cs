using System.IO.Enumeration;
using System.Text;
using Forebay.Core;

namespace Forebay.UnderStores.Local;

/// <summary>
/// One page of a directory tree's names in UTF-8 byte order. Walks depth first; each directory's names are sorted with <c>/</c> behind
/// the directories, which makes the whole walk sorted. Holds the names of the directories on the way down, not of the tree.
/// </summary>
internal sealed class LocalListing
{
    private const int MaxKeyBytes = 1024;

    private static readonly EnumerationOptions Everything = new()
    {
        AttributesToSkip = FileAttributes.None,
        IgnoreInaccessible = false,
        RecurseSubdirectories = false,
        ReturnSpecialDirectories = false,
    };

    private readonly LocalFile _files;
    private readonly ListQuery _query;
    private readonly CancellationToken _cancellationToken;
    private readonly List<ListEntry> _entries = [];
    private readonly Stack<(ulong Device, ulong Inode)> _ancestors = new();
    private bool _isTruncated;

    public LocalListing(LocalFile files, ListQuery query, CancellationToken cancellationToken)
    {
        _files = files;
        _query = query;
        _cancellationToken = cancellationToken;
    }

    /// <summary>Names met that are no keys.</summary>
    public int SkippedNames { get; private set; }

    public ListPage ReadPage()
    {
        // The walk starts in the deepest directory that every wanted name lies in.
        int slash = _query.Prefix.LastIndexOf('/');
        string start = slash < 0 ? "" : _query.Prefix[..(slash + 1)];
        if (start.Length == 0 || LocalFile.IsKey(start[..^1]))
        {
            Walk(start);
        }

        // Names that went with the root while it was walked would look removed.
        _files.CheckRoot();
        return new ListPage(_entries, _isTruncated);
    }

    /// <summary>Walks one directory; false when the page is full.</summary>
    private bool Walk(string directory)
    {
        if (_files.TryDirectory(directory) is not { } identity)
        {
            return true;
        }

        if (_ancestors.Contains(identity))
        {
            SkippedNames++;
            return true;
        }

        _ancestors.Push(identity);
        foreach (Name name in SortedNames(directory))
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (!Visit(name))
            {
                return false;
            }
        }

        _ancestors.Pop();
        return true;
    }

    private bool Visit(Name name)
    {
        if (RolledUp(name.Text) is { } prefix)
        {
            return IsAfter(prefix) && IsNew(prefix) && Exists(name) ? Add(new ListEntry(prefix, null)) : true;
        }

        if (name.IsDirectory)
        {
            return Walk(name.Text);
        }

        if (!IsAfter(name.Text))
        {
            return true;
        }

        if (_files.TryStat(name.Text) is { } stat)
        {
            return Add(new ListEntry(name.Text, stat));
        }

        SkippedNames++;
        return true;
    }

    private bool Add(ListEntry entry)
    {
        if (_entries.Count == _query.MaxEntries)
        {
            _isTruncated = true;
            return false;
        }

        _entries.Add(entry);
        return true;
    }

    /// <summary>A link is only as good as what it leads to.</summary>
    private bool Exists(Name name) => name.IsDirectory ? _files.TryDirectory(name.Text) is not null : _files.TryStat(name.Text) is not null;

    /// <summary>The prefix entry that stands for this name, or null.</summary>
    private string? RolledUp(string name)
    {
        if (string.IsNullOrEmpty(_query.Delimiter) || name.Length <= _query.Prefix.Length)
        {
            return null;
        }

        int at = name.IndexOf(_query.Delimiter, _query.Prefix.Length, StringComparison.Ordinal);
        return at < 0 ? null : name[..(at + _query.Delimiter.Length)];
    }

    private bool IsAfter(string name) => _query.After is null || KeyOrder.Compare(name, _query.After) > 0;

    private bool IsNew(string prefix) => _entries.Count == 0 || !string.Equals(_entries[^1].Name, prefix, StringComparison.Ordinal);

    /// <summary>True when names below a directory can be wanted: not all sort before After, and the prefix does not exclude them.</summary>
    private bool IsWanted(string name, bool isDirectory)
    {
        if (!isDirectory)
        {
            return name.StartsWith(_query.Prefix, StringComparison.Ordinal) && IsAfter(name);
        }

        bool matches = name.StartsWith(_query.Prefix, StringComparison.Ordinal) || _query.Prefix.StartsWith(name, StringComparison.Ordinal);
        return matches && (IsAfter(name) || _query.After!.StartsWith(name, StringComparison.Ordinal));
    }

    private List<Name> SortedNames(string directory)
    {
        List<Name> names = [];
        try
        {
            FileSystemEnumerable<(string Name, bool IsDirectory)> entries = new(
                _files.PathOf(directory), static (ref entry) => (entry.FileName.ToString(), entry.IsDirectory), Everything);
            foreach ((string fileName, bool isDirectory) in entries)
            {
                // Of a huge directory this alone takes long: whoever has given up must not keep a thread with it.
                _cancellationToken.ThrowIfCancellationRequested();
                string text = isDirectory ? $"{directory}{fileName}/" : directory + fileName;
                if (!IsWanted(text, isDirectory))
                {
                    continue;
                }

                if (!IsNameOfKey(text, fileName))
                {
                    SkippedNames++;
                    continue;
                }

                names.Add(new Name(text, isDirectory));
            }
        }
        catch (DirectoryNotFoundException)
        {
            // Removed while listing: it has no names any more.
        }
        catch (UnauthorizedAccessException error)
        {
            throw new ForebayException(ErrorKind.AccessDenied, $"directory '{directory}' of {_files.DisplayName} may not be read", error);
        }
        catch (IOException error)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"directory '{directory}' of {_files.DisplayName} cannot be read: {error.Message}", error);
        }

        names.Sort(static (x, y) => KeyOrder.Compare(x.Text, y.Text));
        return names;
    }

    /// <summary>The runtime shows bytes that are not UTF-8 as U+FFFD; such a name does not lead back to its file.</summary>
    private bool IsNameOfKey(string key, string fileName)
        => Encoding.UTF8.GetByteCount(key) <= MaxKeyBytes
            && (!fileName.Contains('\uFFFD', StringComparison.Ordinal) || Path.Exists(_files.PathOf(key)));

    private readonly record struct Name(string Text, bool IsDirectory);
}
