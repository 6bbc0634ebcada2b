using Forebay.Core;

namespace Forebay.Engine;

/// <summary>A path <c>/name/key…</c> taken apart.</summary>
/// <param name="MountPoint">Name of the mount point.</param>
/// <param name="Key">Key below it; empty for the mount point itself.</param>
public readonly record struct NamespacePath(string MountPoint, string Key)
{
    /// <summary>True when the path means everything below it.</summary>
    public bool IsTree => Key.Length == 0 || Key.EndsWith('/');

    /// <summary>Takes a path apart.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: it does not begin with <c>/</c> and a name.</exception>
    public static NamespacePath Parse(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Length < 2 || path[0] != '/' || path[1] == '/')
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"'{path}' is not a path of the namespace. Write /NAME/key, where NAME is a mount point.");
        }

        int slash = path.IndexOf('/', 1);
        return slash < 0 ? new NamespacePath(path[1..], "") : new NamespacePath(path[1..slash], path[(slash + 1)..]);
    }
}
