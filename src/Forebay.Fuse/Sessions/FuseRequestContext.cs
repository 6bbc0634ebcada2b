using System.Diagnostics;

namespace Forebay.Fuse;

/// <summary>
/// What is behind a <see cref="FuseRequest"/>: pooled, used for one request after another. The serial number tells uses apart, so
/// that a stale <see cref="FuseRequest"/> can do no harm. Goes back to the pool when it was answered <i>and</i> the handler has
/// returned. Thread-safe; the lock guards the token and the serial.
/// </summary>
internal sealed class FuseRequestContext(FuseDispatcher dispatcher)
{
    private const ulong RepeatedBit = 1UL << 63;

    private readonly Lock _lock = new();
    private FuseInHeader _header;
    private CancellationTokenSource? _cancellation;
    private long _serial;
    private long _waitsSince;
    private long _open;
    private int _holds;
    private bool _interrupted;

    internal FuseDispatcher Dispatcher { get; } = dispatcher;

    internal ref readonly FuseInHeader Header => ref _header;

    internal long Serial => _serial;

    internal long StartTimestamp { get; private set; }

    internal FuseRequestNote Note { get; set; }

    internal bool IsRepeated => (_header.Unique & RepeatedBit) != 0;

    internal bool IsInterrupted => Volatile.Read(ref _interrupted);

    internal void Begin(in FuseInHeader header, long timestamp)
    {
        lock (_lock)
        {
            _header = header;
            _interrupted = false;
            _holds = 2;
            _serial++;
            StartTimestamp = timestamp;
            _waitsSince = timestamp;
            Note = default;
            Volatile.Write(ref _open, _serial);
        }
    }

    /// <summary>How long its request waits for an answer, since its begin or the last <see cref="Renew"/>; zero once it has one.</summary>
    internal TimeSpan Wait
    {
        get
        {
            lock (_lock)
            {
                return Volatile.Read(ref _open) == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_waitsSince);
            }
        }
    }

    /// <summary>Its wait counts from now on.</summary>
    internal void Renew(long serial)
    {
        lock (_lock)
        {
            if (_serial != serial)
            {
                FuseRequest.ThrowStale();
            }

            _waitsSince = Stopwatch.GetTimestamp();
        }
    }

    internal bool IsUseOf(long serial) => Volatile.Read(ref _serial) == serial;

    /// <summary>True for exactly one caller of each use: the one that answers.</summary>
    internal bool TryClaim(long serial) => Interlocked.CompareExchange(ref _open, 0, serial) == serial;

    /// <summary>Called once by the answer and once when the handler has returned.</summary>
    internal void Leave()
    {
        if (Interlocked.Decrement(ref _holds) != 0)
        {
            return;
        }

        lock (_lock)
        {
            _serial++;
            _cancellation?.Dispose();
            _cancellation = null;
        }

        Dispatcher.Recycle(this);
    }

    internal CancellationToken TokenOf(long serial)
    {
        lock (_lock)
        {
            if (_serial != serial)
            {
                FuseRequest.ThrowStale();
            }

            _cancellation ??= new CancellationTokenSource();
            if (_interrupted)
            {
                _cancellation.Cancel();
            }

            return _cancellation.Token;
        }
    }

    /// <summary>Cancels the use whose request has this id.</summary>
    /// <returns>False when it is not this one, or was answered.</returns>
    internal bool Interrupt(ulong unique)
    {
        lock (_lock)
        {
            if (Volatile.Read(ref _open) == 0 || ((_header.Unique ^ unique) & ~RepeatedBit) != 0)
            {
                return false;
            }

            InterruptLocked();
            return true;
        }
    }

    /// <summary>The mount is gone: nobody waits any more.</summary>
    internal void InterruptAny()
    {
        lock (_lock)
        {
            if (Volatile.Read(ref _open) != 0)
            {
                InterruptLocked();
            }
        }
    }

    private void InterruptLocked()
    {
        _interrupted = true;

        // Callbacks of the token are foreign code: they run on the pool, never on the session's thread or under this lock.
        _ = _cancellation?.CancelAsync();
    }
}
