using System.Runtime.InteropServices;
using Forebay.Mounting.Holding;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Forebay.Mounting.Working;

namespace Forebay.Mounting;

/// <summary>What the two processes of a mount do after they were started; the commands that they are started as call these.</summary>
public static class MountProcesses
{
    /// <summary>The command of a holder.</summary>
    public const string HolderVerb = "mount-holder";

    /// <summary>The command of a worker.</summary>
    public const string WorkerVerb = "mount-worker";

    private static readonly PosixSignal[] StopSignals = [PosixSignal.SIGTERM, PosixSignal.SIGINT];

    /// <summary>Holds a mount until it ends.</summary>
    /// <returns>Exit code of the process.</returns>
    public static int RunHolder()
    {
        using FuseKernelMount kernel = new();
        using StandardError error = new(descriptor: 2);
        using Holder holder = new(kernel, TimeProvider.System, error);
        PosixSignalRegistration[] signals = Catch(holder.RequestUnmount);
        try
        {
            return holder.Run(MessageSocket.From(ProcessSpawner.SocketDescriptor));
        }
        finally
        {
            Release(signals);
        }
    }

    /// <summary>Serves a mount until it ends or another worker takes over.</summary>
    /// <param name="version">Version of this program, for people.</param>
    /// <param name="create">Makes what is served.</param>
    /// <returns>Exit code of the process.</returns>
    public static int RunWorker(string version, CreateMountService create)
    {
        using StandardError error = new(descriptor: 2);
        using MountWorker worker = new(ProcessSpawner.SocketDescriptor, version, create, error);
        PosixSignalRegistration[] signals = Catch(worker.RequestUnmount);
        try
        {
            return worker.Run();
        }
        finally
        {
            Release(signals);
        }
    }

    private static PosixSignalRegistration[] Catch(Action stop) =>
    [
        .. StopSignals.Select(signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop();
        })),

        // Whoever closes a terminal does not end a mount.
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, static context => context.Cancel = true),
    ];

    private static void Release(PosixSignalRegistration[] signals)
    {
        foreach (PosixSignalRegistration signal in signals)
        {
            signal.Dispose();
        }
    }
}
