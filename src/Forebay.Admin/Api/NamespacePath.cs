using Forebay.Core;
using Forebay.Engine;

namespace Forebay.Admin.Api;

/// <summary>A path <c>/name/key…</c> taken apart. Keys are taken as they are: <c>//</c>, <c>.</c> and <c>..</c> mean nothing special.</summary>
/// <param name="MountPoint">Name of the mount point; empty for the root.</param>
/// <param name="Key">Key below it; may be empty.</param>
internal readonly record struct NamespacePath(string MountPoint, string Key)
{
    public bool IsRoot => MountPoint.Length == 0;

    /// <summary>True when the path means everything below it, whatever objects there are.</summary>
    public bool IsTree => Key.Length == 0 || Key.EndsWith('/');

    public static NamespacePath Parse(string? path)
    {
        if (string.IsNullOrEmpty(path) || path[0] != '/')
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"The path '{path}' does not begin with '/'; write /name/key, where name is a mount point.");
        }

        int slash = path.IndexOf('/', startIndex: 1);
        return slash < 0 ? new NamespacePath(path[1..], "") : new NamespacePath(path[1..slash], path[(slash + 1)..]);
    }

    public IMountPoint Find(INamespace tree)
        => tree.Find(MountPoint)
            ?? throw new ForebayException(
                ErrorKind.NotFound, $"There is no mount point '{MountPoint}'; there are: {string.Join(", ", tree.MountPoints.Take(20).Select(mount => mount.Name))}.");

    public string Of(string key) => $"/{MountPoint}/{key}";
}
