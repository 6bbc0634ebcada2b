using System.Runtime.InteropServices;
using Forebay.Core;

namespace Forebay.Fuse;

/// <summary>
/// Ends a read(2) that waits for a request: by a signal to the thread, whose handler does nothing and which is not restarted
/// (EINTR). Waiting by poll(2) instead would cost every request two more system calls and wake all threads for each.
/// </summary>
internal static unsafe class ReaderWake
{
    /// <summary>Installs the handler; without it the signal would end the process.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.NotSupported"/>: signal handlers are not allowed.</exception>
    internal static void Prepare()
    {
        // A handler must be native code, since managed code cannot run inside one: abs(3) takes an int and touches nothing.
        Native.SignalAction action = new() { Handler = NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs") };
        if (Native.SetSignalAction(Native.WakeSignal, &action, null) != 0)
        {
            throw new ForebayException(ErrorKind.NotSupported, $"The handler of signal {Native.WakeSignal} cannot be set: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>Sends the signal; a thread that has ended meanwhile is no fault.</summary>
    internal static void Wake(int thread) => _ = Native.SignalThread(Environment.ProcessId, thread, Native.WakeSignal);
}
