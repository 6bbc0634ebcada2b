using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Options;
using Forebay.Mounting.Processes;
using Forebay.Mounting.Registry;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Holding;

/// <summary>
/// The process that owns a mount: it keeps the device, the shared memory and what INIT negotiated, and sees that a worker serves. It never touches the mount itself.
/// </summary>
/// <remarks>
/// One thread, one loop over poll(2): no locks. 1. a launcher (or an orphaned worker) tells what is mounted; 2. the first worker says that the source can be served;
/// 3. the mount is made; 4. workers that end are replaced; 5. the kernel ends the mount, or somebody asks to.
/// A failure before step 3 leaves nothing behind; after it, the mount outlives everything but its own unmounting and <see cref="RespawnPolicy.GiveUpAfter"/> without a worker that answers.
/// </remarks>
internal sealed partial class Holder : IDisposable
{
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan UpgradePatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TickPeriod = TimeSpan.FromSeconds(5);

    private readonly IKernelMount _kernel;
    private readonly TimeProvider _time;
    private readonly TextWriter _error;
    private readonly RespawnPolicy _policy;
    private readonly MessageSocket _signals;
    private readonly MessageSocket _signalSource;

    private MountDescription _description = null!;
    private MountRegistry _registry = null!;
    private HolderLog _log = null!;
    private string _id = "";
    private string _warning = "";
    private SafeFileHandle? _memory;
    private SafeFileHandle? _device;
    private byte[]? _connection;
    private bool _passthrough;

    private MessageSocket? _launcher;
    private WorkerSlot? _current;
    private WorkerSlot? _standby;
    private long? _respawnAt;
    private int _workerRespawns;
    private int _holderRespawns;
    private bool _told;
    private int? _exitCode;

    /// <summary>Prepares a holder.</summary>
    /// <param name="kernel">Makes and ends mounts.</param>
    /// <param name="time">Clock.</param>
    /// <param name="error">Where the log goes.</param>
    public Holder(IKernelMount kernel, TimeProvider time, TextWriter error)
    {
        _kernel = kernel;
        _time = time;
        _error = error;
        _policy = new RespawnPolicy(time);
        (_signals, _signalSource) = MessageSocket.Pair();
    }

    /// <summary>Asks to unmount, from a signal handler or another thread.</summary>
    public void RequestUnmount() => _signalSource.Send(new MessageWriter(MessageKind.Unmount));

    /// <summary>Holds one mount from beginning to end.</summary>
    /// <param name="first">Where the description comes from: a launcher, or a worker whose holder died. Owned from here on.</param>
    /// <returns>Exit code of the process.</returns>
    public int Run(MessageSocket first)
    {
        if (!Begin(first))
        {
            return MountExit.Failure;
        }

        long nextTick = _time.GetTimestamp();
        while (_exitCode is null)
        {
            if (_time.GetTimestamp() >= nextTick)
            {
                _log.Trim();
                CheckRegistration();
                nextTick = _time.After(TickPeriod);
            }

            CheckDeadlines();
            if (_exitCode is null)
            {
                WaitAndHandle(NextTimeout(nextTick));
            }
        }

        End();
        return _exitCode.Value;
    }

    public void Dispose()
    {
        _signals.Dispose();
        _signalSource.Dispose();
        _launcher?.Dispose();
        _current?.Dispose();
        _standby?.Dispose();
        _next?.Dispose();
        _client?.Dispose();
        _listener?.Dispose();
        _memory?.Dispose();
        _device?.Dispose();
        _lock?.Dispose();
    }

