using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>Paths inside a mount, as a verb was given them, and the worker that knows them.</summary>
internal sealed class MountedPaths
{
    private readonly RegisteredMount _mount;

    private MountedPaths(RegisteredMount mount) => _mount = mount;

    /// <summary>Socket of the mount's worker.</summary>
    public string Socket => _mount.ControlSocket;

    /// <summary>Why the paths cannot be used together; null when they can.</summary>
    public string? Fault { get; private init; }

    /// <summary>The mount that paths lie in; null when the first of them lies in none. Looks only at names: a mount may hang.</summary>
    public static MountedPaths? Find(IEnumerable<string> paths)
    {
        MountRegistry registry = new(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable));
        MountedPaths? found = null;
        foreach (string path in paths)
        {
            RegisteredMount? around = registry.FindAround(Path.GetFullPath(path))?.Mount;
            if (found is null)
            {
                if (around is null)
                {
                    return null;
                }

                found = new MountedPaths(around);
            }
            else if (!string.Equals(around?.Directory, found._mount.Directory, StringComparison.Ordinal))
            {
                return new MountedPaths(found._mount) { Fault = $"'{path}' does not lie in {found._mount.Directory} as the first path does; name the paths of one mount at a time." };
            }
        }

        return found;
    }

    /// <summary>A path below the mount point as the worker's namespace has it.</summary>
    public string ToNamespace(string path)
    {
        string full = Path.GetFullPath(path);
        string below = full.Length <= _mount.Directory.Length ? "" : full[(_mount.Directory.Length + 1)..];
        return $"/{_mount.Name}/{below}";
    }
}
