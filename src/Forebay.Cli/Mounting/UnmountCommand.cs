using System.CommandLine;

namespace Forebay.Cli.Mounting;

/// <summary><c>forebay unmount</c>: what it takes.</summary>
internal static class UnmountCommand
{
    public static Command Create()
    {
        Argument<string> directory = new("DIR") { Description = "The mount point." };
        Option<bool> lazy = new("--lazy", "-z") { Description = "Take it away at once; it ends when its last file is closed." };
        Option<bool> force = new("--force") { Description = "Abort what runs; programs that use it get errors." };
        Command command = new("unmount", "Unmounts a directory and waits until the mount's processes have ended.") { directory, lazy, force };
        command.SetAction((parsed, _) => Task.FromResult(
            UnmountRunner.Run(parsed.GetValue(directory)!, parsed.GetValue(lazy), parsed.GetValue(force), parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error)));
        return command.WithExamples("forebay unmount /mnt/data", "forebay unmount --lazy /mnt/data");
    }
}
