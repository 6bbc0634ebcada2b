using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting;

namespace Forebay.Cli.Mounting;

/// <summary>
/// The paths that the processes of a mount use themselves. None may lie in the mount: a worker that waits for its own mount waits for ever, and so does everybody else then.
/// </summary>
internal static class OwnPaths
{
    /// <summary>Compares with the mount point, links resolved as far as the paths are there.</summary>
    /// <param name="plan">Source, caches and logs.</param>
    /// <param name="description">Mount point, runtime directory, log and executable.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: one of them lies in the mount, or the mount in its source.</exception>
    public static void Check(MountPlan plan, MountDescription description)
    {
        string directory = description.Directory;
        List<(string What, string? Path)> used = [("The log", description.LogFile), ("access_log", plan.Options.AccessLogFile), ("The runtime directory", description.RuntimeDirectory), ("The executable", description.Executable)];
        used.AddRange(plan.Engine.Tiers.Select(static tier => ("The cache directory", (string?)tier.Directory)));
        if (plan.Mount.Source is { Scheme: "file", Root: var root })
        {
            used.Insert(0, ("The source", root));
            if (IsWithin(directory, FuseMount.Resolve(root)))
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"{directory} lies in its own source {root}: reading the source would wait for the mount. Choose a directory outside of it.");
            }
        }

        foreach ((string what, string? path) in used)
        {
            if (path is not null && IsWithin(FuseMount.Resolve(path), directory))
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"{what} {path} lies in {directory}: the mount would hide it and wait for itself. Choose a place outside of the mount.");
            }
        }
    }

    /// <summary>True for a directory itself and everything below it.</summary>
    internal static bool IsWithin(string path, string directory)
        => path.StartsWith(directory, StringComparison.Ordinal) && (path.Length == directory.Length || directory.EndsWith('/') || path[directory.Length] == '/');
}
