using Forebay.Core;
using Forebay.Mounting.Messages;

namespace Forebay.Mounting.Holding;

/// <summary>
/// Replacing the worker by one of another executable: the new one starts and warms up, the old one drains and lets the cache go, then the new one begins. The two never serve together.
/// A new one that does not come up leaves the old one serving; one that fails after the change is followed by a worker of the old executable.
/// </summary>
internal sealed partial class Holder
{
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    /// <summary>Until then nobody is taken: where descriptors lack, who waits to be would wake the loop without end.</summary>
    private long? _acceptAt;
    private MessageSocket? _client;
    private WorkerSlot? _next;
    private long? _upgradeDeadline;
    private bool _draining;
    private bool _promoted;

    private void AcceptClient()
    {
        MessageSocket? client = _listener!.Accept();
        if (client is null)
        {
            _acceptAt = _time.After(AcceptPause);
            return;
        }

        uint user = client.Peer().User;
        if (_client is not null || (user != 0 && user != Native.EffectiveUser()))
        {
            client.Send(Failure(MountExit.Failure, _client is not null ? "An upgrade of this mount runs already." : "Only root and the owner of a mount may steer it."));
            client.Dispose();
            return;
        }

        _client = client;
    }

    private void HandleClient()
    {
        try
        {
            using ReceivedMessage? received = _client!.Receive();
            if (received is null)
            {
                // Who asked does not wait any more; what was begun goes on.
                _client.Dispose();
                _client = null;
                return;
            }

            MessageReader message = received.Read();
            if (message.Kind == MessageKind.Upgrade && _next is null)
            {
                BeginUpgrade(message.Text());
                return;
            }
        }
        catch (MalformedMessageException)
        {
            // Answered below.
        }

        _client!.Send(Failure(MountExit.Failure, "This is nothing that a holder does."));
        _client.Dispose();
        _client = null;
    }

    private void BeginUpgrade(string executable)
    {
        if (_current is not { Serving: true } || _unmountRequests > 0)
        {
            FailUpgrade("the mount has no worker at the moment, or is being ended; try again");
            return;
        }

        _next = TryStart(_description.Command(MountProcesses.WorkerVerb) with { File = executable });
        if (_next is null)
        {
            FailUpgrade($"{executable} cannot be started");
            return;
        }

        _upgradeDeadline = _time.After(UpgradePatience);
    }

    private void DrainCurrent()
    {
        _draining = true;
        _upgradeDeadline = _time.After(DrainPatience);
        if (_current is null)
        {
            PromoteNext();
            return;
        }

        _current.Socket.Send(new MessageWriter(MessageKind.Drain));
    }

    /// <summary>The old worker is gone: the new one begins, if there is one that can.</summary>
    private bool PromoteNext()
    {
        if (_next is not { SaidHello: true } next)
        {
            return false;
        }

        (_current, _next) = (next, null);
        _upgradeDeadline = null;
        _draining = false;
        _promoted = true;
        Expect(next, StartPatience);
        BeginCurrent();

        // The standby was started from the old executable.
        EndStandby();
        return true;
    }

    private void CompleteUpgrade(WorkerSlot worker)
    {
        if (!_promoted)
        {
            return;
        }

        _promoted = false;
        _description = _description with { Executable = worker.Executable };
        _log.Info($"worker {worker.Id} of version {worker.Version} took over");
        _client?.Send(new MessageWriter(MessageKind.Upgraded).Number(worker.Id).Text(worker.Version));
        _client?.Dispose();
        _client = null;
    }

    private void CheckUpgrade()
    {
        if (_upgradeDeadline is not { } deadline || _time.GetTimestamp() < deadline)
        {
            return;
        }

        _upgradeDeadline = null;
        if (_draining)
        {
            // Requests it had are sent again to the next one, as after any death.
            _log.Warn($"worker {_current?.Id} did not drain in {DrainPatience.TotalSeconds:0} s and is ended");
            _current?.Watch?.Signal(Native.SignalKill);
            return;
        }

        FailUpgrade($"the new worker did not come up in {UpgradePatience.TotalSeconds:0} s");
    }

    private void FailUpgrade(string why)
    {
        _upgradeDeadline = null;
        if (_next is { } next)
        {
            next.Socket.Dispose();
            next.Reap(TimeSpan.FromMilliseconds(100));
            next.Dispose();
            _next = null;
        }

        // Where the old one is gone, or on its way out, the next one is of its executable again.
        string served = _promoted || _draining ? "A worker of the executable before takes over" : "The worker that served it before still does";
        _promoted = false;
        _draining = false;
        _log.Warn($"upgrade refused: {why}");
        _client?.Send(Failure(MountExit.Failure, $"The mount was not upgraded: {why}. {served}."));
        _client?.Dispose();
        _client = null;
    }
}