    private bool Begin(MessageSocket first)
    {
        using ReceivedMessage? received = first.Receive();
        if (received is null)
        {
            first.Dispose();
            return false;
        }

        try
        {
            MessageReader message = received.Read();
            switch (message.Kind)
            {
                case MessageKind.Launch:
                    _launcher = first;
                    Take(MountDescription.Read(ref message));
                    message.End();
                    SafeFileHandle worker = received.TakeDescriptor(0) ?? throw new MalformedMessageException("a launch without the socket of its worker");
                    _current = new WorkerSlot(new MessageSocket(worker), _description.Executable) { Begun = true };
                    _memory = received.TakeDescriptor(1) ?? throw new MalformedMessageException("a launch without shared memory");
                    Claim();
                    break;
                case MessageKind.Adopt:
                    Take(MountDescription.Read(ref message));
                    _connection = message.Blob().ToArray();
                    _passthrough = message.Number(0, 1) == 1;
                    _current = new WorkerSlot(first, _description.Executable)
                    {
                        Id = message.Number(1, int.MaxValue), Version = message.Text(), SaidHello = true, ServingSince = _time.GetTimestamp(), Answered = true,
                    };
                    message.End();
                    _memory = received.TakeDescriptor(0);
                    _device = received.TakeDescriptor(1) ?? throw new MalformedMessageException("an adoption without the device");
                    _current.Watch = ProcessWatch.TryOpen(_current.Id);
                    _told = true;
                    _log.Info($"holder {Environment.ProcessId} took over {_description} from a holder that ended");
                    Inherit();
                    EnsureStandby();
                    break;
                default:
                    throw new MalformedMessageException($"a holder cannot begin with a message of kind {message.Kind}");
            }

            return true;
        }
        catch (Exception e) when (e is ForebayException or MalformedMessageException or IOException)
        {
            _error.WriteLine($"forebay: {e.Message}");
            first.Send(Failure(MountExit.Environment, e.Message));
            return false;
        }
    }

    private void HandleWorker(WorkerSlot worker, ReceivedMessage received)
    {
        MessageReader message = received.Read();
        switch (message.Kind)
        {
            case MessageKind.Hello:
                worker.Id = message.Number(1, int.MaxValue);
                worker.Version = message.Text();
                worker.Watch ??= ProcessWatch.TryOpen(worker.Id);
                worker.SaidHello = true;
                if (worker.Begun)
                {
                    break;
                }

                MessageWriter description = new(MessageKind.Describe);
                _description.Write(description);
                worker.Socket.Send(description, _memory!);
                if (ReferenceEquals(worker, _current))
                {
                    BeginCurrent();
                }
                else if (ReferenceEquals(worker, _next))
                {
                    DrainCurrent();
                }

                break;
            case MessageKind.CanServe when ReferenceEquals(worker, _current) && _device is null:
                _warning = message.Text();
                MakeMount();
                break;
            case MessageKind.Serving when ReferenceEquals(worker, _current):
                _connection = message.Blob().ToArray();
                _passthrough = message.Number(0, 1) == 1;
                OnServing(worker);
                break;
            case MessageKind.Alive:
                OnAlive(worker, isStuck: message.Number(0, 1) == 1);
                break;
            case MessageKind.Answered:
                worker.Answered = true;
                _policy.Answered();
                if (_told && _standbyAt is null)
                {
                    EnsureStandby();
                }

                break;
            case MessageKind.Failed:
                worker.Failure = (message.Number(0, 255), message.Text());
                break;
            case MessageKind.Drained:
                worker.Drained = true;
                break;
            case MessageKind.Unmounted:
                _exitCode ??= MountExit.Success;
                break;
            case MessageKind.Unmount:
                Unmount();
                break;
            default:
                throw new MalformedMessageException($"a worker sent a message of kind {message.Kind}");
        }
    }

    private void BeginCurrent()
    {
        MessageWriter begin = new MessageWriter(MessageKind.Begin).Blob(_connection);
        if (_device is { } device && _connection is not null)
        {
            _current!.Socket.Send(begin, device);
            return;
        }

        _current!.Socket.Send(begin);
    }

