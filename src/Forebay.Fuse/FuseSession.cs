using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Forebay.Core;

namespace Forebay.Fuse;

/// <summary>How a session runs.</summary>
public sealed record FuseSessionOptions
{
    /// <summary>Threads that read requests, 1–64. They answer what needs no waiting; more than the cores does not pay.</summary>
    public int Threads { get; init; } = 2;

    /// <summary>How long a thread asks for the next request before it sleeps, while short ones come quickly, 0–1 ms; zero for never. A processor is busy meanwhile.</summary>
    public TimeSpan SpinTime { get; init; } = TimeSpan.FromMicroseconds(50);

    /// <summary>What to ask for in INIT; without meaning for a successor.</summary>
    public FuseConnectionOptions Connection { get; init; } = new();

    /// <summary>Sees answers and faults; null for nobody.</summary>
    public FuseObserver? Observer { get; init; }

    /// <summary>Notifications that may wait, 1–1,048,576.</summary>
    public int NotificationQueue { get; init; } = 4096;
}

/// <summary>Why a session ended.</summary>
public enum FuseSessionEnd
{
    /// <summary>The file system was unmounted, or the kernel ended the connection.</summary>
    Unmounted,

    /// <summary><see cref="FuseSession.StopAsync"/> was called; the mount lives.</summary>
    Stopped,
}

/// <summary>
/// Serves one mount from its device with threads of its own, until the file system is unmounted or <see cref="StopAsync"/> is
/// called. Borrows device and file system.
/// </summary>
/// <remarks>
/// A session either does INIT (first of a mount) or is a successor, given what its predecessor agreed on; a successor asks the
/// kernel to send again what the predecessor had taken and not answered. Thread-safe. An error of the device other than the end of
/// the mount ends the session: <see cref="Completion"/> fails, the mount lives as long as its descriptor, and a successor may go on.
/// </remarks>
public sealed class FuseSession : IAsyncDisposable
{
    private readonly FuseDevice _device;
    private readonly FuseDispatcher _dispatcher;
    private readonly FuseSessionOptions _options;
    private readonly FuseConnection? _predecessor;
    private readonly int[] _reading;
    private readonly SoloReading _solo;
    private readonly TaskCompletionSource<FuseConnection> _negotiated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<FuseSessionEnd> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _failure;
    private int _running;
    private int _started;
    private volatile bool _stopping;
    private volatile bool _unmounted;

