using Forebay.Cli;
using Forebay.Cli.Mounting;
using Forebay.Engine;
using Forebay.Mounting;

BundledLibraries.Offer();

// The processes of a mount are started in the middle of somebody's read: they do not wait for a command line to be built.
switch (args)
{
    case [MountProcesses.HolderVerb, ..]:
        return MountProcesses.RunHolder();
    case [MountProcesses.WorkerVerb, ..]:
        return MountProcesses.RunWorker(ProductVersion.Text, static (description, memory) => new EngineMountService(description, memory));
    default:
        break;
}

if (MountArguments.IsHelper(MountArguments.CalledAs()))
{
    if (MountArguments.FromHelper(args) is not { } translated)
    {
        return ExitCode.Success;
    }

    args = translated;
}

IReadOnlyList<string> split = MountArguments.Split(args);
return MountArguments.TryRead(split) is { } request
    ? await MountRunner.RunAsync(request, Console.Out, Console.Error, CancellationToken.None)
    : await CommandLine.RunAsync(split, Console.Out, Console.Error);
