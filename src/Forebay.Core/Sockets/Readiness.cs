using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Core.Sockets;

/// <summary>Waits for descriptors.</summary>
public static unsafe class Readiness
{
    /// <summary>Waits until a descriptor can be read or the other side is gone; of a pidfd, until the process has ended. A signal does not end the wait.</summary>
    /// <param name="handle">Open until this returns.</param>
    /// <param name="timeout">Up to 24 days; zero looks once.</param>
    /// <returns>False when the time passed first.</returns>
    public static bool Wait(SafeFileHandle handle, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(handle);
        Native.PollEntry entry = new() { Descriptor = (int)handle.DangerousGetHandle(), Events = Native.PollIn };
        long deadline = Environment.TickCount64 + (long)Math.Min(timeout.TotalMilliseconds, int.MaxValue);
        int ready;
        do
        {
            ready = Native.Poll(&entry, 1, (int)Math.Max(0, deadline - Environment.TickCount64));
        }
        while (ready < 0 && Marshal.GetLastPInvokeError() == Native.Interrupted);

        return ready > 0;
    }
}
