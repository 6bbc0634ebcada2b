namespace Forebay.Cli.Mounting;

/// <summary>Arguments as mount(8), fstab and other tools write them, turned into those of <c>forebay mount</c>.</summary>
internal static class MountArguments
{
    /// <summary>The names of the link by which mount(8) finds this program.</summary>
    private static readonly string[] HelperNames = ["mount.fuse.forebay", "mount.forebay"];

    /// <summary>True when this process was started by the name of a mount helper.</summary>
    public static bool IsHelper(string calledAs) => HelperNames.Contains(Path.GetFileName(calledAs), StringComparer.Ordinal);

    /// <summary>What this process was called, as it stands in its list of arguments; the runtime hides it.</summary>
    public static string CalledAs()
    {
        try
        {
            string all = File.ReadAllText("/proc/self/cmdline");
            int end = all.IndexOf('\0', StringComparison.Ordinal);
            return end < 0 ? all : all[..end];
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary><c>SOURCE DIR [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]</c> as <c>forebay mount</c>; null when only a rehearsal is asked for (<c>-f</c>).</summary>
    public static string[]? FromHelper(IReadOnlyList<string> arguments)
    {
        List<string> translated = ["mount"];
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            switch (argument)
            {
                case "-o" when i + 1 < arguments.Count:
                    translated.AddRange(["-o", arguments[++i]]);
                    break;
                case "-N" or "-t" when i + 1 < arguments.Count:
                    i++;
                    break;
                case ['-', 'o', .. { Length: > 0 } options]:
                    translated.AddRange(["-o", options]);
                    break;
                case ['-', ..] when argument.Length > 1 && argument.Skip(1).All(letter => "sfnvrw".Contains(letter, StringComparison.Ordinal)):
                    if (argument.Contains('f', StringComparison.Ordinal))
                    {
                        return null;
                    }

                    if (argument.Contains('s', StringComparison.Ordinal))
                    {
                        translated.Add("--sloppy");
                    }

                    break;
                default:
                    translated.Add(argument);
                    break;
            }
        }

        return [.. translated];
    }

    /// <summary>Splits <c>-oumask=022</c>, which other tools take, into what the parser takes; touches no other command.</summary>
    public static IReadOnlyList<string> Split(IReadOnlyList<string> arguments)
    {
        if (arguments is not ["mount", ..] || !arguments.Any(IsAttached))
        {
            return arguments;
        }

        return [.. arguments.SelectMany(argument => IsAttached(argument) ? (string[])["-o", argument[2..]] : [argument])];
    }

    /// <summary>
    /// The plain form of <c>forebay mount</c>, read without building the command line, which takes as long as everything else before the mount's
    /// processes are started.
    /// </summary>
    /// <returns>Null for every other form, and for whatever may be wrong: the command line tells what.</returns>
    public static MountRequest? TryRead(IReadOnlyList<string> arguments)
    {
        if (arguments is not ["mount", ..])
        {
            return null;
        }

        List<string> places = [];
        List<string> options = [];
        List<string> caches = [];
        bool foreground = false;
        for (int i = 1; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            switch (argument)
            {
                case "-o" when i + 1 < arguments.Count && IsPlain(arguments[i + 1]):
                    options.Add(arguments[++i]);
                    break;
                case "--cache" when i + 1 < arguments.Count && IsPlain(arguments[i + 1]):
                    caches.Add(arguments[++i]);
                    break;
                case "-f" or "--foreground":
                    foreground = true;
                    break;
                default:
                    if (!IsPlain(argument))
                    {
                        return null;
                    }

                    places.Add(argument);
                    break;
            }
        }

        return places is [string source, string directory] ? new MountRequest(source, directory, options, caches, foreground, Sloppy: false) : null;
    }

    /// <summary>A word that means nothing but itself to the command line.</summary>
    private static bool IsPlain(string argument) => argument.Length > 0 && argument[0] is not ('-' or '@' or '[') && argument is not ("true" or "false");

    private static bool IsAttached(string argument) => argument.StartsWith("-o", StringComparison.Ordinal) && argument.Length > 2;
}
