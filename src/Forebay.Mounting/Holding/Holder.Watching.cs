using Forebay.Core;
using Forebay.Mounting.Messages;

namespace Forebay.Mounting.Holding;

/// <summary>
/// What a worker that hangs does not tell: that it hangs, and that the mount has ended. One that is stopped, or whose requests wait for ever, is killed; the next one
/// answers what it had taken.
/// </summary>
internal sealed partial class Holder
{
    private static readonly TimeSpan AskPeriod = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan EndingPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GonePatience = TimeSpan.FromSeconds(2);

    private long _askAt;
    private long _lookAt;
    private long? _goneDeadline;

    /// <summary>A word of the worker is due after this time, or as early as it was before.</summary>
    private void Expect(WorkerSlot worker, TimeSpan patience) => worker.WordDue = Math.Min(worker.WordDue ?? long.MaxValue, _time.After(patience));

    private void AskWorker(TimeSpan patience)
    {
        // One that does not serve yet says so when it does.
        if (_current is not { Serving: true } worker)
        {
            return;
        }

        bool isAsked = worker.WordDue is not null;
        Expect(worker, patience);
        if (!isAsked)
        {
            worker.Socket.Send(new MessageWriter(MessageKind.Ask));
        }
    }

    private void OnAlive(WorkerSlot worker, bool isStuck)
    {
        worker.WordDue = null;
        if (isStuck && ReferenceEquals(worker, _current))
        {
            _log.Warn($"requests wait for worker {worker.Id} longer than any may; it is ended, and the next one answers them");
            Kill(worker);
        }
    }

    private static void Kill(WorkerSlot worker)
    {
        worker.Hung = true;
        worker.Watch?.Signal(Native.SignalKill);
    }

    private void CheckWorker()
    {
        long now = _time.GetTimestamp();
        if (_current is { WordDue: { } due } worker && now >= due)
        {
            _log.Warn($"worker {worker.Id} answers nothing; it is ended, and the next one goes on");
            worker.WordDue = null;
            Kill(worker);
            return;
        }

        if (now >= _askAt)
        {
            _askAt = _time.After(AskPeriod);
            AskWorker(AskPeriod);
        }
    }

    /// <summary>The device tells the end of the mount without being waited on, which would wake this process for every request.</summary>
    private void CheckMount()
    {
        if (_device is not { } device || !_told || _time.GetTimestamp() < _lookAt)
        {
            return;
        }

        _lookAt = _time.After(LookPeriod);
        if (!_kernel.IsGone(device))
        {
            if (!_isAway && _place is { } place && _kernel.MountsChanged() && MountsAtDirectory() is { } mounts && mounts.All(mount => mount.Device != place))
            {
                Leave();
            }

            return;
        }

        _goneDeadline ??= _time.After(GonePatience);
        if (_current is { } worker)
        {
            if (_time.GetTimestamp() < _goneDeadline)
            {
                return;
            }

            _log.Warn($"the mount has ended and worker {worker.Id} says nothing of it; it is ended, too");
            worker.Watch?.Signal(Native.SignalKill);
        }

        _exitCode ??= MountExit.Success;
    }
}
