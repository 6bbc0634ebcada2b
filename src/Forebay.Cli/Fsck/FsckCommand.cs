using System.CommandLine;
using System.Runtime.InteropServices;

namespace Forebay.Cli.Fsck;

/// <summary><c>forebay fsck</c>: what it takes.</summary>
internal static class FsckCommand
{
    public static Command Create()
    {
        Argument<string[]> directories = new("DIR") { Description = "Cache directory of a node that does not run.", Arity = ArgumentArity.OneOrMore };
        Option<bool> quick = new("--quick", "-q") { Description = "Look at the index, names and lengths only, not at the bytes." };
        Option<OutputFormat> output = OutputOption.Create();
        Command command = new("fsck", "Verifies cache directories and says what the next start would do; changes nothing.") { directories, quick, output };
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
                {
                    context.Cancel = true;
                    stop.Cancel();
                });
                InvocationConfiguration console = parsed.InvocationConfiguration;
                FsckRunner runner = new(console.Output, console.Error, isInteractive: !Console.IsErrorRedirected, TimeProvider.System);
                return runner.Run(parsed.GetValue(directories)!, parsed.GetValue(quick), parsed.GetValue(output), stop.Token);
            },
            CancellationToken.None));
        return command.WithExamples("forebay fsck /mnt/nvme/forebay", "forebay fsck --quick --output json /mnt/nvme0/forebay /mnt/nvme1/forebay");
    }
}
