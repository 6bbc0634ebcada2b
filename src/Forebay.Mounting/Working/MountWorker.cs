using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Working;

/// <summary>
/// The worker's side: it does what its holder says, tells it what the kernel and the engine say, and starts a new holder when its own dies.
/// </summary>
/// <remarks>The thread that calls <see cref="Run"/> receives; opening, serving and draining go on elsewhere and report through <see cref="Send"/>.</remarks>
public sealed class MountWorker : IDisposable
{
    private static readonly TimeSpan LongestHolderDelay = TimeSpan.FromSeconds(5);

    private readonly CreateMountService _create;
    private readonly string _version;
    private readonly TextWriter _error;
    private readonly ManualResetEventSlim _servingKnown = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _state = new();
    private volatile MessageSocket _holder;
    private MountDescription? _description;
    private SafeFileHandle? _memory;
    private SafeFileHandle? _device;
    private MountService? _service;
    private MountServing? _serving;
    private int? _exitCode;
    private int _holderChild;

    // Holders in a row that did not come so far as to ask.
    private int _holderAttempts;
    private volatile bool _draining;

    /// <summary>Prepares a worker.</summary>
    /// <param name="holder">Descriptor of the socket to the holder; owned from here on.</param>
    /// <param name="version">Version of this program, for people.</param>
    /// <param name="create">Makes what is served.</param>
    /// <param name="error">Takes sentences for people, from any thread; must not wait. Must outlive the worker.</param>
    public MountWorker(int holder, string version, CreateMountService create, TextWriter error)
    {
        _holder = MessageSocket.From(holder);
        _version = version;
        _create = create;
        _error = error;
    }

    /// <summary>The descriptor under which a worker and a holder find their socket.</summary>
    public static int InheritedSocket => ProcessSpawner.SocketDescriptor;

    /// <summary>Asks the holder to unmount, from a signal handler.</summary>
    public void RequestUnmount() => Send(new MessageWriter(MessageKind.Unmount));

