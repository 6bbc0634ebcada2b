using System.Globalization;
using System.Text;

namespace Forebay.Fuse;

/// <summary>One line of <c>/proc/self/mountinfo</c>: a mount as this process sees it. Reading it never touches the mount itself.</summary>
/// <param name="Id">Id of the mount.</param>
/// <param name="ParentId">Id of the mount it lies on.</param>
/// <param name="Major">Major device number.</param>
/// <param name="Minor">Minor device number.</param>
/// <param name="Directory">Absolute path of the mount point.</param>
/// <param name="Options">Options of this mount, comma-separated.</param>
/// <param name="Type">File system type, for example <c>fuse.forebay</c>.</param>
/// <param name="Source">What is mounted, as given to mount(2).</param>
/// <param name="SuperOptions">Options of the file system, comma-separated.</param>
public sealed record MountEntry(int Id, int ParentId, int Major, int Minor, string Directory, string Options, string Type, string Source, string SuperOptions)
{
    private const string MountInfoPath = "/proc/self/mountinfo";

    /// <summary>Number of the file system; no other one has it as long as this one is there.</summary>
    public (int Major, int Minor) Device => (Major, Minor);

    /// <summary>True for any FUSE mount.</summary>
    public bool IsFuse => Type is "fuse" or "fuseblk" || Type.StartsWith("fuse.", StringComparison.Ordinal);

    /// <summary>All mounts, lower ones first.</summary>
    public static IReadOnlyList<MountEntry> ReadAll() => Parse(File.ReadAllText(MountInfoPath));

    /// <summary>The topmost mount at exactly this directory.</summary>
    /// <param name="directory">Absolute path without symbolic links and trailing slash.</param>
    /// <returns>Null when nothing is mounted there.</returns>
    public static MountEntry? Find(string directory) => ReadAll().LastOrDefault(entry => string.Equals(entry.Directory, directory, StringComparison.Ordinal));

    /// <summary>Reads the form of <c>/proc/self/mountinfo</c>; lines that do not have it are left out.</summary>
    public static IReadOnlyList<MountEntry> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<MountEntry> entries = [];
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (ParseLine(line) is { } entry)
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    /// <summary>Fields: id, parent, major:minor, root, directory, options, optional fields up to "-", type, source, options of the file system.</summary>
    private static MountEntry? ParseLine(string line)
    {
        string[] fields = line.Split(' ');
        int dash = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
        if (dash < 6 || fields.Length < dash + 4)
        {
            return null;
        }

        string[] device = fields[2].Split(':');
        if (device.Length != 2 || !TryNumber(fields[0], out int id) || !TryNumber(fields[1], out int parent) || !TryNumber(device[0], out int major) || !TryNumber(device[1], out int minor))
        {
            return null;
        }

        return new MountEntry(id, parent, major, minor, Unescape(fields[4]), fields[5], Unescape(fields[dash + 1]), Unescape(fields[dash + 2]), fields[dash + 3]);
    }

    private static bool TryNumber(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>The kernel writes space, tab, newline and backslash as three octal digits.</summary>
    private static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        StringBuilder result = new(field.Length);
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length && IsOctal(field[i + 1]) && IsOctal(field[i + 2]) && IsOctal(field[i + 3]))
            {
                result.Append((char)(((field[i + 1] - '0') << 6) | ((field[i + 2] - '0') << 3) | (field[i + 3] - '0')));
                i += 3;
                continue;
            }

            result.Append(field[i]);
        }

        return result.ToString();
    }

    private static bool IsOctal(char character) => character is >= '0' and <= '7';
}
