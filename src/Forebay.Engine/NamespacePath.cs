using Forebay.Core;

namespace Forebay.Engine;

/// <summary>A path <c>/name/key…</c> taken apart. Keys are taken as they are: <c>//</c>, <c>.</c> and <c>..</c> mean nothing special.</summary>
/// <param name="MountPoint">Name of the mount point; empty for the root.</param>
/// <param name="Key">Key below it; empty for the mount point itself.</param>
public readonly record struct NamespacePath(string MountPoint, string Key)
{
    /// <summary>True for <c>/</c>, the root, which lies in no mount point.</summary>
    public bool IsRoot => MountPoint.Length == 0;

    /// <summary>True when the path means everything below it, whatever objects there are.</summary>
    public bool IsTree => Key.Length == 0 || Key.EndsWith('/');

    /// <summary>Takes a path apart.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: it does not begin with <c>/</c>, or has a key but no name before it.</exception>
    public static NamespacePath Parse(string? path)
    {
        if (string.IsNullOrEmpty(path) || path[0] != '/' || path.StartsWith("//", StringComparison.Ordinal))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"'{path}' is not a path of the namespace; write /name/key, where name is a mount point.");
        }

        int slash = path.IndexOf('/', 1);
        return slash < 0 ? new NamespacePath(path[1..], "") : new NamespacePath(path[1..slash], path[(slash + 1)..]);
    }

    /// <summary>The mount point it lies in.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: it is the root; <see cref="ErrorKind.NotFound"/>: there is no such mount point.</exception>
    public IMountPoint Find(INamespace tree)
    {
        ArgumentNullException.ThrowIfNull(tree);
        if (IsRoot)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "'/' lies in no mount point; write /name or /name/key.");
        }

        return tree.Find(MountPoint)
            ?? throw new ForebayException(
                ErrorKind.NotFound, $"There is no mount point '{MountPoint}'; there are: {string.Join(", ", tree.MountPoints.Take(20).Select(mount => mount.Name))}.");
    }

    /// <summary>The path of another key in the same mount point.</summary>
    public string Of(string key) => $"/{MountPoint}/{key}";
}
