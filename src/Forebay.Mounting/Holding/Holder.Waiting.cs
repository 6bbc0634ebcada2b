using Forebay.Mounting.Messages;

namespace Forebay.Mounting.Holding;

/// <summary>The loop: what is waited for, and who handles what came.</summary>
internal sealed unsafe partial class Holder
{
    private void WaitAndHandle(TimeSpan timeout)
    {
        Native.PollEntry* entries = stackalloc Native.PollEntry[7];
        entries[0] = Entry(_signals.Descriptor);
        entries[1] = Entry(_launcher?.Descriptor ?? -1);
        entries[2] = Entry(_current?.Socket.Descriptor ?? -1);
        entries[3] = Entry(_standby?.Socket.Descriptor ?? -1);
        entries[4] = Entry(_next?.Socket.Descriptor ?? -1);
        entries[5] = Entry(_listener is null || _acceptAt is not null ? -1 : _listener.Descriptor);
        entries[6] = Entry(_client?.Descriptor ?? -1);
        WorkerSlot?[] workers = [_current, _standby, _next];
        (MessageSocket? listener, MessageSocket? client) = (_listener, _client);
        if (Native.Poll(entries, 7, (int)Math.Ceiling(timeout.TotalMilliseconds)) <= 0)
        {
            return;
        }

        if (entries[0].Returned != 0)
        {
            _signals.Receive()?.Dispose();
            Unmount();
        }

        if (entries[1].Returned != 0)
        {
            HandleLauncher();
        }

        // Below, what came earlier in this round may have ended what it is looked at for.
        for (int i = 0; i < workers.Length; i++)
        {
            bool still = workers[i] is { } worker && (ReferenceEquals(worker, _current) || ReferenceEquals(worker, _standby) || ReferenceEquals(worker, _next));
            if (entries[2 + i].Returned != 0 && still && _exitCode is null)
            {
                ReceiveFrom(workers[i]!);
            }
        }

        if (entries[6].Returned != 0 && ReferenceEquals(client, _client))
        {
            HandleClient();
        }

        if (entries[5].Returned != 0 && ReferenceEquals(listener, _listener))
        {
            AcceptClient();
        }
    }

    private void ReceiveFrom(WorkerSlot worker)
    {
        try
        {
            using ReceivedMessage? received = worker.Socket.Receive();
            if (received is not null)
            {
                HandleWorker(worker, received);
                return;
            }
        }
        catch (MalformedMessageException e)
        {
            // A worker that cannot be understood cannot be led; the next one may be.
            worker.Failure ??= (MountExit.Failure, $"The worker cannot be understood: {e.Message}.");
            worker.Watch?.Signal(Native.SignalKill);
        }

        OnWorkerGone(worker);
    }

    private void HandleLauncher()
    {
        using ReceivedMessage? received = _launcher!.Receive();
        if (received is null)
        {
            _launcher.Dispose();
            _launcher = null;
            if (!_told)
            {
                Fail(MountExit.Failure, "The command that mounts was ended before the mount was ready.");
            }

            return;
        }

        Unmount();
    }

    private void CheckDeadlines()
    {
        if (_respawnAt is { } at && _time.GetTimestamp() >= at)
        {
            if (_kernel.IsGone(_device!))
            {
                _exitCode ??= MountExit.Success;
                return;
            }

            Replace();
        }

        if (_acceptAt is { } accept && _time.GetTimestamp() >= accept)
        {
            _acceptAt = null;
        }

        CheckStandby();
        CheckUpgrade();
        CheckWorker();
        CheckMount();
    }

    private TimeSpan NextTimeout(long nextTick)
    {
        ReadOnlySpan<long> moments = [_standbyAt ?? long.MaxValue, _respawnAt ?? long.MaxValue, _acceptAt ?? long.MaxValue, _upgradeDeadline ?? long.MaxValue, _current?.WordDue ?? long.MaxValue, _told && _device is not null ? _lookAt : long.MaxValue];
        long next = nextTick;
        foreach (long moment in moments)
        {
            next = Math.Min(next, moment);
        }

        long left = Math.Max(0, next - _time.GetTimestamp());
        return TimeSpan.FromSeconds((double)left / _time.TimestampFrequency);
    }

    private static Native.PollEntry Entry(int descriptor) => new() { Descriptor = descriptor, Events = Native.PollIn };
}