    private void MakeMount()
    {
        try
        {
            MountOptions options = MountOptionParser.Parse(_description.Options, ignoreUnknown: true).Options;
            _device = _kernel.Mount(_description, options);
        }
        catch (ForebayException e)
        {
            Fail(MountExit.Environment, e.Message);
            return;
        }

        _place = MountsAtDirectory() is [.., var top] ? top.Device : null;
        _current!.Socket.Send(new MessageWriter(MessageKind.Device), _device);

        // While the worker comes to terms with the kernel; what they agreed on follows.
        Publish();
    }

    private void OnServing(WorkerSlot worker)
    {
        worker.ServingSince = _time.GetTimestamp();
        worker.WordDue = null;
        Publish();
        if (!_told)
        {
            _told = true;
            _kernel.Tune(_description.Directory);
            _log.Info($"mounted {_description}: holder {Environment.ProcessId}, worker {worker.Id}");
            _launcher?.Send(new MessageWriter(MessageKind.Ready).Number(Environment.ProcessId).Number(worker.Id).Text(_warning));
            _standbyAt = _time.After(StandbyDelay);
            return;
        }

        _log.Info($"worker {worker.Id} serves {_description}");
        CompleteUpgrade(worker);

        // Not only at a first answer: a mount that the kernel answers by itself may ask nothing for hours.
        EnsureStandby();
    }

    private void OnWorkerGone(WorkerSlot worker)
    {
        worker.Reap(TimeSpan.FromSeconds(2));
        worker.Dispose();
        if (ReferenceEquals(worker, _standby))
        {
            _standby = null;
            return;
        }

        if (ReferenceEquals(worker, _next))
        {
            FailUpgrade(worker.Failure?.Sentence ?? "the new worker ended before it could take over");
            return;
        }

        _current = null;
        if (_device is null || _connection is null)
        {
            (int code, string sentence) = worker.Failure ?? (MountExit.Failure, $"The worker ended before it could serve{(_description.LogFile is { } file ? $"; see {file}" : "")}.");
            Fail(code, sentence);
            return;
        }

        if (_kernel.IsGone(_device))
        {
            _exitCode ??= MountExit.Success;
            return;
        }

        if (_promoted)
        {
            FailUpgrade((worker.Failure?.Sentence ?? "the new worker ended before it served").TrimEnd('.'));
        }

        if (PromoteNext())
        {
            return;
        }

        if (_policy.Died(worker.Answered, HealthyTimeOf(worker)) is not { } delay)
        {
            GiveUp();
            return;
        }

        _log.Warn($"worker {worker.Id} ended{(worker.Failure is { } failure ? $" ({failure.Sentence})" : "")}; the next one starts {(delay == TimeSpan.Zero ? "at once" : $"in {delay.TotalMilliseconds:0} ms")}");
        if (delay == TimeSpan.Zero)
        {
            Replace();
            return;
        }

        _respawnAt = _time.After(delay);
    }

    /// <summary>The standby takes over, also one that is still starting; else a new worker is started.</summary>
    private void Replace()
    {
        _respawnAt = null;
        _workerRespawns++;
        if (_standby is { } standby)
        {
            (_current, _standby) = (standby, null);
            Expect(standby, StartPatience);
            if (standby.SaidHello)
            {
                BeginCurrent();
            }

            return;
        }

        _current = TryStart(_description.Command(MountProcesses.WorkerVerb));
        if (_current is null)
        {
            if (_policy.Died(answered: false, TimeSpan.Zero) is { } delay)
            {
                _respawnAt = _time.After(delay);
                return;
            }

            GiveUp();
            return;
        }

        Expect(_current, StartPatience);
    }

    /// <summary>How long it has served without hanging.</summary>
    private TimeSpan HealthyTimeOf(WorkerSlot worker) => worker is { ServingSince: { } since, Hung: false } ? _time.GetElapsedTime(since) : TimeSpan.Zero;

    private static MessageWriter Failure(int exitCode, string sentence) => new MessageWriter(MessageKind.Failed).Number(exitCode).Text(sentence);
}
