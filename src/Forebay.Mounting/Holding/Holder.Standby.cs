using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;

namespace Forebay.Mounting.Holding;

/// <summary>The worker that waits, warm, to take over; and how a worker is started.</summary>
internal sealed partial class Holder
{
    /// <summary>Whoever waited for the mount goes first.</summary>
    private static readonly TimeSpan StandbyDelay = TimeSpan.FromMilliseconds(100);

    private long? _standbyAt;

    private void CheckStandby()
    {
        if (_standbyAt is not { } at || _time.GetTimestamp() < at)
        {
            return;
        }

        _standbyAt = null;
        if (_current is { Serving: true })
        {
            EnsureStandby();
        }
    }

    private void EnsureStandby()
    {
        if (_description.Standby && _standby is null && _exitCode is null && _unmountRequests == 0 && !_isAway)
        {
            _standby = TryStart(_description.Command(MountProcesses.WorkerVerb));
        }
    }

    private void EndStandby()
    {
        _standby?.Socket.Dispose();
        _standby?.Reap(TimeSpan.FromSeconds(2));
        _standby?.Dispose();
        _standby = null;
    }

    private WorkerSlot? TryStart(SpawnCommand command)
    {
        (MessageSocket mine, MessageSocket its) = MessageSocket.Pair();
        try
        {
            int process = ProcessSpawner.Start(command, _description.Environment, its.Handle, log: null);
            return new WorkerSlot(mine, command.File) { Id = process, Watch = ProcessWatch.TryOpen(process) };
        }
        catch (ForebayException e)
        {
            _log.Warn(e.Message);
            mine.Dispose();
            return null;
        }
        finally
        {
            its.Dispose();
        }
    }
}
