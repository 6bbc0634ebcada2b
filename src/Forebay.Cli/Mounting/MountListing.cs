using System.Globalization;
using System.Text.Json;
using Forebay.Cli.Verbs;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>The work of <c>forebay mount --list</c>.</summary>
internal static class MountListing
{
    /// <summary>Prints the mounts of this user.</summary>
    public static int Run(bool json, TextWriter output)
    {
        IReadOnlyList<RegisteredMount> mounts = new MountRegistry(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable)).List();
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(
                mounts.Select(mount => new MountRow(mount.Source, mount.Directory, mount.HolderPid, mount.WorkerPid, mount.Passthrough, mount.WorkerVersion)).ToList(), VerbJson.Default.ListMountRow));
            return ExitCode.Success;
        }

        output.Write(HumanText.Table(
            ["<SOURCE", "<DIRECTORY", "HOLDER", "WORKER", "<PASSTHROUGH", "<VERSION"],
            [.. mounts.Select(mount => new[]
            {
                HumanText.Safe(mount.Source), HumanText.Safe(mount.Directory), Number(mount.HolderPid), Number(mount.WorkerPid), mount.Passthrough ? "yes" : "no", mount.WorkerVersion,
            })]));
        return ExitCode.Success;
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One mount in JSON.</summary>
internal sealed record MountRow(string Source, string Directory, int HolderPid, int WorkerPid, bool Passthrough, string Version);
