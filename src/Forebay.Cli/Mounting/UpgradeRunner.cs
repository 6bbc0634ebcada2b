using Forebay.Core;
using Forebay.Fuse;
using Forebay.Mounting.Launching;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>The work of <c>forebay mount --upgrade</c>.</summary>
internal static class UpgradeRunner
{
    /// <summary>Upgrades; gives the exit code.</summary>
    public static int Run(string directory, TextWriter output, TextWriter error)
    {
        string path = FuseMount.Resolve(directory);
        MountRegistry registry = new(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable));
        if (registry.Find(path) is not { } mount)
        {
            error.WriteLine($"forebay: {path} is no mount of this user; 'forebay mount --list' shows them.");
            return ExitCode.NotFound;
        }

        try
        {
            (int worker, string version) = MountSteering.Upgrade(mount, Environment.ProcessPath!);
            output.WriteLine($"{path} is served by worker {worker}, version {version}");
            return ExitCode.Success;
        }
        catch (ForebayException e)
        {
            error.WriteLine($"forebay: {e.Message}");
            return ExitCode.Failure;
        }
    }
}
