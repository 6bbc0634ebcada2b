using System.Numerics;
using System.Text;
using Forebay.Core;

namespace Forebay.Mounting.Options;

/// <summary>What reading the options of a mount came to.</summary>
/// <param name="Options">What was understood; to be used only without faults.</param>
/// <param name="Faults">Everything that is wrong, one sentence each.</param>
/// <param name="Warnings">What does not stop the mount but should be known.</param>
public sealed record MountOptionResult(MountOptions Options, IReadOnlyList<string> Faults, IReadOnlyList<string> Warnings);

/// <summary>Reads <c>-o</c> as mount(8) writes it: names and values between commas, double quotes around values that hold commas; what comes later wins.</summary>
public static class MountOptionParser
{
    /// <summary>All names, for the documentation and for completion.</summary>
    public static IEnumerable<string> Names => MountOptionTable.Rows.Select(row => row.Name);

    /// <summary>The rows of the table in docs/MOUNT.md.</summary>
    public static IEnumerable<string> MarkdownRows => MountOptionTable.Rows.Select(row => row.ToMarkdown());

    /// <summary>Reads the values of all <c>-o</c>, in their order.</summary>
    /// <param name="texts">One element for each <c>-o</c>.</param>
    /// <param name="ignoreUnknown">Pass over names that are not known, as <c>mount -s</c> asks for.</param>
    public static MountOptionResult Parse(IEnumerable<string> texts, bool ignoreUnknown = false)
    {
        ArgumentNullException.ThrowIfNull(texts);
        MountOptions options = new();
        List<string> faults = [];
        List<string> warnings = [];
        HashSet<string> given = new(StringComparer.Ordinal);
        foreach (string text in texts)
        {
            foreach (string item in Split(text, faults))
            {
                int equals = item.IndexOf('=', StringComparison.Ordinal);
                string name = equals < 0 ? item : item[..equals];
                if (MountOptionTable.Find(name) is not { } row)
                {
                    if (!ignoreUnknown)
                    {
                        faults.Add(Unknown(name));
                    }

                    continue;
                }

                given.Add(name);
                if (row.Bind(options, equals < 0 ? null : item[(equals + 1)..], out string fault) is { } bound)
                {
                    options = bound;
                    continue;
                }

                faults.Add(fault);
            }
        }

        options = CheckTogether(options, given, faults, warnings);
        return new MountOptionResult(options, faults, warnings);
    }

    private static MountOptions CheckTogether(MountOptions options, HashSet<string> given, List<string> faults, List<string> warnings)
    {
        if (options.WriteAsked)
        {
            warnings.Add("rw was asked for, but this version does not write: mounted read-only.");
        }

        if (options.AllowOther && options.AllowRoot)
        {
            faults.Add("allow_other and allow_root exclude each other; allow_other includes root.");
        }

        if (options.SmallFiles && options.DirectIo)
        {
            faults.Add("small_files and direct_io exclude each other: the first reads through the kernel's page cache, the second goes past it.");
        }

        if (!BitOperations.IsPow2(options.PageSizeBytes))
        {
            faults.Add("page_size needs a power of two.");
        }

        if (options.Anonymous && (options.PasswordFile is not null || options.Profile is not null))
        {
            faults.Add("anonymous excludes passwd_file and profile; keep one.");
        }

        if (options.MaxRequests < options.ParallelCount)
        {
            if (given.Contains("max_multireq"))
            {
                faults.Add($"max_multireq={options.MaxRequests} is below parallel_count={options.ParallelCount}; give at least as many.");
            }

            options = options with { MaxRequests = options.ParallelCount };
        }

        return options;
    }

    private static string Unknown(string name)
    {
        string shown = name.Length <= 60 ? name : name[..60] + "…";
        string? nearest = NearestName.Find(name, Names);
        return nearest is null
            ? $"\"{shown}\" is not an option of a mount; docs/MOUNT.md lists them."
            : $"\"{shown}\" is not an option of a mount; did you mean \"{nearest}\"?";
    }

    /// <summary>Pieces between commas; double quotes protect commas and are taken away.</summary>
    private static List<string> Split(string text, List<string> faults)
    {
        List<string> pieces = [];
        StringBuilder piece = new();
        bool quoted = false;
        foreach (char c in text)
        {
            switch (c)
            {
                case '"':
                    quoted = !quoted;
                    break;
                case ',' when !quoted:
                    Take();
                    break;
                default:
                    piece.Append(c);
                    break;
            }
        }

        if (quoted)
        {
            faults.Add("the options hold a double quote without its pair.");
        }

        Take();
        return pieces;

        void Take()
        {
            // Empty pieces come from a list that begins or ends with a comma, as scripts make them.
            if (piece.Length > 0)
            {
                pieces.Add(piece.ToString());
                piece.Clear();
            }
        }
    }
}
