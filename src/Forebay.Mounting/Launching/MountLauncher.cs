using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Launching;

/// <summary>What a launch came to.</summary>
/// <param name="ExitCode">From <see cref="MountExit"/>.</param>
/// <param name="Sentence">Why not; on success a warning, or empty.</param>
/// <param name="Running">The mount, while the launcher is to stay with it; to be disposed. Null without success.</param>
public sealed record LaunchResult(int ExitCode, string Sentence, RunningMount? Running);

/// <summary>Starts holder and worker side by side, and waits until the mount answers or one of them says why it does not.</summary>
public static class MountLauncher
{
    /// <summary>Longest wait for a mount; sources answer or fail within their own deadlines, which are shorter.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(100);

    /// <summary>Longest wait for the first answer of a mount that is made.</summary>
    public static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(15);

    /// <summary>Launches.</summary>
    /// <param name="description">The mount.</param>
    /// <param name="cancellationToken">Gives the mount up.</param>
    /// <exception cref="ForebayException">A process could not be started; nothing is left.</exception>
    public static LaunchResult Launch(MountDescription description, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(description);
        using SafeFileHandle? log = OpenLog(description);
        (MessageSocket mine, MessageSocket holders) = MessageSocket.Pair();
        (MessageSocket holdersEnd, MessageSocket workers) = MessageSocket.Pair();
        try
        {
            // The worker first: it takes longer to come up. All that it must know waits for it in its socket, so it does not wait for the holder to come up.
            using SafeFileHandle memory = SharedMemory.Create(description.RegionBytes);
            MessageWriter told = new(MessageKind.Describe);
            description.Write(told);
            holdersEnd.Send(told, memory);
            holdersEnd.Send(new MessageWriter(MessageKind.Begin).Blob(default));
            ProcessSpawner.Start(description.Command(MountProcesses.WorkerVerb), description.Environment, workers.Handle, log);
            int holder = ProcessSpawner.Start(description.Command(MountProcesses.HolderVerb), MountEnvironment.ForHolder(), holders.Handle, log);
            holders.Dispose();
            MessageWriter launch = new(MessageKind.Launch);
            description.Write(launch);
            mine.Send(launch, holdersEnd.Handle, memory);
            holdersEnd.Dispose();
            workers.Dispose();
            using CancellationTokenRegistration registration = cancellationToken.Register(mine.StopReceiving);
            return Await(description, mine, holder);
        }
        catch
        {
            mine.Dispose();
            throw;
        }
        finally
        {
            holders.Dispose();
            holdersEnd.Dispose();
            workers.Dispose();
        }
    }

    private static LaunchResult Await(MountDescription description, MessageSocket holder, int holderPid)
    {
        using FirstAnswer answer = new(description.Directory);
        if (!holder.Wait(Patience))
        {
            holder.Dispose();
            return new LaunchResult(MountExit.Unreachable, $"{description.Source} was not ready within {Patience.TotalSeconds:0} s; nothing was mounted.", null);
        }

        using ReceivedMessage? received = holder.Receive();
        if (received is null)
        {
            holder.Dispose();
            return new LaunchResult(MountExit.Failure, $"The mount ended before it was ready{(description.LogFile is { } file ? $"; see {file}" : "")}.", null);
        }

        MessageReader message = received.Read();
        if (message.Kind == MessageKind.Failed)
        {
            LaunchResult failed = new(message.Number(1, 255), message.Text(), null);
            holder.Dispose();
            ProcessWatch.TryOpen(holderPid)?.WaitForExit(TimeSpan.FromSeconds(15));
            return failed;
        }

        RunningMount running = new(holder, message.Number(1, int.MaxValue), message.Number(1, int.MaxValue));
        string warning = message.Text();
        if (!answer.Wait(AnswerPatience))
        {
            running.RequestUnmount();
            running.Dispose();
            return new LaunchResult(MountExit.Failure, $"{description.Directory} was mounted but did not answer within {AnswerPatience.TotalSeconds:0} s; it was unmounted again.", null);
        }

        return new LaunchResult(MountExit.Success, warning, running);
    }

    private static SafeFileHandle? OpenLog(MountDescription description)
    {
        if (description.LogFile is not { } file)
        {
            return null;
        }

        SafeFileHandle handle = new(
            Native.Open(file, Native.OpenWriteOnly | Native.OpenCreate | Native.OpenAppend | Native.OpenCloseOnExec | OpenFlags.NoFollow, 0x180 /* 0600 */), ownsHandle: true);
        return !handle.IsInvalid ? handle : throw SystemError.Last($"the log file {file} cannot be opened");
    }
}

/// <summary>
/// Asks a new mount itself, from a thread that may be left behind when it hangs. The thread is started while there is time: before there is a mount.
/// </summary>
internal sealed class FirstAnswer : IDisposable
{
    // Never disposed: a thread that is left behind still uses them, and nobody asks for their wait handles.
    private readonly SemaphoreSlim _begin = new(0);
    private readonly SemaphoreSlim _answered = new(0);
    private bool _isWanted;
    private bool _exists;

    /// <param name="directory">Where the mount will be. Not looked at before <see cref="Wait"/>.</param>
    internal FirstAnswer(string directory)
    {
        Thread asking = new(() => Ask(directory)) { IsBackground = true, Name = "mount answers" };
        asking.Start();
    }

    /// <summary>True when the mount shows a directory within the time.</summary>
    internal bool Wait(TimeSpan patience)
    {
        _isWanted = true;
        _begin.Release();
        return _answered.Wait(patience) && _exists;
    }

    public void Dispose() => _begin.Release();

    private void Ask(string directory)
    {
        // The first look at a directory takes some milliseconds longer than the second.
        _ = Directory.Exists("/");
        _begin.Wait();
        if (_isWanted)
        {
            _exists = Directory.Exists(directory);
            _answered.Release();
        }
    }
}

/// <summary>A mount as its launcher holds on to it. Disposing lets it run on.</summary>
public sealed class RunningMount : IDisposable
{
    private readonly MessageSocket _holder;

    internal RunningMount(MessageSocket holder, int holderPid, int workerPid)
    {
        _holder = holder;
        HolderPid = holderPid;
        WorkerPid = workerPid;
    }

    /// <summary>Process that owns the device.</summary>
    public int HolderPid { get; }

    /// <summary>Process that answered first.</summary>
    public int WorkerPid { get; }

    /// <summary>Asks to unmount; the second time without regard for who uses it.</summary>
    public void RequestUnmount() => _holder.Send(new MessageWriter(MessageKind.Unmount));

    /// <summary>Waits for the end of the mount, or of its holder.</summary>
    public void WaitForEnd()
    {
        while (_holder.Receive() is { } message)
        {
            message.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _holder.Dispose();
}