    /// <summary>Works until the mount ends, or this worker is not needed any more.</summary>
    /// <returns>Exit code of the process.</returns>
    public int Run()
    {
        Send(new MessageWriter(MessageKind.Hello).Number(Environment.ProcessId).Text(_version));
        while (true)
        {
            if (!ReceiveUntilGone())
            {
                return MountExit.Failure;
            }

            lock (_state)
            {
                if (_exitCode is { } code)
                {
                    return code;
                }

                if (_device is null)
                {
                    // Nothing is mounted by this worker: it was a standby, or the mount was given up.
                    return MountExit.Success;
                }
            }

            _servingKnown.Wait();
            if (!StartHolder())
            {
                lock (_state)
                {
                    return _exitCode ?? MountExit.Failure;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _holder.Dispose();
        _memory?.Dispose();
        _servingKnown.Dispose();
    }

    /// <summary>Handles messages until the holder is gone; false when it cannot be understood.</summary>
    private bool ReceiveUntilGone()
    {
        try
        {
            while (true)
            {
                using ReceivedMessage? received = _holder.Receive();
                if (received is null)
                {
                    return true;
                }

                Handle(received);
            }
        }
        catch (MalformedMessageException e)
        {
            Send(new MessageWriter(MessageKind.Failed).Number(MountExit.Failure).Text($"The holder cannot be understood: {e.Message}."));
            return false;
        }
        catch (ForebayException e)
        {
            Send(new MessageWriter(MessageKind.Failed).Number(CodeOf(e.Kind)).Text(e.Message));
            return false;
        }
    }

    private void Handle(ReceivedMessage received)
    {
        MessageReader message = received.Read();
        switch (message.Kind)
        {
            case MessageKind.Describe when _service is null:
                _description = MountDescription.Read(ref message);
                message.End();
                _memory = received.TakeDescriptor(0) ?? throw new MalformedMessageException("a description without shared memory");
                MountService made = _create(_description, _memory);
                _service = made;
                _ = Task.Run(made.WarmUp);
                break;
            case MessageKind.Begin when _service is { } service && _device is null:
                byte[] connection = message.Blob().ToArray();
                SafeFileHandle? device = received.TakeDescriptor(0);
                if (device is null)
                {
                    _ = Task.Run(() => OpenAsync(service));
                    break;
                }

                Keep(device);
                _ = Task.Run(() => SucceedAsync(service, device, connection));
                break;
            case MessageKind.Device when _service is { } service && _device is null:
                SafeFileHandle opened = received.TakeDescriptor(0) ?? throw new MalformedMessageException("a device without its descriptor");
                Keep(opened);
                _ = Task.Run(() => TryAsync(() => ServeAsync(service, opened, connection: null)));
                break;
            case MessageKind.Failed when _servingKnown.IsSet:
                // A holder that was to take over says why it cannot, and ends; the next one may.
                message.Number(0, 255);
                _error.WriteLine($"forebay: {message.Text()}");
                break;
            case MessageKind.Ask:
                _holderAttempts = 0;
                Send(new MessageWriter(MessageKind.Alive).Number(_service is { IsStuck: true } ? 1 : 0));
                break;
            case MessageKind.Drain:
                _ = Task.Run(DrainAsync);
                break;
            default:
                throw new MalformedMessageException($"a holder sent a message of kind {message.Kind} that does not fit");
        }
    }

    private void Keep(SafeFileHandle device)
    {
        lock (_state)
        {
            _device = device;
        }
    }

    private Task OpenAsync(MountService service) => TryAsync(async () =>
    {
        string? warning = await service.OpenAsync(checkSource: true, _stop.Token);
        Send(new MessageWriter(MessageKind.CanServe).Text(warning ?? ""));
    });

    private Task SucceedAsync(MountService service, SafeFileHandle device, byte[] connection) => TryAsync(async () =>
    {
        await service.OpenAsync(checkSource: false, _stop.Token);
        await ServeAsync(service, device, connection);
    });

    private async Task ServeAsync(MountService service, SafeFileHandle device, byte[]? connection)
    {
        MountServing serving = await service.ServeAsync(device, connection, () => Send(new MessageWriter(MessageKind.Answered)));
        lock (_state)
        {
            _serving = serving;
        }

        _servingKnown.Set();
        Send(new MessageWriter(MessageKind.Serving).Blob(serving.Connection).Number(serving.Passthrough ? 1 : 0));
        await service.Ended;
        if (_draining)
        {
            // The session ended because it was asked to; the mount lives.
            return;
        }

        Send(new MessageWriter(MessageKind.Unmounted));
        await EndAsync(MountExit.Success);
    }

    private Task DrainAsync() => TryAsync(async () =>
    {
        _draining = true;
        if (_service is { } service)
        {
            await service.DrainAsync(_stop.Token);
        }

        await EndAsync(MountExit.Success, new MessageWriter(MessageKind.Drained));
    });

    /// <summary>Whatever fails is told to the holder in a sentence, and this worker ends.</summary>
    private async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends already.
        }
        catch (Exception e)
        {
            int code = e is ForebayException known ? CodeOf(known.Kind) : MountExit.Failure;
            Send(new MessageWriter(MessageKind.Failed).Number(code).Text(e is ForebayException ? e.Message : $"The worker failed: {e.GetType().Name}: {e.Message}"));
            await EndAsync(code);
        }
    }

    /// <summary>Lets the service go and wakes the thread that receives.</summary>
    private async Task EndAsync(int exitCode, MessageWriter? last = null)
    {
        lock (_state)
        {
            if (_exitCode is not null)
            {
                return;
            }

            _exitCode = exitCode;
        }

        try
        {
            if (_service is not null)
            {
                await _service.DisposeAsync();
            }
        }
        catch (Exception e) when (e is ForebayException or IOException or ObjectDisposedException)
        {
            _error.WriteLine($"forebay: {e.Message}");
        }

        if (last is not null)
        {
            Send(last);
        }

        _servingKnown.Set();
        _holder.StopReceiving();
    }

    /// <summary>The holder died: another one is started and gets what the first one had. Goes on until it succeeds; the mount is served meanwhile.</summary>
    /// <returns>False when this worker ended meanwhile.</returns>
    private bool StartHolder()
    {
        while (true)
        {
            if (_holderAttempts > 0)
            {
                _stop.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(Math.Min(50 << Math.Min(_holderAttempts - 1, 7), LongestHolderDelay.TotalMilliseconds)));
            }

            _holderAttempts++;
            MountDescription description;
            MountServing serving;
            SafeFileHandle device;
            lock (_state)
            {
                if (_exitCode is not null || _serving is null)
                {
                    return false;
                }

                (description, serving, device) = (_description!, _serving, _device!);
            }

            (MessageSocket mine, MessageSocket its) = MessageSocket.Pair();
            try
            {
                // The one before may have been a child of this process, too.
                _ = _holderChild == 0 ? 0 : Native.WaitProcess(_holderChild, Native.WaitNoHang);
                _holderChild = ProcessSpawner.Start(description.Command(MountProcesses.HolderVerb), MountEnvironment.ForHolder(), its.Handle, log: null);
                MessageWriter adopt = new(MessageKind.Adopt);
                description.Write(adopt);
                adopt.Blob(serving.Connection).Number(serving.Passthrough ? 1 : 0).Number(Environment.ProcessId).Text(_version);
                if (mine.Send(adopt, _memory!, device))
                {
                    MessageSocket old = _holder;
                    _holder = mine;
                    old.Dispose();

                    // A worker that ended in between found only the old socket.
                    lock (_state)
                    {
                        if (_exitCode is not null)
                        {
                            Send(new MessageWriter(MessageKind.Unmounted));
                        }

                        return _exitCode is null;
                    }
                }
            }
            catch (ForebayException e)
            {
                _error.WriteLine($"forebay: {e.Message}");
            }
            finally
            {
                its.Dispose();
            }

            mine.Dispose();
        }
    }

    private void Send(MessageWriter message) => _holder.Send(message);

    private static int CodeOf(ErrorKind kind) => kind switch
    {
        ErrorKind.NotFound => MountExit.NotFound,
        ErrorKind.AccessDenied => MountExit.Refused,
        ErrorKind.Unavailable or ErrorKind.Timeout or ErrorKind.Throttled => MountExit.Unreachable,
        _ => MountExit.Environment,
    };
}