    /// <summary>Creates a session; nothing is read before <see cref="Start"/>.</summary>
    /// <param name="device">The device of a mount, or of one that will be mounted; must live as long as the session.</param>
    /// <param name="fileSystem">Answers the requests.</param>
    /// <param name="options">How to run.</param>
    /// <param name="negotiated">What a predecessor agreed on, for a successor; null to do INIT.</param>
    public FuseSession(FuseDevice device, FuseFileSystem fileSystem, FuseSessionOptions options, FuseConnection? negotiated = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Threads, 64, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SpinTime, TimeSpan.Zero, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.SpinTime, TimeSpan.FromMilliseconds(1), nameof(options));
        _device = device;
        _options = options;
        _predecessor = negotiated;
        _reading = new int[options.Threads];
        _solo = new SoloReading(options.SpinTime, Environment.ProcessorCount);
        _dispatcher = new FuseDispatcher(fileSystem, options.Connection, negotiated, device, options.Observer) { InitEnded = OnInitEnded };
        Notifier = new FuseNotifier(device, () => _dispatcher.Connection, options.NotificationQueue, options.Observer);
        if (negotiated is not null)
        {
            _negotiated.SetResult(negotiated);
        }
    }

    /// <summary>Ends when kernel and session have agreed. Fails with <see cref="ErrorKind.NotSupported"/> when the kernel is too old, and when the session ends before.</summary>
    public Task<FuseConnection> Negotiated => _negotiated.Task;

    /// <summary>Ends when all threads have ended. Fails with <see cref="ErrorKind.Unavailable"/> on an error of the device.</summary>
    public Task<FuseSessionEnd> Completion => _completion.Task;

    /// <summary>Tells the kernel what to drop from its caches.</summary>
    public FuseNotifier Notifier { get; }

    /// <summary>Counts and times of the requests.</summary>
    public FuseStatistics Statistics => _dispatcher.Statistics;

    /// <summary>Requests that were not answered yet.</summary>
    public int OpenRequests => _dispatcher.OpenRequests;

    /// <summary>How long the request waits that has waited longest without coming forward (<see cref="FuseRequest.Renew"/>); zero when none waits.</summary>
    public TimeSpan LongestWait => _dispatcher.LongestWait;

    /// <summary>Sees answers and faults; may be changed at any time.</summary>
    public FuseObserver? Observer
    {
        get => _dispatcher.Observer;
        set => _dispatcher.Observer = value;
    }

    internal int OutstandingBuffers => _dispatcher.OutstandingBuffers;

    internal SoloReading Solo => _solo;

    /// <summary>Starts the threads. A successor first makes the kernel send open requests again.</summary>
    /// <exception cref="InvalidOperationException">It was started before.</exception>
    public void Start()
    {
        if (Interlocked.Exchange(ref _started, 1) != 0)
        {
            throw new InvalidOperationException("A session starts once.");
        }

        if (_predecessor is not null)
        {
            _dispatcher.Succeed();

            // Before anything is read: what this session has taken by then would be sent again too.
            _ = Notifier.Resend();
        }

        ReaderWake.Prepare();
        _running = _options.Threads;
        for (int i = 0; i < _options.Threads; i++)
        {
            int slot = i;
            new Thread(() => DoServe(slot)) { IsBackground = true, Name = $"fuse-{i}" }.Start();
        }

        Notifier.Start();
    }

    /// <summary>
    /// Stops reading and waits until the threads have ended. Requests that were taken may still be answered; wait for
    /// <see cref="OpenRequests"/> to reach 0 before the process ends, or let a successor have them sent again.
    /// </summary>
    /// <param name="cancellationToken">Ends the waiting; the threads still stop after the request each works on.</param>
    /// <returns>Why the session ended.</returns>
    public async Task<FuseSessionEnd> StopAsync(CancellationToken cancellationToken)
    {
        _stopping = true;
        _solo.EndForGood();
        while (!_completion.Task.IsCompleted && Volatile.Read(ref _started) != 0)
        {
            // Those that work see the flag. Repeated, since a signal can come just before the read it should end.
            for (int i = 0; i < _reading.Length; i++)
            {
                if (Volatile.Read(ref _reading[i]) is not 0 and int thread)
                {
                    ReaderWake.Wake(thread);
                }
            }

            Task step = Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
            await Task.WhenAny(_completion.Task, step);
            cancellationToken.ThrowIfCancellationRequested();
        }

        return Volatile.Read(ref _started) == 0 ? FuseSessionEnd.Stopped : await _completion.Task;
    }

    /// <summary>Stops, waits for at most ten seconds, and frees the buffers. Answers to requests that are still open are dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(10), TimeProvider.System);
        try
        {
            await StopAsync(patience.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or ForebayException)
        {
            // Told through Completion; disposing does not fail.
        }

        await Notifier.DisposeAsync();
        if (Volatile.Read(ref _started) == 0 || _completion.Task.IsCompleted)
        {
            _dispatcher.Dispose();
            _solo.Dispose();
        }
    }

    private void OnInitEnded(FuseConnection? connection, string? refusal)
    {
        if (connection is not null)
        {
            _negotiated.TrySetResult(connection);
            return;
        }

        _negotiated.TrySetException(new ForebayException(ErrorKind.NotSupported, refusal!));
    }

    private void DoServe(int slot)
    {
        try
        {
            Serve(slot);
        }
        catch (Exception error)
        {
            _failure ??= error;
        }

        _solo.EndForGood();
        if (Interlocked.Decrement(ref _running) == 0)
        {
            End();
        }
    }

    /// <summary>Reads and dispatches until the mount is gone, the session stops or the device fails.</summary>
    private unsafe void Serve(int slot)
    {
        // Least room the kernel accepts: a WRITE of the largest size with its headers, and 8 KiB.
        int maxWrite = _predecessor?.MaxWriteBytes ?? _options.Connection.MaxWriteBytes;
        int size = Math.Max(8192, maxWrite + 4096);
        int thread = Native.ThreadId();
        using FuseRequestMemory memory = new(size);
        while (!_stopping)
        {
            if (_solo.IsSoloist(slot))
            {
                _solo.TryAwait(slot, static device => device.HasRequest(), _device);
            }
            else
            {
                _solo.StayAway();
            }

            // A stop sends its signal to those that say they read; this one may have been away when it did.
            Volatile.Write(ref _reading[slot], thread);
            if (_stopping)
            {
                Volatile.Write(ref _reading[slot], 0);
                break;
            }

            int count = _device.Receive(memory.Address, size);
            Volatile.Write(ref _reading[slot], 0);
            if (count >= 0)
            {
                Handle(slot, new ReadOnlySpan<byte>(memory.Address, count));
                continue;
            }

            if (-count is Errno.EINTR or Errno.EAGAIN or Errno.ENOENT)
            {
                continue;
            }

            if (-count is Errno.ENODEV or Errno.ECONNABORTED)
            {
                _unmounted = true;
                return;
            }

            throw new ForebayException(ErrorKind.Unavailable, $"Reading from the FUSE device failed: {Marshal.GetPInvokeErrorMessage(-count)}.");
        }
    }

    private void Handle(int slot, ReadOnlySpan<byte> message)
    {
        if (_solo.IsSoloist(slot) && !SoloReading.IsShort(message))
        {
            _solo.End(slot, mustRest: true);
        }

        _dispatcher.Dispatch(message);
        if (_solo.Count(slot, Stopwatch.GetTimestamp()))
        {
            for (int i = 0; i < _reading.Length; i++)
            {
                if (i != slot && Volatile.Read(ref _reading[i]) is not 0 and int other)
                {
                    ReaderWake.Wake(other);
                }
            }
        }
    }

    private void End()
    {
        if (_unmounted)
        {
            _dispatcher.InterruptAll();
            try
            {
                _dispatcher.FileSystem.Disconnected();
            }
            catch (Exception error)
            {
                _dispatcher.Fault(FuseFaultKind.Handler, $"Disconnected failed: {error.Message}", error);
            }
        }

        if (_failure is not null)
        {
            _dispatcher.Fault(FuseFaultKind.Device, _failure.Message, _failure);
            _negotiated.TrySetException(_failure);
            _completion.TrySetException(_failure);
            return;
        }

        _negotiated.TrySetException(new ForebayException(ErrorKind.Unavailable, "The mount ended before the kernel and the session had agreed."));
        _completion.TrySetResult(_unmounted ? FuseSessionEnd.Unmounted : FuseSessionEnd.Stopped);
    }
}
