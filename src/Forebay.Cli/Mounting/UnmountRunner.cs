using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting.Launching;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>The work of <c>forebay unmount</c>.</summary>
internal static class UnmountRunner
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Unmounts; gives the exit code.</summary>
    public static int Run(string directory, bool lazy, bool force, TextWriter output, TextWriter error)
    {
        string path = FuseMount.Resolve(directory);
        RegisteredMount? mount = new MountRegistry(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable)).Find(path);
        try
        {
            if (MountEntry.Find(path) is { IsFuse: false } other)
            {
                error.WriteLine($"forebay: {path} is a mount of type {other.Type}, not one of Forebay; unmount it with 'umount {path}'.");
                return ExitCode.Usage;
            }

            FuseMount.Unmount(path, force ? FuseUnmountMode.Force : lazy ? FuseUnmountMode.Lazy : FuseUnmountMode.Plain);
        }
        catch (ForebayException e) when (e.Kind == ErrorKind.Unavailable && force)
        {
            // What ran was aborted; files that are still open keep only a dead mount.
            FuseMount.Unmount(path, FuseUnmountMode.Lazy);
        }
        catch (ForebayException e)
        {
            string next = e.Kind == ErrorKind.Unavailable ? $" 'forebay unmount --lazy {path}' takes it away now." : "";
            error.WriteLine($"forebay: {e.Message}{next}");
            return e.Kind == ErrorKind.NotFound ? ExitCode.NotFound : ExitCode.Environment;
        }

        if (mount is not null && !MountSteering.WaitForEnd(mount, lazy ? TimeSpan.FromSeconds(1) : Patience))
        {
            output.WriteLine($"{path} is gone; its processes ({mount.HolderPid}, {mount.WorkerPid}) end when its last file is closed.");
            return lazy ? ExitCode.Success : ExitCode.Failure;
        }

        return ExitCode.Success;
    }
}
