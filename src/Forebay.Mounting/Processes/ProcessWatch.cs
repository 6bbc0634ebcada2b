using System.Runtime.InteropServices;
using Forebay.Core;
using Forebay.Core.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Processes;

/// <summary>A process that may not be a child of this one, held by a pidfd: its number cannot come to mean another process.</summary>
internal sealed class ProcessWatch : IDisposable
{
    private readonly SafeFileHandle _descriptor;

    private ProcessWatch(int id, SafeFileHandle descriptor)
    {
        Id = id;
        _descriptor = descriptor;
    }

    /// <summary>Process id.</summary>
    public int Id { get; }

    /// <summary>Watches a process; null when it is gone already.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: the kernel refuses.</exception>
    public static ProcessWatch? TryOpen(int id)
    {
        long descriptor = Native.SystemCall(Native.PidFdOpen, id, 0);
        if (descriptor >= 0)
        {
            return new ProcessWatch(id, new SafeFileHandle((nint)descriptor, ownsHandle: true));
        }

        return Marshal.GetLastPInvokeError() == Native.NoSuchProcess ? null : throw SystemError.Last($"process {id} cannot be watched");
    }

    /// <summary>Waits for the end: all its descriptors are closed then, and all its locks free.</summary>
    /// <returns>False when the time passed first.</returns>
    public bool WaitForExit(TimeSpan timeout)
    {
        bool ended = Readiness.Wait(_descriptor, timeout);
        if (ended)
        {
            // Takes the exit code where it is a child; else somebody else does.
            _ = Native.WaitProcess(Id, Native.WaitNoHang);
        }

        return ended;
    }

    /// <summary>Sends a signal.</summary>
    public void Signal(int signal)
    {
        if (!WaitForExit(TimeSpan.Zero))
        {
            _ = Native.Kill(Id, signal);
        }
    }

    public void Dispose() => _descriptor.Dispose();
}
