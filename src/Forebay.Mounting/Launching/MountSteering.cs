using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Forebay.Mounting.Registry;

namespace Forebay.Mounting.Launching;

/// <summary>What is asked of a mount that runs.</summary>
public static class MountSteering
{
    private static readonly TimeSpan UpgradePatience = TimeSpan.FromSeconds(60);

    /// <summary>Lets a worker of another executable take over.</summary>
    /// <param name="mount">From the registry.</param>
    /// <param name="executable">Absolute path.</param>
    /// <returns>Process id and version of the worker that took over.</returns>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: it did not; the worker that served before still does.</exception>
    public static (int WorkerPid, string Version) Upgrade(RegisteredMount mount, string executable)
    {
        ArgumentNullException.ThrowIfNull(mount);
        using MessageSocket holder = MessageSocket.Connect(mount.HolderSocket);
        holder.Send(new MessageWriter(MessageKind.Upgrade).Text(executable));
        if (!holder.Wait(UpgradePatience))
        {
            throw new ForebayException(ErrorKind.Timeout, $"The holder of {mount.Directory} (process {mount.HolderPid}) did not answer within {UpgradePatience.TotalSeconds:0} s; its log tells more.");
        }

        using ReceivedMessage? received = holder.Receive();
        if (received is null)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"The holder of {mount.Directory} ended during the upgrade; 'forebay mount --list' shows what runs.");
        }

        try
        {
            MessageReader message = received.Read();
            if (message.Kind == MessageKind.Upgraded)
            {
                return (message.Number(1, int.MaxValue), message.Text());
            }

            message.Number(0, 255);
            throw new ForebayException(ErrorKind.Unavailable, message.Text());
        }
        catch (MalformedMessageException e)
        {
            throw new ForebayException(ErrorKind.NotSupported, $"The holder of {mount.Directory} cannot be understood: {e.Message}. Unmount and mount again.", e);
        }
    }

    /// <summary>Waits for the end of both processes of a mount.</summary>
    /// <returns>False when the time passed first.</returns>
    public static bool WaitForEnd(RegisteredMount mount, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(mount);
        foreach (int process in (ReadOnlySpan<int>)[mount.HolderPid, mount.WorkerPid])
        {
            using ProcessWatch? watch = process == 0 ? null : ProcessWatch.TryOpen(process);
            if (watch is not null && !watch.WaitForExit(timeout))
            {
                return false;
            }
        }

        return true;
    }
}
