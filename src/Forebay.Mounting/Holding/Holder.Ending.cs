using Forebay.Core;
using Forebay.Mounting.Messages;

namespace Forebay.Mounting.Holding;

/// <summary>How a mount ends: because somebody asks to, because nobody can serve it any more, or before it was made.</summary>
internal sealed partial class Holder
{
    private int _unmountRequests;

    /// <summary>The first request takes the mount away and lets it end with its last user; the second one does not wait for users.</summary>
    private void Unmount()
    {
        _unmountRequests++;
        if (_device is null)
        {
            Fail(MountExit.Failure, "Stopped before anything was mounted.");
            return;
        }

        bool isFirst = _unmountRequests == 1;
        TakeAway(isFirst ? UnmountMode.Clean : UnmountMode.Force);
        if (isFirst)
        {
            // Those who wait for a worker that hangs would keep the mount for ever.
            AskWorker(EndingPatience);
            return;
        }

        if (!_kernel.IsGone(_device))
        {
            // What is out of sight, or may not be forced, ends when nobody has its device any more.
            _log.Warn($"{_description} is aborted: programs that still use it get errors");
            _current?.Watch?.Signal(Native.SignalKill);
            _exitCode ??= MountExit.Success;
        }
    }

    /// <summary>Ends a mount that no worker serves: its users get errors instead of waiting, and its directory is free.</summary>
    private void GiveUp()
    {
        _log.Warn($"no worker has answered for {RespawnPolicy.GiveUpAfter.TotalMinutes:0} minutes; the mount is ended so that its users get errors instead of waiting");
        TakeAway(UnmountMode.Force);
        _exitCode = MountExit.Failure;
    }

    /// <summary>Unmounts by the directory, if this mount is what is seen there: by now it may be another one.</summary>
    private void TakeAway(UnmountMode mode)
    {
        if (_isAway || (_place is { } place && MountsAtDirectory() is { } mounts && (mounts is not [.., var top] || top.Device != place)))
        {
            _log.Warn($"{_description.Directory} does not show this mount any more, and is left alone; the mount ends with its last open file, or when it is asked to a second time");
            return;
        }

        try
        {
            if (!_kernel.Unmount(_description.Directory, mode))
            {
                _log.Warn($"{_description.Directory} is in use: it is taken away now and ends when its last file is closed");
                _kernel.Unmount(_description.Directory, UnmountMode.Lazy);
            }
        }
        catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
        {
            _log.Warn(e.Message);
        }
    }

    private void Fail(int exitCode, string sentence)
    {
        _log.Warn(sentence);
        if (!_told)
        {
            _launcher?.Send(Failure(exitCode, sentence));
        }

        _exitCode = exitCode == MountExit.Success ? MountExit.Failure : exitCode;
    }

    /// <summary>Leaves nothing behind: workers ended, entry and sockets removed.</summary>
    private void End()
    {
        if (!_told && _device is not null)
        {
            TakeAway(UnmountMode.Lazy);
        }

        // Without a holder's socket a worker that only waits, or that checks a source, ends by itself.
        foreach (WorkerSlot? worker in (ReadOnlySpan<WorkerSlot?>)[_standby, _next])
        {
            worker?.Socket.Dispose();
        }

        if (_current is { } current)
        {
            if (!_told)
            {
                current.Socket.Dispose();
            }

            current.Reap(EndPatience);
        }

        _standby?.Reap(TimeSpan.FromSeconds(2));
        _next?.Reap(TimeSpan.FromSeconds(2));
        Unregister();
        _log.Info($"ended {_description}");
    }
}
