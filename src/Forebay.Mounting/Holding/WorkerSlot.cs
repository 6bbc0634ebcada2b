using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;

namespace Forebay.Mounting.Holding;

/// <summary>A worker as its holder sees it.</summary>
internal sealed class WorkerSlot(MessageSocket socket, string executable) : IDisposable
{
    public MessageSocket Socket => socket;

    /// <summary>What it was started from.</summary>
    public string Executable => executable;

    /// <summary>Process id; 0 until it is known.</summary>
    public int Id { get; set; }

    public string Version { get; set; } = "";

    /// <summary>The launcher told it everything before it was started.</summary>
    public bool Begun { get; init; }

    /// <summary>Told who it is; from then on it can begin.</summary>
    public bool SaidHello { get; set; }

    /// <summary>Reads requests of the kernel.</summary>
    public bool Serving => ServingSince is not null;

    /// <summary>Timestamp of the moment since which it serves; null while it does not.</summary>
    public long? ServingSince { get; set; }

    /// <summary>Killed because it hung.</summary>
    public bool Hung { get; set; }

    /// <summary>Has answered a request.</summary>
    public bool Answered { get; set; }

    /// <summary>Ends because it was asked to.</summary>
    public bool Drained { get; set; }

    /// <summary>When it is ended if it has said nothing until then; null while nothing is asked of it.</summary>
    public long? WordDue { get; set; }

    /// <summary>Why it says it ends.</summary>
    public (int ExitCode, string Sentence)? Failure { get; set; }

    public ProcessWatch? Watch { get; set; }

    /// <summary>Waits for the end of the process, so that its locks are free; one that does not end is killed.</summary>
    public void Reap(TimeSpan patience)
    {
        Watch ??= Id == 0 ? null : ProcessWatch.TryOpen(Id);
        if (Watch is { } watch && !watch.WaitForExit(patience))
        {
            watch.Signal(Native.SignalKill);
            watch.WaitForExit(TimeSpan.FromSeconds(5));
        }
    }

    public void Dispose()
    {
        socket.Dispose();
        Watch?.Dispose();
    }
}
