using System.Runtime.InteropServices;

namespace Forebay.Cli.Serve;

/// <summary>SIGTERM and SIGINT: the first asks to stop in good order, the second ends the process at once.</summary>
internal sealed class TerminationSignals : IDisposable
{
    private readonly CancellationTokenSource _requested = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action<int> _exit;
    private int _count;

    private TerminationSignals(Action<int> exit) => _exit = exit;

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Requested => _requested.Token;

    /// <summary>Takes both signals over until disposed.</summary>
    public static TerminationSignals Listen()
    {
        TerminationSignals signals = new(Environment.Exit);
        foreach (PosixSignal signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGTERM, PosixSignal.SIGINT])
        {
            signals._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                signals.Receive(context.Signal == PosixSignal.SIGTERM ? 15 : 2);
            }));
        }

        return signals;
    }

    /// <summary>For tests: signals come only from <see cref="Receive"/>.</summary>
    public static TerminationSignals Simulate(Action<int> exit) => new(exit);

    /// <summary>A signal arrived.</summary>
    public void Receive(int number)
    {
        if (Interlocked.Increment(ref _count) == 1)
        {
            _requested.Cancel();
            return;
        }

        _exit(128 + number);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _requested.Dispose();
    }
}
